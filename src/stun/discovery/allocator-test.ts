/**
 * Opens sockets one after another and sees which ports they get.
 *
 * Theory of operation. A row of a few sockets tells most allocators apart. If their ports are close together, a longer row
 * shows whether they come from a block; if they count, a slower row shows how fast others make them count. Every
 * mapping that others happen to learn of is one more sample.
 *
 * @module
 */
import type { SocketId } from "../../util/machine.ts";
import { after, type Duration, type Instant } from "../../util/time.ts";
import type { StunClientEvent } from "../client.ts";
import { type AllocatorVerdict, allocatorOf, BLOCK_SAMPLES, type PortSample } from "./allocator.ts";
import { type DiscoveryContext, type DiscoveryTest, type FreshSocket, type KnownServer, timingFor } from "./context.ts";

// Implementation

/** Sockets of the first row: with the main one six samples. */
const FIRST_ROW = 5;

/** Pause between two sockets, in ms: ports are asked for in order even if the way to the NAT jitters a little. */
// Deviates from RFC 5780 §5: 50 transactions a second instead of 10, for a tenth of a second, since people wait for it.
const SAMPLE_INTERVAL: Duration = 20;

/** Sockets that measure how many ports others take, and the pause between them, in ms: about a second in all. */
const RATE_ROW = 3;
const RATE_INTERVAL: Duration = 300;

/** A mapping that somebody learned of, and by which socket. */
interface Sample extends PortSample {
  readonly via: SocketId;
  /** Requests are numbered in the order of asking. */
  readonly request: number;
}

/** A fresh socket and its outer address. */
export interface MappedSocket extends FreshSocket {
  readonly mapped: PortSample["mapped"];
}

/** See the module. */
export class AllocatorTest implements DiscoveryTest {
  readonly #context: DiscoveryContext;
  readonly #server: KnownServer;
  /** In the order of asking. */
  readonly #samples: Sample[] = [];
  /** By socket. */
  readonly #ports = new Map<SocketId, number>();
  readonly #mapped: MappedSocket[] = [];
  #phase: "first" | "rate" | "block" = "first";
  /** Sockets of the row that are still to be opened, and when the next one is. */
  #remaining = FIRST_ROW;
  #nextAt: Instant;
  #pending = 0;
  #isFinished = false;

  constructor(context: DiscoveryContext, server: KnownServer, now: Instant) {
    this.#context = context;
    this.#server = server;
    this.#nextAt = now;
  }

  /** Input: part of {@link DiscoveryTest}. */
  onSocket(socket: FreshSocket | undefined, now: Instant): void {
    const { address: server, rtt } = this.#server;
    if (socket !== undefined) {
      this.#ports.set(socket.via, socket.localPort);
      if (this.#context.ask({ via: socket.via, server, timing: timingFor(rtt) }, this)) return;
    }
    // The next one would be refused too.
    this.#remaining = 0;
    this.#pending -= 1;
    this.#conclude(now);
  }

  /** Input: part of {@link DiscoveryTest}. */
  onOutcome(event: StunClientEvent, now: Instant): void {
    this.#pending -= 1;
    const localPort = this.#ports.get(event.via);
    if (event.type === "answered" && localPort !== undefined) {
      this.learn(event, localPort);
      this.#mapped.push({ via: event.via, localPort, mapped: event.mapped });
    }
    this.#conclude(now);
  }

  /** Input: an answer to anybody's request by a socket with this port; a mapping that is known already tells nothing. */
  learn(event: StunClientEvent & { readonly type: "answered" }, localPort: number): void {
    const { via, request, mapped, askedAt, rtt } = event;
    if (this.#samples.some((each) => each.mapped.port === mapped.port && each.mapped.host === mapped.host)) return;
    const isFirst = !this.#samples.some((each) => each.via === via);
    this.#samples.push({ via, request, localPort, mapped, askedAt, isFirst, isPunctual: rtt !== undefined });
    // Answers may overtake each other.
    this.#samples.sort((a, b) => a.askedAt - b.askedAt || a.request - b.request);
  }

  /** Command: gives up all fresh sockets. */
  close(): void {
    for (const via of this.#ports.keys()) this.#context.closeSocket(via);
    this.#ports.clear();
  }

  /** Input: time has passed. */
  handleTimeout(now: Instant): void {
    if (this.#remaining > 0 && now >= this.#nextAt) {
      this.#remaining -= 1;
      this.#pending += 1;
      this.#nextAt = after(now, this.#phase === "rate" ? RATE_INTERVAL : SAMPLE_INTERVAL);
      this.#context.openSocket(this);
    }
    this.#conclude(now);
  }

  /** Output: when {@link handleTimeout} has something to do. */
  nextTimeout(): Instant | undefined {
    return this.#remaining > 0 ? this.#nextAt : undefined;
  }

  /** What is known so far. */
  get verdict(): AllocatorVerdict {
    return allocatorOf(this.#samples);
  }

  /** The fresh sockets that were answered so far. */
  get mappedSockets(): readonly MappedSocket[] {
    return this.#mapped;
  }

  /** Whether no more samples are taken. */
  get isFinished(): boolean {
    return this.#isFinished;
  }

  /** After the last answer of a row: begins another one, or ends. */
  #conclude(now: Instant): void {
    if (this.#remaining > 0 || this.#pending > 0 || this.#isFinished) return;
    const { open } = this.verdict;
    if (this.#phase !== "first" || open === "nothing") {
      this.#isFinished = true;
      return;
    }
    this.#phase = open;
    this.#remaining = open === "rate" ? RATE_ROW : Math.max(BLOCK_SAMPLES - this.#samples.length, 0);
    this.#nextAt = after(now, open === "rate" ? RATE_INTERVAL : SAMPLE_INTERVAL);
  }
}
