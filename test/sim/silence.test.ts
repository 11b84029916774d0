/**
 * Receivers that wait: which silences they break, and which they leave alone.
 *
 * @module
 */
import { describe, expect, test } from "vitest";
import type { ConnectionMachine } from "../../src/connection/connection.ts";
import { type LinkOptions, World } from "../../src/testing/index.ts";
import { addHosts, type Hosts } from "./hosts.ts";

const LINK: LinkOptions = { bitsPerSecond: 20e6, queue: { packets: 200 }, delay: 20 };

/** A dialer that reads what the listener writes on stream 0. */
class Download {
  readonly world = new World({ seed: 3 });
  readonly hosts: Hosts;
  readonly receiver: ConnectionMachine;
  received = 0;
  #sender: ConnectionMachine | undefined;

  constructor() {
    const { world } = this;
    this.hosts = addHosts(world, {
      link: LINK,
      onEvent: (side, event) => {
        if (event.type === "incoming") this.#sender = event.connection;
        if (side !== "dialer" || event.type !== "connection" || event.event.type !== "readable") return;
        const { id } = event.event;
        for (let piece = this.receiver.read(id); piece !== undefined; piece = this.receiver.read(id)) {
          this.received += piece.length;
        }
      },
    });
    this.receiver = this.hosts.dial();
    world.run({ until: () => this.#sender?.state === "open", for: 10_000 });
    world.run({ for: 1_000 });
  }

  get sender(): ConnectionMachine {
    return this.#sender!;
  }

  send(bytes: number): void {
    this.sender.write(0, new Uint8Array(bytes));
    this.world.wake(this.hosts.listener);
  }

  receive(bytes: number, limit: number): void {
    this.world.run({ until: () => this.received >= bytes, for: limit });
  }

  /** Datagrams that the receiver sends meanwhile. */
  sentBy(action: () => void): number {
    const { counters } = this.hosts.dialer;
    const before = counters.datagramsSent;
    action();
    return counters.datagramsSent - before;
  }
}

describe("a download whose path dies", () => {
  test("is asked about by the receiver soon, before the sender's silence is over (REC-34)", () => {
    const download = new Download();
    download.send(5_000_000);
    download.receive(2_000_000, 10_000);
    const { link } = download.hosts.listener;
    // As when a NAT has forgotten the receiver: what it sends would arrive, what it is sent does not.
    link.up.isUp = false;
    download.world.run({ for: 150 });
    const heard: number[] = [];
    link.down.filter = (packet) => {
      heard.push(packet.payload.length);
      return "pass";
    };
    download.world.run({ for: 300 });
    // A question and its repetition, or two probe timeouts of two packets; nothing else would have been said.
    expect(heard.length).toBeGreaterThanOrEqual(1);
    expect(heard.length).toBeLessThanOrEqual(4);
    expect(download.receiver.state).toBe("open");
    link.up.isUp = true;
    download.receive(5_000_000, 5_000);
  });

  test("the receiver goes on asking while nothing comes back, twice as slowly each time (REC-34, REC-14)", () => {
    const download = new Download();
    download.send(5_000_000);
    download.receive(2_000_000, 10_000);
    for (const direction of ["up", "down"] as const) download.hosts.listener.link[direction].isUp = false;
    const sent = download.sentBy(() => download.world.run({ for: 10_000 }));
    expect(sent).toBeGreaterThan(8);
    // Two probes for each timeout of 0.2, 0.4, 0.8, 1.6, 2, 2 s, and the first question.
    expect(sent).toBeLessThan(30);
    for (const direction of ["up", "down"] as const) download.hosts.listener.link[direction].isUp = true;
    download.receive(5_000_000, 10_000);
  });
});

test("when a path comes back, data follows the first packet that gets through, whichever side sent it (REC-14)", () => {
  for (let outage = 300; outage < 6_000; outage += 300) {
    const download = new Download();
    const { up, down } = download.hosts.listener.link;
    download.send(5_000_000);
    download.receive(2_000_000, 10_000);
    for (const link of [up, down]) link.isUp = false;
    download.world.run({ for: outage });
    const before = download.received;
    const heard: number[] = [];
    down.filter = () => {
      heard.push(download.world.now + down.queueDelay);
      return "pass";
    };
    for (const link of [up, down]) link.isUp = true;
    download.receive(before + 1, 3_000);
    // The way to the sender and back, and a probe timeout if one had just begun.
    expect(download.world.now - (heard[0] ?? download.world.now)).toBeLessThan(40 + 100);
  }
});

describe("a stream on which nothing happens", () => {
  const quiet = (bytes: number) => {
    const download = new Download();
    download.send(bytes);
    download.receive(bytes, 10_000);
    // Acknowledgements that were held back.
    download.world.run({ for: 100 });
    return download.sentBy(() => download.world.run({ for: 10_000 }));
  };

  test("is left alone when the last packet was not full (REC-34)", () => {
    expect(quiet(10)).toBe(0);
    expect(quiet(100_000)).toBe(0);
  });

  test("costs one question when the last packet happened to be full (REC-34)", () => {
    const download = new Download();
    // Full packets only: what is written fills the packets of a few windows.
    download.send(1_000_000);
    download.receive(900_000, 10_000);
    const { listener } = download.hosts;
    let isCut = false;
    listener.link.up.filter = (packet) => {
      if (packet.payload.length < 1_200) isCut = true;
      return isCut ? "drop" : "pass";
    };
    download.world.run({ for: 300 });
    expect(download.sentBy(() => download.world.run({ for: 100 }))).toBeLessThan(8);
  });

  test("an open stream costs nothing in ten minutes but keepalives (REC-34, CONN-17)", () => {
    const download = new Download();
    download.send(300_000);
    download.receive(300_000, 10_000);
    download.world.run({ for: 1_000 });
    const sent = download.sentBy(() => download.world.run({ for: 600_000 }));
    // Forty challenges of our own, and, if both sides fell silent at once, an answer to each of the peer's.
    expect(sent).toBeLessThanOrEqual(2 * 41);
  });
});

test("about ten packets a second of a pure download have to be acknowledged by the sender (REC-35)", () => {
  const download = new Download();
  const before = download.receiver.stats();
  const at = download.world.now;
  download.send(10_000_000);
  download.receive(10_000_000, 20_000);
  const seconds = (download.world.now - at) / 1_000;
  const { packetsSent, bytesSent } = download.receiver.stats();
  // The receiver measures the path by itself.
  expect(download.receiver.stats().rtt).toBeGreaterThan(40);
  expect(packetsSent - before.packetsSent).toBeLessThan(2_000);
  expect(bytesSent - before.bytesSent).toBeLessThan(0.02 * 10_000_000);
  expect(seconds).toBeLessThan(6);
});
