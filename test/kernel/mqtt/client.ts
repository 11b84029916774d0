/**
 * The least of MQTT 3.1.1 that a channel between two peers needs: connect, subscribe, publish with quality 0.
 *
 * Messages may be lost, and everybody who has subscribed to the topic gets them, the sender too.
 *
 * @module
 */
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import type { Signalling } from "../../../src/signal/carrier.ts";

/** Where a broker is, and the topic that the peers share. */
export interface MqttOptions {
  readonly host: string;
  readonly port: number;
  readonly topic: string;
  /** Each client of a broker needs another one. */
  readonly clientId: string;
}

// Specification: the first byte of each packet (MQTT 3.1.1 §2.2), with the flags that it demands.

const CONNECT = 0x10;
const CONNACK = 0x20;
const PUBLISH = 0x30;
const SUBSCRIBE = 0x82;
const SUBACK = 0x90;
const DISCONNECT = 0xe0;

/** MQTT 3.1.1 §3.1.2: name and level of the protocol, a clean session, no keepalive. */
const CONNECT_HEADER = Buffer.from([...field("MQTT"), 4, 0x02, 0, 0]);

/** A topic of a broker as a channel between peers. */
export class MqttChannel implements Signalling {
  readonly #socket: Socket;
  readonly #topic: Buffer;
  #received = Buffer.alloc(0);
  #onPacket: (type: number, body: Buffer) => void = () => {};
  #receive: (envelope: Uint8Array) => void = () => {};

  /** Connects and subscribes. */
  static async open({ host, port, topic, clientId }: MqttOptions): Promise<MqttChannel> {
    const socket = connect(port, host);
    await once(socket, "connect");
    const channel = new MqttChannel(socket, topic);
    const accepted = await channel.#ask(CONNECT, Buffer.concat([CONNECT_HEADER, field(clientId)]), CONNACK);
    const subscribed = await channel.#ask(
      SUBSCRIBE,
      Buffer.concat([Buffer.of(0, 1), field(topic), Buffer.of(0)]),
      SUBACK,
    );
    if (accepted[1] !== 0 || subscribed[2] !== 0) throw new Error("the broker has refused us");
    return channel;
  }

  private constructor(socket: Socket, topic: string) {
    this.#socket = socket;
    this.#topic = field(topic);
    socket.on("data", (data: Buffer) => this.#onData(data));
    // A broker that is gone is a channel that loses everything.
    socket.on("error", () => {});
  }

  send(envelope: Uint8Array): void {
    this.#write(PUBLISH, Buffer.concat([this.#topic, envelope]));
  }

  onMessage(receive: (envelope: Uint8Array) => void): void {
    this.#receive = receive;
  }

  /** Takes leave of the broker. */
  close(): void {
    this.#socket.end(Buffer.of(DISCONNECT, 0));
  }

  #ask(type: number, body: Buffer, answer: number): Promise<Buffer> {
    return new Promise((resolve, reject) => {
      this.#socket.once("close", () => reject(new Error("the broker has hung up")));
      this.#onPacket = (received, content) => {
        if (received === answer) resolve(content);
      };
      this.#write(type, body);
    });
  }

  /** MQTT 3.1.1 §2.2.3: the length has seven bits a byte, the low ones first. */
  #write(type: number, body: Buffer): void {
    const length: number[] = [];
    for (let rest = body.length; rest > 0 || length.length === 0; rest = Math.floor(rest / 128)) {
      length.push((rest % 128) | (rest >= 128 ? 0x80 : 0));
    }
    this.#socket.write(Buffer.concat([Buffer.of(type, ...length), body]));
  }

  #onData(data: Buffer): void {
    this.#received = Buffer.concat([this.#received, data]);
    for (;;) {
      const end = this.#received.subarray(1, 5).findIndex((byte) => byte < 0x80) + 1;
      if (end === 0) return;
      const length = this.#received.subarray(1, end + 1).reduceRight((sum, byte) => sum * 128 + (byte & 0x7f), 0);
      const whole = end + 1 + length;
      if (this.#received.length < whole) return;
      const [type, body] = [this.#received[0]!, this.#received.subarray(end + 1, whole)];
      this.#received = this.#received.subarray(whole);
      if (type === PUBLISH) this.#receive(Uint8Array.from(body.subarray(2 + body.readUInt16BE(0))));
      else this.#onPacket(type, body);
    }
  }
}

/** MQTT 3.1.1 §1.5.3. */
function field(text: string): Buffer {
  const bytes = Buffer.from(text);
  return Buffer.concat([Buffer.of(bytes.length >> 8, bytes.length & 0xff), bytes]);
}
