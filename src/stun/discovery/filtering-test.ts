/**
 * Whose packets a NAT lets in: asks for answers from elsewhere, by a socket that has written to one address only
 * (RFC 5780 §4.4).
 *
 * Theory of operation. Three requests go to the same address at the same time: a plain one, which proves that there is
 * a way at all, one for an answer from another port of the server, and one for an answer from another host and port. None
 * of them opens a hole that another would pass by. An answer from another host shows that the filter looks at
 * nothing; one from another port only, that it looks at the host; none, when the plain one was answered, that it looks at
 * both. Silence has to be waited for.
 *
 * @module
 */
import type { Address, SocketId } from "../../util/machine.ts";
import type { Instant } from "../../util/time.ts";
import type { NatBehavior } from "../../wire/nat-profile.ts";
import type { StunClientEvent, StunRequest } from "../client.ts";
import { type DiscoveryContext, type DiscoveryTest, type FreshSocket, type KnownServer, timingFor } from "./context.ts";

type Question = "plain" | "port" | "both";

/** Asks one question, so that its answer can be told from the others'. */
class Asked implements DiscoveryTest {
  readonly #done: (event: StunClientEvent, now: Instant) => void;

  constructor(done: (event: StunClientEvent, now: Instant) => void) {
    this.#done = done;
  }

  onOutcome(event: StunClientEvent, now: Instant): void {
    this.#done(event, now);
  }

  onSocket(): void {}
}

/** See the module. */
export class FilteringTest implements DiscoveryTest {
  readonly #context: DiscoveryContext;
  readonly #server: KnownServer;
  readonly #other: Address;
  readonly #onPlainAnswer: (event: StunClientEvent, socket: FreshSocket) => void;
  readonly #outcomes = new Map<Question, StunClientEvent["type"]>();
  #via: SocketId | undefined;
  #isFinished = false;

  /** Asks `server`, whose other address differs in host and port. The plain answer is of use to others too. */
  constructor(options: {
    readonly context: DiscoveryContext;
    readonly server: KnownServer;
    readonly other: Address;
    readonly onPlainAnswer: (event: StunClientEvent, socket: FreshSocket) => void;
  }) {
    this.#context = options.context;
    this.#server = options.server;
    this.#other = options.other;
    this.#onPlainAnswer = options.onPlainAnswer;
    this.#context.openSocket(this);
  }

  /** Input: part of {@link DiscoveryTest}; the questions hear for themselves. */
  onOutcome(): void {}

  /** Input: part of {@link DiscoveryTest}. */
  onSocket(socket: FreshSocket | undefined): void {
    if (socket === undefined) {
      this.#isFinished = true;
      return;
    }
    this.#via = socket.via;
    const { host, port, family } = this.#other;
    this.#ask("plain", socket, undefined);
    this.#ask("port", socket, { address: false, port: true, from: { ...this.#server.address, port } });
    this.#ask("both", socket, { address: true, port: true, from: { host, port, family } });
  }

  /** What is known so far. */
  get verdict(): NatBehavior | undefined {
    const [plain, port, both] = (["plain", "port", "both"] as const).map((each) => this.#outcomes.get(each));
    if (both === "answered") return "endpoint-independent";
    if (both !== "timed-out") return undefined;
    if (port === "answered") return "address-dependent";
    return port === "timed-out" && plain === "answered" ? "address-and-port-dependent" : undefined;
  }

  /** Whether nothing more will become known. */
  get isFinished(): boolean {
    return this.#isFinished;
  }

  #ask(question: Question, socket: FreshSocket, change: StunRequest["change"]): void {
    const { address: server, rtt } = this.#server;
    const request = { via: socket.via, server, timing: timingFor(rtt) };
    const asked = new Asked((event) => {
      this.#outcomes.set(question, event.type);
      if (question === "plain") this.#onPlainAnswer(event, socket);
      this.#conclude();
    });
    if (!this.#context.ask(change === undefined ? request : { ...request, change }, asked)) {
      this.#outcomes.set(question, "refused");
      this.#conclude();
    }
  }

  #conclude(): void {
    const isKnown = this.verdict !== undefined && this.#outcomes.has("plain");
    if (this.#isFinished || !(isKnown || this.#outcomes.size === 3)) return;
    this.#isFinished = true;
    if (this.#via !== undefined) this.#context.closeSocket(this.#via);
  }
}
