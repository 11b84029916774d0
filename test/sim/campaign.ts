/**
 * One random scenario: a seed decides the link, its faults, the streams and what the applications do with them.
 *
 * @module
 */
import { EndpointMachine } from "../../src/connection/endpoint.ts";
import type { EndpointEvent } from "../../src/connection/endpoint-events.ts";
import { type LinkOptions, type Rng, World } from "../../src/testing/index.ts";
import { addHosts } from "./hosts.ts";
import { drawDirection, type Side, type StreamPlan, Traffic } from "./traffic.ts";

/** Most bytes that all streams of a scenario carry together. */
const MOST_BYTES = 256 * 1024;

/** Virtual time that a scenario may take, in ms: the worst link drawn here explains ten minutes. */
const TIME_LIMIT = 900_000;

/** What a scenario came to. */
export interface Outcome {
  readonly seed: number;
  readonly traceHash: string;
  /** Virtual ms until all streams had ended. */
  readonly elapsed: number;
  readonly steps: number;
  readonly datagrams: number;
  readonly bytes: number;
}

/** Runs the scenario of a seed. @throws Error with the seed if anything is not as it must be. */
export function runScenario(seed: number): Outcome {
  let world: World | undefined;
  try {
    world = new World({ seed, traceTail: 60, afterEvent: () => audit() });
    return play(world, seed);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new Error(`seed ${seed}: ${reason}\n  replay: npm run sim -- --from ${seed} --seeds 1`, { cause: error });
  }
  function audit(): void {
    for (const { machine } of world!.hosts) if (machine instanceof EndpointMachine) machine.audit();
  }
}

function play(world: World, seed: number): Outcome {
  const rng = world.rng.fork("scenario");
  const plans = drawStreams(rng);
  const sides = { listener: undefined as Side | undefined, dialer: undefined as Side | undefined };
  const onEvent = (name: "listener" | "dialer", event: EndpointEvent) => {
    const side = sides[name]!;
    if (event.type === "incoming") side.connection = event.connection;
    if (event.type !== "connection") return;
    if (event.event.type === "opened") traffic.announce(side, event.event.id);
    else side.onEvent(event.event);
  };
  const hosts = addHosts(world, { link: { up: drawLink(rng, world), down: drawLink(rng, world) }, onEvent });
  const traffic = new Traffic(world, plans, (side) => world.wake(side === "initiator" ? hosts.dialer : hosts.listener));
  sides.listener = traffic.responder;
  sides.dialer = traffic.initiator;
  traffic.initiator.connection = hosts.dial(120_000);

  const { initiator, responder } = traffic;
  const failed = () => initiator.closed !== undefined || responder.closed !== undefined;
  try {
    world.run({ until: () => traffic.isOver || failed(), for: TIME_LIMIT });
  } catch (error) {
    throw new Error(`${traffic.unfinished().join("\n  ")}\n${String(error)}`, { cause: error });
  }
  if (failed()) throw new Error(`closed early: ${JSON.stringify(initiator.closed ?? responder.closed)}`);
  const elapsed = world.now;

  const closer = rng.chance(0.5) ? initiator : responder;
  closer.connection!.close(0, "done", world.now);
  world.wakeAll();
  const isGone = () => initiator.closed !== undefined && responder.closed !== undefined;
  world.run({ until: isGone, for: 120_000 });
  const problems = traffic.problems();
  if (!isGone()) problems.push("an end never heard of the close");
  world.run({ for: 60_000 });
  for (const host of [hosts.dialer, hosts.listener]) {
    const left = host.machine.connectionCount;
    if (left !== 0) problems.push(`${host.name} still has ${left} connections`);
    if (host.machine.nextTimeout() !== undefined) problems.push(`${host.name} still has a timer`);
  }
  if (problems.length > 0) throw new Error(problems.join("; "));
  const { dialer, listener } = hosts;
  return {
    seed,
    traceHash: world.traceHash,
    elapsed,
    steps: world.steps,
    datagrams: dialer.counters.datagramsSent + listener.counters.datagramsSent,
    bytes: plans.reduce((sum, plan) => sum + plan.forth.bytes + (plan.back?.bytes ?? 0), 0),
  };
}

/** Each scenario has a random subset of the faults, so that each fault is also met alone. */
function drawLink(rng: Rng, world: World): LinkOptions {
  const has = (probability: number) => rng.chance(probability);
  const blackoutAt = world.now + rng.between(0, 5_000);
  return {
    delay: rng.pick([0, 1, 10, 30, 100, 250]),
    ...(has(0.6)
      ? { bitsPerSecond: rng.pick([256e3, 1e6, 10e6, 100e6]), queue: { packets: rng.pick([10, 30, 100, 1000]) } }
      : {}),
    ...(has(0.4) ? { jitter: rng.between(0, 20) } : {}),
    ...(has(0.5) ? { loss: rng.pick([0.001, 0.01, 0.05, 0.15, 0.3]) } : {}),
    ...(has(0.2)
      ? { burstLoss: { enter: rng.between(0.001, 0.02), leave: rng.between(0.1, 0.5), lossWhenBad: 0.8 } }
      : {}),
    ...(has(0.3)
      ? { reordering: { probability: rng.between(0.001, 0.1), minDelay: 1, maxDelay: rng.between(2, 60) } }
      : {}),
    ...(has(0.3) ? { duplication: rng.between(0.001, 0.1) } : {}),
    ...(has(0.3) ? { corruption: rng.between(0.0005, 0.03) } : {}),
    ...(has(0.1) ? { blackouts: [{ from: blackoutAt, until: blackoutAt + rng.between(100, 6_000) }] } : {}),
  };
}

function drawStreams(rng: Rng): StreamPlan[] {
  const count = rng.chance(0.4) ? 1 : rng.integer(2, 20);
  const most = Math.max(1, Math.floor(MOST_BYTES / count / 2));
  return Array.from({ length: count }, () => ({
    opener: rng.pick(["initiator", "responder"] as const),
    openAt: rng.chance(0.5) ? 0 : rng.integer(0, 2_000),
    forth: drawDirection(rng, most),
    back: rng.chance(0.3) ? undefined : drawDirection(rng, most),
  }));
}
