/**
 * Asks all servers from the transport's own socket, and their other addresses as soon as they name them (RFC 5780 §4.3).
 *
 * A server may name any address as its other one. What it names gets two requests at most, and only if it is reached
 * from as far as the server itself: nobody outside can have us write to hosts of our own network.
 *
 * @module
 */
import { type Address, type SocketId, sameAddress } from "../../util/machine.ts";
import type { Duration, Instant } from "../../util/time.ts";
import { addressScope } from "../../wire/address-scope.ts";
import type { NatBehavior } from "../../wire/nat-profile.ts";
import type { StunClientEvent } from "../client.ts";
import { type DiscoveryContext, type DiscoveryTest, FIRST_CONTACT, timingFor } from "./context.ts";
import { mappingOf, type Observation } from "./mapping.ts";

// Implementation

/** Addresses that are asked by the main socket: eight servers, and the other places of one. */
const MAX_TARGETS = 10;

/** See the module. */
export class MappingTest implements DiscoveryTest {
  readonly #context: DiscoveryContext;
  readonly #via: SocketId;
  readonly #targets: Address[] = [];
  readonly #observations: Observation[] = [];
  #pending = 0;
  #hasExpanded = false;
  #hasAnswer = false;

  constructor(context: DiscoveryContext, via: SocketId) {
    this.#context = context;
    this.#via = via;
  }

  /** Command: asks a server. `other` is its other address, if that is known beforehand. */
  ask(server: Address, other: Address | undefined): void {
    this.#ask(server, undefined);
    if (other !== undefined) this.#expand(server, other, undefined);
  }

  /** Input: part of {@link DiscoveryTest}. */
  onOutcome(event: StunClientEvent, _now: Instant): void {
    this.#pending -= 1;
    if (event.type !== "timed-out") this.#hasAnswer = true;
    if (event.type !== "answered" || event.mapped.family !== event.server.family) return;
    const { server, mapped, other, rtt } = event;
    this.#observations.push({ server, mapped });
    if (other !== undefined && isOtherAddress(server, other)) this.#expand(server, other, rtt);
  }

  /** Input: part of {@link DiscoveryTest}; this test asks for none. */
  onSocket(): void {}

  /** What is known so far. */
  get verdict(): NatBehavior | undefined {
    return mappingOf(this.#observations, this.isFinished);
  }

  /** How servers see the socket, in the order of their answers. */
  get observations(): readonly Observation[] {
    return this.#observations;
  }

  /** Whether any server has said anything. */
  get hasAnswer(): boolean {
    return this.#hasAnswer;
  }

  /** Whether all that were asked have answered or never will. */
  get isFinished(): boolean {
    return this.#pending === 0;
  }

  /** RFC 5780 §4.3: the other host at the same port, and at the other port. One server's places tell all that there is. */
  #expand(server: Address, other: Address, rtt: Duration | undefined): void {
    if (this.#hasExpanded) return;
    if (server.host !== other.host) {
      this.#hasExpanded = true;
      this.#ask({ ...other, port: server.port }, rtt);
    }
    this.#ask(other, rtt);
  }

  #ask(server: Address, rtt: Duration | undefined): void {
    if (this.#targets.length >= MAX_TARGETS || this.#targets.some((each) => sameAddress(each, server))) return;
    const timing = rtt === undefined ? FIRST_CONTACT : timingFor(rtt);
    if (!this.#context.ask({ via: this.#via, server, timing }, this)) return;
    this.#targets.push(server);
    this.#pending += 1;
  }
}

/** Whether a server may have this other address; see the module. */
export function isOtherAddress(server: Address, other: Address): boolean {
  return (
    other.family === server.family &&
    (other.host === server.host || addressScope(other.host) === addressScope(server.host)) &&
    addressScope(other.host) !== "none"
  );
}
