/**
 * Transfers that do not end well: each side says so by its exit code, in time, and without a stack trace.
 *
 * @module
 */
import { setTimeout as sleep } from "node:timers/promises";
import { must, type Row, type Workplace } from "../row.ts";
import { DIRECTIONS, type Direction, exitOf, type Flow, startFlow } from "../tools/pair.ts";
import type { Side } from "../tools/side.ts";

/** Never ends by itself. */
const ENDLESS = { before: "yes" };

/** Long enough for a transfer to be well under way, in ms. */
const UNDER_WAY = 1500;

async function endless(place: Workplace, direction: Direction, args = ""): Promise<Flow> {
  const flow = await startFlow(place, direction, { sender: { ...ENDLESS, args }, receiver: { args } });
  await Promise.all([flow.sender.next("connected"), flow.receiver.next("connected")]);
  await sleep(UNDER_WAY);
  return flow;
}

function mustExit(side: Side, code: number, expected: number): void {
  must(code === expected, `${side.name}: exit ${code} instead of ${expected}; ${side.summary()}`);
  must(!side.showsStackTrace, `${side.name} shows a stack trace: ${side.said}`);
}

export const earlyClose: Row = {
  name: "early-close",
  claim: "`… | head -c 1`: the sender exits 5 and the receiver 7, without a stack trace",
  minutes: 1,
  async run(place) {
    const figures: string[] = [];
    for (const direction of DIRECTIONS) {
      const flow = await startFlow(place, direction, { sender: ENDLESS, receiver: { after: "head -c 1" } });
      const startedAt = Date.now();
      const [sender, receiver] = await Promise.all([exitOf(flow.sender, 30), exitOf(flow.receiver, 30)]);
      mustExit(flow.sender, sender.code, 5);
      mustExit(flow.receiver, receiver.code, 7);
      figures.push(`${direction} ${sender.at - startedAt} ms`);
    }
    return `5 and 7 after ${figures.join(", ")}`;
  },
};

export const killed: Row = {
  name: "sigkill",
  claim: "a sender killed with SIGKILL, --linger 10: the receiver exits 5 within 12 s",
  minutes: 1,
  async run(place) {
    const seconds: number[] = [];
    for (const direction of DIRECTIONS) {
      const flow = await endless(place, direction, "--linger 10");
      const killedAt = Date.now();
      await flow.sender.kill("SIGKILL");
      const receiver = await exitOf(flow.receiver, 30);
      flow.sender.stop();
      mustExit(flow.receiver, receiver.code, 5);
      const took = (receiver.at - killedAt) / 1000;
      must(took < 12, `the receiver noticed after ${took} s`);
      seconds.push(took);
    }
    return `5 after ${seconds.map((each) => each.toFixed(1)).join(" and ")} s`;
  },
};

export const interrupted: Row = {
  name: "ctrl-c",
  claim: "SIGINT and SIGTERM on either side: it exits 130 or 143, the other exits 5 within a second",
  minutes: 1,
  async run(place) {
    const cases = [
      { signal: "SIGINT", code: 130 },
      { signal: "SIGTERM", code: 143 },
    ] as const;
    let slowest = 0;
    for (const { signal, code } of cases) {
      for (const direction of DIRECTIONS) {
        for (const who of ["sender", "receiver"] as const) {
          const flow = await endless(place, direction);
          const victim = flow[who];
          const other = who === "sender" ? flow.receiver : flow.sender;
          const sentAt = Date.now();
          await victim.kill(signal);
          const exits = await Promise.all([exitOf(victim, 30), exitOf(other, 30)]);
          mustExit(victim, exits[0].code, code);
          mustExit(other, exits[1].code, 5);
          const noticed = exits[1].at - sentAt;
          place.log(
            `${direction}, ${signal} to the ${who}: it ends after ${exits[0].at - sentAt} ms, the other ${noticed} ms`,
          );
          must(noticed < 1000, `${other.name} noticed after ${noticed} ms`);
          slowest = Math.max(slowest, noticed);
        }
      }
    }
    return `8 cases, the other side after ${slowest} ms at most`;
  },
};
