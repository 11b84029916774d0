/**
 * Finds out how large a datagram a path carries, by sending some that only ask (RFC 8899 §5, RFC 9000 §14.3).
 *
 * Theory of operation. One search serves one path. It knows a size that passes, at first the base that every path must
 * carry, and a size that does not, at first what the interface or the peer cannot take. In between it asks for one size
 * after another: the largest first, because most often the interface's own MTU is that of the path, then the middle of
 * the common ones that are left. A size is too large when three of its probes are lost; one that is lost by chance only
 * passes at the second or third attempt.
 *
 * The search has no timer. The owner polls it when there is data to send, so an idle connection sends no probes, and a
 * raise that is due on one waits until it is used again (RFC 8899 §4.3 allows that). The owner says which packet a probe
 * became and what became of the packet; a probe that left in fragments or not at all is one that was lost.
 *
 * When the path turns out to drop what it used to carry (`black-hole-detector.ts`), the search falls back to the base and
 * begins again at once, with the size that seems lost, so that a false alarm costs one probe. If that happens again
 * before long, the path contradicts itself and is left alone for a while (state `error`).
 *
 * @module
 */
import { after, type Duration, type Instant } from "../util/time.ts";
import { BASE_DATAGRAM_SIZE } from "../wire/datagram.ts";

// Specification

/** Lost probes of one size that make it too large (RFC 8899 §5.1.2). */
export const MAX_PROBES = 3;

/** How long a search's result stands before larger sizes are tried again, in ms (RFC 8899 §5.1.1). */
export const RAISE_INTERVAL: Duration = 600_000;

// Implementation

/**
 * MTUs that links have: the least of IPv6, tunnels in tunnels, mobile networks, WireGuard over IPv4 (1420) and over IPv6
 * (1400 to 1440), clouds, IPv6 in IPv4, PPPoE, Ethernet, jumbo frames, loopbacks. Gains of one percent are not worth
 * their probes, so there are no others in between.
 */
const COMMON_MTUS = [1280, 1360, 1400, 1420, 1440, 1460, 1480, 1492, 1500, 9000, 16_384, 32_768] as const;

/** The MTU of nearly all networks beyond the first router. */
const ETHERNET_MTU = 1500;

/** Pause after a second black hole, in ms; it doubles with each further one up to {@link RAISE_INTERVAL}. */
const FIRST_COOLDOWN: Duration = 60_000;

/** Doublings that are counted: more exceed {@link RAISE_INTERVAL} by far. */
const MAX_DOUBLINGS = 8;

/** What a search does, in the words of RFC 8899 §5.2; `base` is also the time before the first one. */
export type MtuSearchState =
  /** Nothing above the base is known to pass; a search begins as soon as there is use for it. */
  | { readonly name: "base" }
  | { readonly name: "searching" }
  /** Nothing larger is worth a try until then. */
  | { readonly name: "complete"; readonly until: Instant }
  /** Sizes passed and were dropped again, repeatedly: the base holds until then. */
  | { readonly name: "error"; readonly until: Instant };

const BASE: MtuSearchState = { name: "base" };
const SEARCHING: MtuSearchState = { name: "searching" };

/** The search on one path; see the module's theory of operation. Sizes are bytes of UDP payload. */
export class MtuSearch {
  /** Bytes of the headers of IP and UDP. */
  readonly #headers: number;
  #state: MtuSearchState = BASE;
  /** The largest size that is known to pass. */
  #size = BASE_DATAGRAM_SIZE;
  /** The smallest size that is taken not to pass. */
  #tooLarge = BASE_DATAGRAM_SIZE + 1;
  /** What passed before the last black hole, to be asked about first; 0 for nothing. */
  #former = 0;
  /** Whether a size has failed in this search: until then the largest is tried, afterwards the middle. */
  #hasFailed = false;
  /** The size that is asked about; meaningful while a probe is on its way or some were lost. */
  #candidate = 0;
  #lostProbes = 0;
  /** Packet number of the probe on its way, -1 for none. */
  #probeNumber = -1;
  /** Black holes that count as repetitions, and until when the next one does. */
  #repetitions = 0;
  #suspiciousUntil = 0 as Instant;

  constructor(family: 4 | 6) {
    this.#headers = headersOf(family);
  }

  // Inputs

  /** Input: the packet with this number is a probe of the size that {@link poll} gave. */
  onProbeSent(packetNumber: number): void {
    this.#probeNumber = packetNumber;
  }

  /** Input: the probe on its way has arrived. */
  onProbeAcked(now: Instant): void {
    this.#size = this.#candidate;
    this.#settleCandidate(now);
  }

  /** Input: the probe on its way is lost, or did not leave in one piece. */
  onProbeLost(now: Instant): void {
    this.#probeNumber = -1;
    this.#lostProbes += 1;
    if (this.#lostProbes < MAX_PROBES) return;
    // Deviates from RFC 8899 §5.3.1: the search goes on with smaller sizes, since it began with the largest.
    this.#tooLarge = this.#candidate;
    this.#hasFailed = true;
    this.#settleCandidate(now);
  }

  /** Input: the path drops what it used to carry. */
  onBlackHole(now: Instant): void {
    this.#former = this.#size;
    this.#size = BASE_DATAGRAM_SIZE;
    this.#probeNumber = -1;
    let until = now;
    if (now < this.#suspiciousUntil) {
      const cooldown = FIRST_COOLDOWN * 2 ** Math.min(this.#repetitions, MAX_DOUBLINGS);
      until = after(now, Math.min(cooldown, RAISE_INTERVAL));
      this.#repetitions += 1;
      this.#state = { name: "error", until };
    } else {
      this.#repetitions = 0;
      this.#state = BASE;
    }
    this.#suspiciousUntil = after(until, RAISE_INTERVAL);
  }

  // Commands

  /** Command: searches up to `bound`, the most that the interface and the peer can take. */
  begin(bound: number, now: Instant): void {
    this.#state = SEARCHING;
    // An interface that has become narrower would cut larger datagrams into fragments.
    this.#size = Math.max(Math.min(this.#size, bound), BASE_DATAGRAM_SIZE);
    this.#tooLarge = Math.max(bound, this.#size) + 1;
    this.#hasFailed = false;
    this.#settleCandidate(now);
  }

  // Outputs

  /** Output: whether the owner, which has data to send, should find out the bound and {@link begin} a search. */
  isDue(now: Instant): boolean {
    switch (this.#state.name) {
      case "base":
        return true;
      case "searching":
        return false;
      case "complete":
      case "error":
        return now >= this.#state.until;
    }
  }

  /** Output: the size of a probe to send now, of at most `limit` bytes; `undefined` if there is none to send. */
  poll(limit: number): number | undefined {
    if (this.#state.name !== "searching" || this.#probeNumber >= 0) return undefined;
    if (this.#lostProbes === 0) this.#candidate = this.#choose(limit);
    return this.#candidate > 0 && this.#candidate <= limit ? this.#candidate : undefined;
  }

  // Getters

  /** Largest size that is known to pass. */
  get size(): number {
    return this.#size;
  }

  /** Packet number of the probe on its way, -1 for none. */
  get probeNumber(): number {
    return this.#probeNumber;
  }

  /** The size that is, or was last, asked about. */
  get probeSize(): number {
    return this.#candidate;
  }

  /** What the search does at present. */
  get state(): MtuSearchState["name"] {
    return this.#state.name;
  }

  // Private

  /** A size has passed or failed: ends the search if nothing is left. */
  #settleCandidate(now: Instant): void {
    this.#probeNumber = -1;
    this.#lostProbes = 0;
    if (this.#former <= this.#size || this.#former >= this.#tooLarge) this.#former = 0;
    const isTopLeft = !this.#hasFailed && this.#size + 1 < this.#tooLarge;
    if (isTopLeft || this.#usefulSizes().length > 0) return;
    // RFC 8899 §5.2: nothing is probed until the raise timer has run out.
    this.#state = { name: "complete", until: after(now, RAISE_INTERVAL) };
  }

  /** RFC 8899 §5.3.2: the size to ask about next, 0 for none yet. */
  #choose(limit: number): number {
    if (this.#former > 0) return this.#former;
    const top = this.#tooLarge - 1;
    if (!this.#hasFailed && top <= limit) return top;
    const sizes = this.#usefulSizes();
    // Next to the interface's own MTU, and as long as the window is too small for that one, Ethernet's is the likeliest.
    const ethernet = ETHERNET_MTU - this.#headers;
    if (sizes.includes(ethernet)) return ethernet;
    return this.#hasFailed ? (sizes[sizes.length >> 1] ?? 0) : 0;
  }

  /** Common sizes between what passes and what does not, ascending. */
  #usefulSizes(): number[] {
    const sizes = COMMON_MTUS.map((mtu) => mtu - this.#headers);
    return sizes.filter((size) => size > this.#size && size < this.#tooLarge);
  }
}

/** Bytes of the headers of IP and UDP, without options. */
export function headersOf(family: 4 | 6): number {
  return family === 4 ? 20 + 8 : 40 + 8;
}
