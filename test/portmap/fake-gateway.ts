/**
 * A gateway in memory that speaks PCP and NAT-PMP, written from the RFCs byte by byte and not with our own codecs.
 *
 * @module
 */
import type { Instant } from "../../src/util/time.ts";

/** How the gateway behaves. */
export interface GatewayOptions {
  readonly speaks?: readonly ("pcp" | "nat-pmp")[];
  readonly externalHost?: string;
  /** Seconds granted at most. */
  readonly lifetime?: number;
  /** Both protocols share one mapping for an internal port, as some gateways do. */
  readonly shares?: boolean;
  /** A result other than 0 for every request to map. */
  readonly refuses?: number;
  /** External ports are the gateway's own choice. */
  readonly choosesPorts?: boolean;
}

/** A mapping as the gateway has it. */
export interface GatewayMapping {
  readonly by: "pcp" | "nat-pmp";
  readonly internalPort: number;
  readonly externalPort: number;
  readonly expiresAt: number;
}

/** See the module. Times are in ms on the clock of the test. */
export class FakeGateway {
  options: GatewayOptions;
  /** When its count of seconds began. */
  bornAt = -1_000_000;
  mappings: GatewayMapping[] = [];
  /** Every request, by its first bytes. */
  readonly requests: { readonly at: number; readonly bytes: Uint8Array }[] = [];
  #nextPort = 40_000;

  constructor(options: GatewayOptions = {}) {
    this.options = options;
  }

  /** Forgets everything, as a restart does. */
  restart(now: Instant): void {
    this.bornAt = now;
    this.mappings = [];
  }

  /** The answer to a request, `undefined` for silence. */
  answer(bytes: Uint8Array, now: Instant): Uint8Array | undefined {
    this.requests.push({ at: now, bytes: Uint8Array.from(bytes) });
    this.mappings = this.mappings.filter((each) => each.expiresAt > now);
    const speaks = this.options.speaks ?? ["pcp", "nat-pmp"];
    if (bytes[0] === 0) return speaks.includes("nat-pmp") ? this.#answerPmp(bytes, now) : undefined;
    if (speaks.includes("pcp")) return this.#answerPcp(bytes, now);
    return speaks.includes("nat-pmp") ? this.#head(8, now, (view) => view.setUint16(2, 1)) : undefined;
  }

  /** An unasked ANNOUNCE, as a server sends after a restart. */
  announce(now: Instant): Uint8Array {
    return this.#pcpHead(24, now, { opcode: 0, result: 0, lifetime: 0 });
  }

  #answerPmp(bytes: Uint8Array, now: Instant): Uint8Array | undefined {
    const request = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    const refuses = this.options.refuses ?? 0;
    if (bytes[1] === 0 && bytes.length === 2) {
      const answer = this.#head(12, now, (view) => view.setUint8(1, 128));
      answer.set(this.#host, 8);
      return answer;
    }
    if (bytes[1] !== 1 || bytes.length !== 12) return undefined;
    const [internalPort, wanted, seconds] = [request.getUint16(4), request.getUint16(6), request.getUint32(8)];
    const made = refuses === 0 ? this.#map("nat-pmp", { internalPort, wanted, seconds }, now) : { port: 0, granted: 0 };
    return this.#head(16, now, (view) => {
      view.setUint8(1, 129);
      view.setUint16(2, refuses);
      view.setUint16(8, internalPort);
      view.setUint16(10, made.port);
      view.setUint32(12, made.granted);
    });
  }

  #answerPcp(bytes: Uint8Array, now: Instant): Uint8Array | undefined {
    const request = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    const opcode = bytes[1]!;
    const result = this.options.refuses ?? 0;
    if (opcode === 0) return this.#pcpHead(24, now, { opcode, result: 0, lifetime: 0 });
    if (opcode !== 1 || bytes.length !== 60) return undefined;
    const wish = { internalPort: request.getUint16(40), wanted: request.getUint16(42), seconds: request.getUint32(4) };
    const made = result === 0 ? this.#map("pcp", wish, now) : { port: wish.wanted, granted: 30 };
    const answer = this.#pcpHead(60, now, { opcode, result, lifetime: made.granted });
    answer.set(bytes.subarray(24, 60), 24);
    const view = new DataView(answer.buffer);
    view.setUint16(42, made.port);
    answer.fill(0, 44, 60).fill(0xff, 54, 56).set(this.#host, 56);
    return answer;
  }

  #map(
    by: "pcp" | "nat-pmp",
    { internalPort, wanted, seconds }: { internalPort: number; wanted: number; seconds: number },
    now: Instant,
  ): { port: number; granted: number } {
    const isOurs = (each: GatewayMapping): boolean =>
      each.internalPort === internalPort && (this.options.shares === true || each.by === by);
    const known = this.mappings.find(isOurs);
    this.mappings = this.mappings.filter((each) => !isOurs(each));
    if (seconds === 0) return { port: 0, granted: 0 };
    const granted = Math.min(seconds, this.options.lifetime ?? 7200);
    const free = this.options.choosesPorts || this.mappings.some((each) => each.externalPort === wanted);
    const port = known?.externalPort ?? (free ? this.#nextPort++ : wanted);
    this.mappings.push({ by, internalPort, externalPort: port, expiresAt: now + granted * 1000 });
    return { port, granted };
  }

  #head(size: number, now: Instant, fill: (view: DataView) => void): Uint8Array {
    const answer = new Uint8Array(size);
    const view = new DataView(answer.buffer);
    view.setUint32(4, this.#seconds(now));
    fill(view);
    return answer;
  }

  #pcpHead(
    size: number,
    now: Instant,
    { opcode, result, lifetime }: { opcode: number; result: number; lifetime: number },
  ): Uint8Array {
    const answer = new Uint8Array(size);
    const view = new DataView(answer.buffer);
    view.setUint8(0, 2);
    view.setUint8(1, 0x80 | opcode);
    view.setUint8(3, result);
    view.setUint32(4, lifetime);
    view.setUint32(8, this.#seconds(now));
    return answer;
  }

  #seconds(now: Instant): number {
    return Math.floor((now - this.bornAt) / 1000);
  }

  get #host(): number[] {
    return (this.options.externalHost ?? "5.6.7.8").split(".").map(Number);
  }
}
