/**
 * Finds out with plain UDP datagrams what a NAT does, without any of the product's code.
 *
 * Four sockets of the server's host, two addresses with two ports each, say where datagrams come from, and send datagrams
 * wherever the test wants them. As the test holds both ends, nothing has to be waited for: behind datagrams that may or may
 * not get through goes one that does, and nothing overtakes it.
 *
 * @module
 */
import { setTimeout as sleep } from "node:timers/promises";
import type { NatBehavior } from "../../../src/wire/nat-profile.ts";
import { SERVER_ADDRESSES } from "./lab.ts";
import type { Station, StationSocket } from "./station.ts";
import type { HostPort } from "./station-program.ts";

const PORTS = [7001, 7002] as const;

/** Two processors may swap what was sent within moments of each other. */
const GRACE = 10;

/** Fresh sockets that show how the allocator goes on. */
const SAMPLES = 6;

/** Steps of a sequential allocator, at most: random ports are hardly ever all this close. */
const MAX_STEP = 16;

/** What a NAT was seen to do. */
export interface Verdict {
  readonly mapping: NatBehavior;
  readonly filtering: NatBehavior;
  readonly allocator: "preserving" | "sequential" | "random";
  readonly hairpin: boolean;
  /** Difference of successive ports, if the allocator is sequential. */
  readonly step: number | undefined;
  /** Outer ports that were seen, the samples' last. */
  readonly ports: readonly number[];
}

/** The server's side. */
export class Reflector {
  /** By address, then by port. */
  readonly #sockets: readonly (readonly StationSocket[])[];
  #serial = 0;

  /** Opens the four sockets. */
  static async open(station: Station): Promise<Reflector> {
    const rows = SERVER_ADDRESSES.map((host) => Promise.all(PORTS.map((port) => station.open({ host, port }))));
    return new Reflector(await Promise.all(rows));
  }

  private constructor(sockets: readonly (readonly StationSocket[])[]) {
    this.#sockets = sockets;
  }

  /** The socket at the first or second address, with the first or second port. */
  at(host: 0 | 1, port: 0 | 1): StationSocket {
    return this.#sockets[host]![port]!;
  }

  /** Where a datagram from this socket seems to come from. Throws if it does not arrive. */
  async mapped(socket: StationSocket, host: 0 | 1 = 0, port: 0 | 1 = 0): Promise<HostPort> {
    const mapped = await this.tryMapped(socket, host, port);
    if (mapped === undefined) throw new Error("a datagram has not reached the server");
    return mapped;
  }

  /** The same, but `undefined` if nothing arrives within `patience` ms. */
  async tryMapped(socket: StationSocket, host: 0 | 1, port: 0 | 1, patience = 2000): Promise<HostPort | undefined> {
    this.#serial += 1;
    const text = `where am I? ${this.#serial}`;
    const reflector = this.at(host, port);
    socket.send(text, reflector.address);
    return (await reflector.arrival(text, patience))?.from;
  }

  /** Which of the server's sockets, by address and port, reach `socket` at `to`. The first must, as it comes last. */
  async admitted(socket: StationSocket, to: HostPort): Promise<boolean[][]> {
    this.#serial += 1;
    const text = (host: number, port: number): string => `${this.#serial} from ${host} ${port}`;
    for (const host of [1, 0] as const)
      for (const port of [1, 0] as const) this.at(host, port).send(text(host, port), to);
    await socket.arrival(text(0, 0));
    await sleep(GRACE);
    const has = (host: number, port: number): boolean => socket.arrivals.some((each) => each.text === text(host, port));
    return [0, 1].map((host) => [0, 1].map((port) => has(host, port)));
  }
}

/** Finds out what the NAT in front of `inner` does. */
export async function classify(inner: Station, reflector: Reflector): Promise<Verdict> {
  const socket = await inner.open();
  const first = await reflector.mapped(socket, 0, 0);
  const otherHost = await reflector.mapped(socket, 1, 0);
  const otherPort = await reflector.mapped(socket, 1, 1);
  const samples: StationSocket[] = [];
  for (let count = 0; count < SAMPLES; count++) samples.push(await inner.open());
  const ports: number[] = [];
  for (const sample of samples) ports.push((await reflector.mapped(sample)).port);
  const steps = ports.slice(1).map((port, index) => port - ports[index]!);
  const verdict = {
    mapping: mappingOf(first, otherHost, otherPort),
    filtering: await filteringOf(inner, reflector),
    allocator: allocatorOf(
      samples.map((sample, index) => ({ inner: sample.address.port, outer: ports[index]! })),
      steps,
    ),
    hairpin: await hairpins(inner, reflector),
    ports: [first.port, otherHost.port, otherPort.port, ...ports],
  } as const;
  for (const each of [socket, ...samples]) each.close();
  return { ...verdict, step: verdict.allocator === "sequential" ? steps[0] : undefined };
}

function mappingOf(first: HostPort, otherHost: HostPort, otherPort: HostPort): NatBehavior {
  if (otherHost.port !== otherPort.port) return "address-and-port-dependent";
  return first.port === otherHost.port ? "endpoint-independent" : "address-dependent";
}

/** From a socket that has sent to one place only: other holes would let more in. */
async function filteringOf(inner: Station, reflector: Reflector): Promise<NatBehavior> {
  const socket = await inner.open();
  const mapped = await reflector.mapped(socket, 0, 0);
  const admitted = await reflector.admitted(socket, mapped);
  socket.close();
  if (!admitted[0]![0]) throw new Error("an answer has not come back");
  if (admitted[1]![1]) return "endpoint-independent";
  return admitted[0]![1] ? "address-dependent" : "address-and-port-dependent";
}

function allocatorOf(
  samples: readonly { readonly inner: number; readonly outer: number }[],
  steps: readonly number[],
): Verdict["allocator"] {
  if (samples.every(({ inner, outer }) => inner === outer)) return "preserving";
  const isSequence = steps.every((step) => step === steps[0]) && Math.abs(steps[0]!) <= MAX_STEP;
  return isSequence ? "sequential" : "random";
}

async function hairpins(inner: Station, reflector: Reflector): Promise<boolean> {
  const [sender, receiver] = [await inner.open(), await inner.open()];
  sender.send("by hairpin", await reflector.mapped(receiver));
  // The way to the server is longer.
  await reflector.mapped(sender);
  await sleep(GRACE);
  const has = receiver.arrivals.some((each) => each.text === "by hairpin");
  sender.close();
  receiver.close();
  return has;
}
