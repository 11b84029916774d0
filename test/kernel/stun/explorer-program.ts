/**
 * Runs on a host: asks STUN servers by real sockets, as the test that started it orders by lines of JSON on standard input.
 *
 * @module
 */
import { randomBytes } from "node:crypto";
import { createSocket, type Socket } from "node:dgram";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { StunClient, type StunClientEvent, type StunRequest } from "../../../src/stun/client.ts";
import { Discovery, type DiscoveryEvent, type DiscoveryServer } from "../../../src/stun/discovery/discovery.ts";
import { BufferPool } from "../../../src/util/buffer-pool.ts";
import type { Address, Machine, SocketId } from "../../../src/util/machine.ts";
import type { Instant } from "../../../src/util/time.ts";
import type { NatProfile } from "../../../src/wire/nat-profile.ts";

/** What the test may ask for. */
export type Order =
  | { readonly order: "discover"; readonly family: 4 | 6; readonly servers: readonly DiscoveryServer[] }
  /** One request by a socket of its own; `responds` asks for the answer at another one. */
  | { readonly order: "ask"; readonly request: Omit<StunRequest, "via" | "response">; readonly responds: boolean };

/** What it gets, one for each order. */
export type Report =
  | {
      readonly profile: NatProfile;
      readonly reflexive: readonly Address[];
      readonly answered: boolean;
      readonly ms: number;
    }
  | { readonly event: StunClientEvent };

const random = (size: number): Uint8Array => new Uint8Array(randomBytes(size));
const pool = new BufferPool();
const now = (): Instant => performance.now() as Instant;

/** Moves datagrams between one machine and its sockets. */
class Pump<Event> {
  readonly #machine: Machine<Event>;
  readonly #onEvent: (event: Event) => void;
  readonly #sockets = new Map<SocketId, Socket>();
  #serial = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(machine: Machine<Event>, onEvent: (event: Event) => void) {
    this.#machine = machine;
    this.#onEvent = onEvent;
  }

  async open(family: 4 | 6): Promise<{ readonly via: SocketId; readonly localPort: number }> {
    const socket = createSocket(family === 4 ? { type: "udp4" } : { type: "udp6", ipv6Only: true });
    const via = this.#serial;
    this.#serial += 1;
    socket.on("message", (payload, { address: host, port }) => {
      const from: Address = { host, port, family };
      this.#machine.receive({ via, from, payload, segmentSize: payload.length }, now());
      this.pump();
    });
    socket.on("error", () => {});
    socket.bind(0);
    await once(socket, "listening");
    this.#sockets.set(via, socket);
    return { via, localPort: socket.address().port };
  }

  close(via: SocketId): void {
    this.#sockets.get(via)?.close();
    this.#sockets.delete(via);
  }

  end(): void {
    clearTimeout(this.#timer);
    for (const via of [...this.#sockets.keys()]) this.close(via);
  }

  pump(): void {
    for (let next = this.#machine.pollTransmit(now()); next !== undefined; next = this.#machine.pollTransmit(now())) {
      // The kernel may take the bytes later; the pool gets no buffers back here.
      this.#sockets.get(next.via)?.send(next.payload, next.to.port, next.to.host, () => {});
    }
    for (let event = this.#machine.pollEvent(); event !== undefined; event = this.#machine.pollEvent()) {
      this.#onEvent(event);
    }
    clearTimeout(this.#timer);
    const at = this.#machine.nextTimeout();
    if (at === undefined) return;
    this.#timer = setTimeout(() => {
      this.#machine.handleTimeout(Math.max(at, now()) as Instant);
      this.pump();
    }, at - now());
  }
}

async function discover(family: 4 | 6, servers: readonly DiscoveryServer[]): Promise<Report> {
  let finish: () => void = () => {};
  const finished = new Promise<void>((resolve) => {
    finish = resolve;
  });
  let machine: Discovery | undefined;
  // The main socket comes first, so the machine is made behind the pump.
  const proxy: Machine<DiscoveryEvent> = {
    receive: (datagram, at) => machine?.receive(datagram, at),
    handleTimeout: (at) => machine?.handleTimeout(at),
    pollTransmit: (at) => machine?.pollTransmit(at),
    pollEvent: () => machine?.pollEvent(),
    nextTimeout: () => machine?.nextTimeout(),
  };
  const pump = new Pump<DiscoveryEvent>(proxy, (event) => {
    if (event.type === "finished") finish();
    else if (event.type === "socket-unwanted") pump.close(event.via);
    else if (event.type === "socket-wanted") {
      void pump.open(family).then((socket) => {
        machine?.onSocket(event.request, socket, now());
        pump.pump();
      });
    }
  });
  const { via, localPort } = await pump.open(family);
  machine = new Discovery({ family, via, localPort, random, pool });
  const startedAt = now();
  for (const server of servers) machine.addServer(server, now());
  pump.pump();
  await finished;
  pump.end();
  const { profile, reflexive, answered } = machine;
  return { profile, reflexive, answered: answered === true, ms: now() - startedAt };
}

async function ask(request: Omit<StunRequest, "via" | "response">, responds: boolean): Promise<Report> {
  const client = new StunClient({ random, pool });
  let tell: (event: StunClientEvent) => void = () => {};
  const told = new Promise<StunClientEvent>((resolve) => {
    tell = resolve;
  });
  const pump = new Pump(client, (event) => tell(event));
  const { family } = request.server;
  const [asking, other] = [await pump.open(family), await pump.open(family)];
  const response = responds ? { response: { port: other.localPort, via: other.via } } : {};
  client.request({ ...request, ...response, via: asking.via }, now());
  pump.pump();
  const event = await told;
  pump.end();
  return { event };
}

for await (const line of createInterface({ input: process.stdin })) {
  const order: Order = JSON.parse(line);
  const report =
    order.order === "discover" ? await discover(order.family, order.servers) : await ask(order.request, order.responds);
  process.stdout.write(`${JSON.stringify(report)}\n`);
}
