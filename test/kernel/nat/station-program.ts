/**
 * Runs on a host of the laboratory: opens UDP sockets there on behalf of the test that started it.
 *
 * Orders come as lines of JSON on standard input, what happens goes out the same way; see {@link Order} and {@link Report}.
 *
 * @module
 */
import { createSocket, type Socket } from "node:dgram";
import { createInterface } from "node:readline";

/** Where a datagram comes from or goes to. */
export interface HostPort {
  readonly host: string;
  readonly port: number;
}

/** What the test may ask for. Sockets have numbers, which the test gives them. */
export type Order =
  | { readonly order: "open"; readonly socket: number; readonly host: string; readonly port: number }
  /** Only datagrams from this address come in from then on, and ICMP errors are reported. */
  | { readonly order: "connect"; readonly socket: number; readonly to: HostPort }
  | {
      readonly order: "send";
      readonly socket: number;
      readonly to: HostPort | undefined;
      readonly text: string;
      readonly ttl: number | undefined;
    }
  | { readonly order: "close"; readonly socket: number }
  /** From now on this many datagrams a second in the mean, each from a socket of its own, at random moments. */
  | { readonly order: "flows"; readonly perSecond: number; readonly to: HostPort };

/** What the program says. */
export type Report =
  | { readonly report: "ready" }
  | { readonly report: "open"; readonly socket: number; readonly address: HostPort }
  | { readonly report: "datagram"; readonly socket: number; readonly from: HostPort; readonly text: string }
  | { readonly report: "error"; readonly socket: number; readonly code: string };

const DEFAULT_TTL = 64;

interface Entry {
  readonly socket: Socket;
  /** The datagrams to send wait for each other, so that none goes out with the TTL of another. */
  sending: Promise<void>;
}

const entries = new Map<number, Entry>();
let flowTimer: NodeJS.Timeout | undefined;

function say(report: Report): void {
  process.stdout.write(`${JSON.stringify(report)}\n`);
}

function obey(order: Order): void {
  switch (order.order) {
    case "open":
      open(order);
      return;
    case "connect":
      entries.get(order.socket)?.socket.connect(order.to.port, order.to.host);
      return;
    case "send": {
      const entry = entries.get(order.socket);
      if (entry !== undefined) entry.sending = entry.sending.then(() => send(entry.socket, order));
      return;
    }
    case "close":
      void entries.get(order.socket)?.sending.then(() => entries.get(order.socket)?.socket.close());
      return;
    case "flows":
      clearTimeout(flowTimer);
      scheduleFlow(order);
      return;
  }
}

function open({ socket: number, host, port }: Extract<Order, { order: "open" }>): void {
  const socket = createSocket(host.includes(":") ? "udp6" : "udp4");
  const fail = (error: NodeJS.ErrnoException): void =>
    say({ report: "error", socket: number, code: error.code ?? error.message });
  socket.on("error", fail);
  socket.on("message", (message, { address, port }) =>
    say({ report: "datagram", socket: number, from: { host: address, port }, text: message.toString() }),
  );
  socket.on("close", () => entries.delete(number));
  entries.set(number, { socket, sending: Promise.resolve() });
  socket.bind(port, host, () => {
    const { address, port: bound } = socket.address();
    say({ report: "open", socket: number, address: { host: address, port: bound } });
  });
}

function send(socket: Socket, { to, text, ttl }: Extract<Order, { order: "send" }>): Promise<void> {
  return new Promise((resolve) => {
    if (ttl !== undefined) socket.setTTL(ttl);
    const done = (): void => {
      if (ttl !== undefined) socket.setTTL(DEFAULT_TTL);
      resolve();
    };
    if (to === undefined) socket.send(text, done);
    else socket.send(text, to.port, to.host, done);
  });
}

/** The next flow of a Poisson process. */
function scheduleFlow(order: Extract<Order, { order: "flows" }>): void {
  if (order.perSecond <= 0) return;
  const pause = (-Math.log(1 - Math.random()) / order.perSecond) * 1000;
  flowTimer = setTimeout(() => {
    const socket = createSocket("udp4");
    socket.send("foreign", order.to.port, order.to.host, () => socket.close());
    scheduleFlow(order);
  }, pause);
}

const lines = createInterface({ input: process.stdin });
lines.on("line", (line) => obey(JSON.parse(line)));
// The test is over, or was killed.
lines.on("close", () => process.exit());
say({ report: "ready" });
