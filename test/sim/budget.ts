/**
 * A long fat link filled by one flow, and what that takes in memory.
 *
 * @module
 */
import type { ConnectionMachine } from "../../src/connection/connection.ts";
import { World } from "../../src/testing/index.ts";
import { addHosts } from "./hosts.ts";

/** The link, and how long it is used. */
export interface FillOptions {
  readonly megabitsPerSecond: number;
  /** One way, in ms. */
  readonly delay: number;
  readonly queuePackets: number;
  /** Virtual seconds from the call. */
  readonly seconds: number;
}

/** What came of it: rates in Mbit/s of payload, sizes in bytes. */
export interface Filled {
  /** Over the last second. */
  readonly finalRate: number;
  /** Over the time from the first byte. */
  readonly meanRate: number;
  /** Greatest amount that waited at the receiver, unread, and at the sender, unacknowledged or unsent. */
  readonly receiveBuffered: number;
  readonly sendBuffered: number;
}

/** Time between two looks at the buffers, in ms. */
const INTERVAL = 100;

/** Lets the dialer send as much as it can to a listener that reads at once. */
export function fill(options: FillOptions): Filled {
  const { megabitsPerSecond, delay, queuePackets, seconds } = options;
  const world = new World({ seed: 1 });
  let receiver: ConnectionMachine | undefined;
  let received = 0;
  let firstAt: number | undefined;
  const hosts = addHosts(world, {
    link: { bitsPerSecond: megabitsPerSecond * 1e6, delay, queue: { packets: queuePackets } },
    onEvent: (side, event) => {
      if (event.type === "incoming") receiver = event.connection;
      if (event.type !== "connection") return;
      const { connection, event: inner } = event;
      if (side === "dialer" && inner.type === "writable") feed(connection, inner.id);
      if (side === "dialer" || inner.type !== "readable") return;
      firstAt ??= world.now;
      for (let piece = connection.read(inner.id); piece !== undefined; piece = connection.read(inner.id)) {
        received += piece.length;
      }
    },
  });
  const sender = hosts.dial();
  world.run({ until: () => sender.state === "open", for: 10_000 });
  feed(sender, 0);
  world.wake(hosts.dialer);
  let receiveBuffered = 0;
  let sendBuffered = 0;
  let beforeLastSecond = 0;
  while (world.now < seconds * 1_000) {
    if (world.now < (seconds - 1) * 1_000) beforeLastSecond = received;
    world.run({ for: INTERVAL });
    receiveBuffered = Math.max(receiveBuffered, receiver?.stats().receiveBuffered ?? 0);
    sendBuffered = Math.max(sendBuffered, sender.stats().sendBuffered);
  }
  return {
    finalRate: ((received - beforeLastSecond) * 8) / 1e6,
    meanRate: (received * 8) / 1_000 / (world.now - (firstAt ?? world.now)),
    receiveBuffered,
    sendBuffered,
  };
}

function feed(connection: ConnectionMachine, id: number): void {
  const chunk = new Uint8Array(65_536);
  while (connection.write(id, chunk));
}

if (process.argv[1]?.endsWith("budget.ts")) {
  console.log(JSON.stringify(fill({ megabitsPerSecond: 1_000, delay: 150, queuePackets: 6_000, seconds: 10 })));
}
