/**
 * The paths of one connection: where the peer may be reached, and what is proven of each place.
 *
 * Theory of operation. The initiator's first path is the one that the handshake or hole punching has found. The responder
 * knows each source of the first message as a path, unproven until the initiator returns the token that was sent there; the
 * path of the newest data packet is the active one. While holes are punched, any source of an authentic packet is a path. Before a path is proven, no more bytes go there than came from there
 * (RFC 9000 §8.1 allows three times as many).
 *
 * @module
 */
import { BlackHoleDetector } from "../path/black-hole-detector.ts";
import { MtuSearch } from "../path/mtu-search.ts";
import { PathValidator } from "../path/path-validator.ts";
import { equalBytes } from "../util/bytes.ts";
import { type Address, type SocketId, sameAddress } from "../util/machine.ts";
import type { Duration, Instant } from "../util/time.ts";
import { earliest } from "../util/time.ts";
import { MIN_PACKET_SIZE } from "../wire/packet-header.ts";

// Implementation

/** Bytes of credit that only a challenge may use, so that there is always one that can prove the path. */
const CHALLENGE_RESERVE = MIN_PACKET_SIZE;

/** Paths of one connection: the sources that a first message is answered to. */
const MAX_PATHS = 8;

/** Answers to challenges that wait at a path; the newest win (a flood of challenges must not queue). */
const MAX_QUEUED_RESPONSES = 4;

/** A source of the initiator's first message. */
export interface HandshakeSource {
  readonly via: SocketId;
  readonly from: Address;
  /** The initiator returns it to prove that it receives at `from`. */
  readonly ownToken: Uint8Array;
  /** Bytes that arrived from there and have not been sent back. */
  readonly credit: number;
}

/** One pair of a local socket and a remote address. */
export class Path {
  readonly via: SocketId;
  readonly remote: Address;
  readonly validator: PathValidator;
  readonly mtu: MtuSearch;
  readonly blackHole = new BlackHoleDetector();
  /** Bytes that may still be sent before the path is proven. */
  credit: number;
  /** Tokens to be returned to the peer here, and the sizes of the datagrams that brought them. */
  readonly responses: { readonly token: Uint8Array; readonly size: number }[] = [];
  /** Round-trip time of the probe that proved the path, in ms, if one did. */
  rtt: Duration | undefined = undefined;
  /** Token of the handshake that proves the path when it comes back. */
  readonly handshakeToken: Uint8Array | undefined;

  constructor(
    via: SocketId,
    remote: Address,
    validator: PathValidator,
    options: { credit: number; handshakeToken: Uint8Array | undefined },
  ) {
    this.via = via;
    this.remote = remote;
    this.validator = validator;
    this.mtu = new MtuSearch(remote.family);
    this.credit = options.credit;
    this.handshakeToken = options.handshakeToken;
  }

  /** Whether the peer is proven to receive here. */
  get isProven(): boolean {
    return this.validator.state === "valid";
  }

  /** Bytes that may be sent here now, challenges aside. */
  get allowance(): number {
    if (this.isProven) return Number.POSITIVE_INFINITY;
    // Where a token of the handshake proves nothing, hole punching asks for proof at its own expense.
    return Math.max(0, this.handshakeToken === undefined ? this.credit : this.credit - CHALLENGE_RESERVE);
  }

  /** Whether a challenge may be sent here now. */
  get mayChallenge(): boolean {
    return this.isProven || this.credit >= CHALLENGE_RESERVE;
  }

  /** Command: returns a token to the peer as soon as possible, in a datagram of at most `size` bytes. */
  respond(token: Uint8Array, size: number): void {
    if (this.responses.length >= MAX_QUEUED_RESPONSES) this.responses.shift();
    this.responses.push({ token: token.slice(), size });
  }
}

/** The paths of one connection; see the module's theory of operation. */
export class Paths {
  readonly #random: (size: number) => Uint8Array;
  readonly #all: Path[] = [];
  #active: Path | undefined;

  constructor(random: (size: number) => Uint8Array) {
    this.#random = random;
  }

  /** Command: adds a path that the first message came from. */
  addSource(source: HandshakeSource): void {
    if (this.#all.length >= MAX_PATHS || this.find(source.via, source.from) !== undefined) return;
    const options = { credit: source.credit, handshakeToken: source.ownToken };
    this.#all.push(new Path(source.via, source.from, new PathValidator(this.#random), options));
  }

  /** Command: adds a path that an authentic packet came from; the oldest that is not proven makes room if need be. */
  addReflexive(via: SocketId, remote: Address): Path | undefined {
    if (this.#all.length >= MAX_PATHS) {
      const index = this.#all.findIndex((path) => !path.isProven && path !== this.#active);
      if (index < 0) return undefined;
      this.#all.splice(index, 1);
    }
    const path = new Path(via, remote, new PathValidator(this.#random), { credit: 0, handshakeToken: undefined });
    this.#all.push(path);
    return path;
  }

  /** Command: adds a path on which the peer is proven to receive. */
  addProven(via: SocketId, remote: Address): Path {
    const path = new Path(via, remote, new PathValidator(this.#random), { credit: 0, handshakeToken: undefined });
    path.validator.markValid();
    this.#all.push(path);
    return path;
  }

  /** Command: data goes here from now on. */
  activate(path: Path): void {
    this.#active = path;
  }

  /** Input: a PATH_RESPONSE on `path`. Returns its round-trip time, `true` for the token of the handshake. */
  onResponse(path: Path, token: Uint8Array, now: Instant): Duration | true | undefined {
    if (path.handshakeToken !== undefined && equalBytes(path.handshakeToken, token)) {
      path.validator.markValid();
      return true;
    }
    return path.validator.onResponse(token, now);
  }

  /** The path of this socket and address, if it is known. */
  find(via: SocketId, remote: Address): Path | undefined {
    const active = this.#active;
    // Fast path: nearly every packet comes on the active path.
    if (active !== undefined && active.via === via && sameAddress(active.remote, remote)) return active;
    for (const path of this.#all) if (path.via === via && sameAddress(path.remote, remote)) return path;
    return undefined;
  }

  /** Where data goes; `undefined` before the first packet opened. */
  get active(): Path | undefined {
    return this.#active;
  }

  /** All paths. */
  get all(): readonly Path[] {
    return this.#all;
  }

  /** When a challenge is due on some path. */
  nextTimeout(): Instant | undefined {
    let next: Instant | undefined;
    for (const path of this.#all) next = earliest(next, path.validator.nextTimeout());
    return next;
  }
}
