/**
 * Many clients of a rendezvous server in one process, a hundred to an address: sessions, registrations, invitations and
 * answers as the product makes them, without the connections between peers that would follow.
 *
 * `sessions.ts listen SERVER COUNT FIRST` registers COUNT listeners, each with a key of its own, prints
 * `{ "slots": […] }`, and answers whoever calls until it is ended.
 *
 * `sessions.ts call SERVER PER_SECOND FIRST` reads such slots, a line each, opens a session for each of them at this rate,
 * calls, and prints a {@link CallReport}.
 *
 * @module
 */
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { type LinkEvent, ServerLink, type ServerTarget } from "../../../../src/agent/server-link.ts";
import { DEFAULT_CONFIG } from "../../../../src/connection/config.ts";
import { EndpointMachine } from "../../../../src/connection/endpoint.ts";
import { keyPairFromSeed, randomBytes, sha256 } from "../../../../src/crypto/primitives.ts";
import { deriveServerKeys, serverPin } from "../../../../src/crypto/server-keys.ts";
import { monotonicNow, unixTime } from "../../../../src/io/clock.ts";
import { Driver } from "../../../../src/io/driver.ts";
import { UdpSocket } from "../../../../src/io/udp-socket.ts";
import { decodeServerString } from "../../../../src/ticket/server-string.ts";
import { BufferPool } from "../../../../src/util/buffer-pool.ts";
import { toHex } from "../../../../src/util/bytes.ts";
import type { Datagram, Machine, Transmit } from "../../../../src/util/machine.ts";
import { earliest, type Instant } from "../../../../src/util/time.ts";
import { addressAfter } from "./addresses.ts";
import type { CallReport } from "./crowd.ts";

/** Sessions of one address: fewer than a server takes from one source. */
const PER_ADDRESS = 100;

/** Sessions that are being opened at once. */
const AT_ONCE = 64;

const CALL_TIMEOUT = 10_000;

/** What peers would say to each other, as long as it usually is. */
const CORE1 = { kind: "core1", content: new Uint8Array(300).fill(1) } as const;
const CORE2 = { kind: "core2", content: new Uint8Array(250).fill(2) } as const;

type OnEvent = (link: ServerLink, event: LinkEvent, now: Instant) => void;

/** The sessions of one address. */
class Members implements Machine<never> {
  readonly #endpoint: EndpointMachine;
  readonly #links = new Set<ServerLink>();
  readonly #onEvent: OnEvent;

  constructor(pool: BufferPool, onEvent: OnEvent) {
    this.#onEvent = onEvent;
    this.#endpoint = new EndpointMachine({
      ...{ random: randomBytes, unixTime, pool, sockets: [{ id: 0, family: 4 }] },
      ...{ identity: keyPairFromSeed(randomBytes(32)), config: DEFAULT_CONFIG, acceptHook: false },
    });
  }

  add(target: ServerTarget): ServerLink {
    const identity = keyPairFromSeed(randomBytes(32));
    const link = new ServerLink({ endpoint: this.#endpoint, target, random: randomBytes, identity });
    this.#links.add(link);
    return link;
  }

  receive(datagram: Datagram, now: Instant): void {
    this.#endpoint.receive(datagram, now);
    this.proceed(now);
  }

  handleTimeout(now: Instant): void {
    this.#endpoint.handleTimeout(now);
    for (const link of this.#links) link.handleTimeout(now);
    this.proceed(now);
  }

  pollTransmit(now: Instant): Transmit | undefined {
    return this.#endpoint.pollTransmit(now);
  }

  pollEvent(): undefined {
    this.proceed(monotonicNow());
    return undefined;
  }

  nextTimeout(): Instant | undefined {
    let next = this.#endpoint.nextTimeout();
    for (const link of this.#links) next = earliest(next, link.nextTimeout());
    return next;
  }

  proceed(now: Instant): void {
    for (let event = this.#endpoint.pollEvent(); event !== undefined; event = this.#endpoint.pollEvent()) {
      if (event.type !== "connection") continue;
      const { connection, event: told } = event;
      for (const link of this.#links) if (link.connection === connection) link.onEvent(told, now);
    }
    for (const link of this.#links) {
      link.flush(now);
      for (let event = link.pollEvent(); event !== undefined; event = link.pollEvent()) this.#onEvent(link, event, now);
      link.flush(now);
      if (!link.isHeld && link.connection === undefined) this.#links.delete(link);
    }
  }
}

/** An address with its socket. */
interface Place {
  readonly members: Members;
  readonly driver: Driver<never>;
}

async function open(host: string, onEvent: OnEvent): Promise<Place> {
  const pool = new BufferPool();
  const members = new Members(pool, onEvent);
  const socket = await UdpSocket.open({ id: 0, host, port: 0 });
  const driver = new Driver<never>({ machine: members, sockets: [socket], pool, onEvent: () => {}, onIdle: () => {} });
  return { members, driver };
}

function targetOf(word: string): ServerTarget {
  const server = decodeServerString(word, sha256);
  if ("code" in server) throw new Error(server.hint);
  const addresses = server.places.map(({ host, port }) => ({ host, port, family: 4 as const }));
  return { keys: deriveServerKeys(serverPin(server.key)), addresses: addresses.slice(0, 1) };
}

async function listenAll(word: string, count: number, first: string): Promise<void> {
  const target = targetOf(word);
  const waiting = new Map<ServerLink, () => void>();
  const slots: string[] = [];
  const onEvent: OnEvent = (link, event, now) => {
    if (event.type === "invited") link.client.answer(event.call, CORE2, now);
    if (event.type !== "registered") return;
    waiting.get(link)?.();
    waiting.delete(link);
  };
  let next = 0;
  let place = await open(addressAfter(first, 0), onEvent);
  const register = async (): Promise<void> => {
    while (next < count) {
      const index = next++;
      if (index > 0 && index % PER_ADDRESS === 0) place = await open(addressAfter(first, index / PER_ADDRESS), onEvent);
      const { members, driver } = place;
      const link = members.add(target);
      const [slot] = link.client.register([{ kind: "ticket", blind: randomBytes(16) }]);
      const registered = new Promise<void>((resolve) => waiting.set(link, resolve));
      link.hold(monotonicNow());
      driver.wake();
      await registered;
      slots.push(toHex(slot!));
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, register));
  console.log(JSON.stringify({ slots }));
}

async function callAll(word: string, perSecond: number, first: string): Promise<void> {
  const target = targetOf(word);
  const failed: Record<string, number> = {};
  const outcomes = new Map<ServerLink, (outcome: string) => void>();
  const slots = new Map<ServerLink, Uint8Array>();
  const onEvent: OnEvent = (link, event, now) => {
    if (event.type === "up") link.client.invite({ slot: slots.get(link)!, envelope: CORE1 }, now);
    if (event.type === "answered") outcomes.get(link)?.("connected");
    if (event.type === "failed") outcomes.get(link)?.(event.failure);
  };
  const calls: Promise<void>[] = [];
  let connected = 0;
  let place = await open(addressAfter(first, 0), onEvent);
  const startedAt = performance.now();
  for await (const line of createInterface({ input: process.stdin })) {
    await sleep(startedAt + (calls.length * 1000) / perSecond - performance.now());
    if (calls.length % PER_ADDRESS === PER_ADDRESS - 1) {
      place = await open(addressAfter(first, Math.ceil(calls.length / PER_ADDRESS)), onEvent);
    }
    const { members, driver } = place;
    const link = members.add(target);
    slots.set(link, Buffer.from(line, "hex"));
    const outcome = new Promise<string>((resolve) => outcomes.set(link, resolve));
    link.hold(monotonicNow());
    driver.wake();
    const late = sleep(CALL_TIMEOUT, "too late", { ref: false });
    calls.push(
      Promise.race([outcome, late]).then((result) => {
        if (result === "connected") connected += 1;
        else failed[result] = (failed[result] ?? 0) + 1;
        link.release(monotonicNow());
        driver.wake();
      }),
    );
  }
  await Promise.all(calls);
  const report: CallReport = { connected, failed, seconds: (performance.now() - startedAt) / 1000 };
  console.log(JSON.stringify(report));
}

const [role, word = "", number = "", first = ""] = process.argv.slice(2);
if (role === "listen") await listenAll(word, Number(number), first);
else {
  await callAll(word, Number(number), first);
  process.exit();
}
