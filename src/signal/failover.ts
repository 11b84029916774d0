/**
 * Which of several servers is asked, and when (RDV-25).
 *
 * Sessions with all servers are opened side by side. The first that is ready is asked at once, the others a little later,
 * or at once when an earlier one has failed: a server that is slow or has lost the listener costs a quarter of a second,
 * and one that works is not helped by the others.
 *
 * @module
 */
import { after, type Duration, type Instant } from "../util/time.ts";

// Specification

/** Head start of the first server, in ms. */
const HEAD_START: Duration = 250;

/** What is known of one server. */
type State = "connecting" | "ready" | "asked" | "failed";

/** The order of one call; servers are named by their index. */
export class Failover {
  readonly #states: State[];
  readonly #questions: number[] = [];
  #firstAskedAt: Instant | undefined;
  #isAnswered = false;

  /** `count` servers, all of which are being connected to. */
  constructor(count: number) {
    this.#states = new Array<State>(count).fill("connecting");
  }

  /** Input: the session with a server is ready. */
  onReady(server: number, now: Instant): void {
    if (this.#states[server] !== "connecting") return;
    this.#states[server] = "ready";
    this.#askIfDue(now);
  }

  /** Input: a server can't be reached, or has said that the call failed. */
  onFailed(server: number, now: Instant): void {
    const wasAsked = this.#states[server] === "asked";
    this.#states[server] = "failed";
    // The head start was for a server that works.
    if (wasAsked) this.#askAll(now);
  }

  /** Input: the listener has answered by way of some server; nobody else is asked. */
  onAnswered(): void {
    this.#isAnswered = true;
    this.#questions.length = 0;
  }

  /** Input: time has passed. */
  handleTimeout(now: Instant): void {
    this.#askIfDue(now);
  }

  /** Output: the next server to ask; call until `undefined`. */
  pollServer(): number | undefined {
    return this.#questions.shift();
  }

  /** Output: when to call {@link handleTimeout}. */
  nextTimeout(): Instant | undefined {
    if (this.#isAnswered || this.#firstAskedAt === undefined || !this.#states.includes("ready")) return undefined;
    return after(this.#firstAskedAt, HEAD_START);
  }

  /** Whether all servers have failed. */
  get isExhausted(): boolean {
    return this.#states.every((state) => state === "failed");
  }

  #askIfDue(now: Instant): void {
    const first = this.#firstAskedAt;
    if (first !== undefined && now < after(first, HEAD_START) && this.#states.includes("asked")) return;
    if (first !== undefined) this.#askAll(now);
    else this.#ask(this.#states.indexOf("ready"), now);
  }

  #askAll(now: Instant): void {
    for (const [server, state] of this.#states.entries()) if (state === "ready") this.#ask(server, now);
  }

  #ask(server: number, now: Instant): void {
    if (server === -1 || this.#isAnswered) return;
    this.#states[server] = "asked";
    this.#firstAskedAt ??= now;
    this.#questions.push(server);
  }
}
