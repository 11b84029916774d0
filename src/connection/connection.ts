/**
 * One connection between two keys: the machine behind a `Connection` and its streams.
 *
 * Theory of operation. A connection lives through five states. `connecting`: the initiator dials, the responder has
 * answered and waits for the first packet. `open`: keys are confirmed and data flows. `closing`: we have sent CLOSE and
 * repeat it until the peer answers with CLOSE. `draining`: the peer has closed; we answer its repetitions for three
 * probe timeouts and say nothing else. `closed`: keys are gone. This class only wires: what a frame does is in
 * `frame-handlers.ts`, how packets are made in `packet-builder.ts`, and every algorithm in the layers below.
 *
 * After any command the owner has to pump the endpoint, which knows by `touch` that something has changed.
 *
 * @module
 */
import type { InvitationBudget } from "../path/punch/budget.ts";
import { ACK_ELICITING } from "../recovery/sent-packets.ts";
import type { OpenTrace } from "../trace/sink.ts";
import { toHex } from "../util/bytes.ts";
import type { HasDeadline } from "../util/deadline-heap.ts";
import type { Address, SocketId, Transmit } from "../util/machine.ts";
import { earliest, type Instant } from "../util/time.ts";
import { CLOSE_CODE } from "../wire/codes.ts";
import { MAX_SEGMENTS } from "../wire/datagram.ts";
import type { CookieDatagram, RespDatagram } from "../wire/handshake-datagram.ts";
import { Calling, type CallingOptions, type Established, refusalOf } from "./calling.ts";
import { Closing } from "./closing.ts";
import { HANDSHAKE_IDS, LocalConnectionIds } from "./connection-ids.ts";
import { Core, type CoreOptions } from "./core.ts";
import type { Answer } from "./dial.ts";
import type { Attempt, CloseReason, ConnectionEvent, PathInfo, UnreachableCause } from "./events.ts";
import { applyRecovery, findClose, handleDataPacket, handleProbePacket } from "./frame-handlers.ts";
import { KeyUpdate } from "./key-update.ts";
import type { Keys } from "./keys.ts";
import { localParameters } from "./negotiation.ts";
import { buildBatch, buildClose, buildEnvelopePacket, buildMtuProbe, buildProbe } from "./packet-builder.ts";
import { followMtu, maxDatagramLength, onMtuProbeRefused } from "./path-mtu.ts";
import type { HandshakeSource, Path } from "./paths.ts";
import type { Situation } from "./situation.ts";
import { auditOf, type ConnectionStats, pathInfoOf, pathsOf, statsOf } from "./snapshot.ts";
import { Tracer } from "./tracer.ts";
import { type PunchOptions, Traversal } from "./traversal.ts";

// Implementation

/** Stands for the key of a client that has none. */
const ANONYMOUS = new Uint8Array();

/** A path that is found later takes over if its round trip is shorter by this factor. */
const BETTER_SHARE = 0.7;

/** Where a connection is in its life. */
export type ConnectionState = "connecting" | "open" | "closing" | "draining" | "closed";

/** What a connection needs of the endpoint that it belongs to. */
export interface ConnectionHost {
  /** Something may be sent, told or timed anew. */
  touch(connection: ConnectionMachine): void;
  /** A fresh connection id that leads to the connection from now on. */
  assignId(connection: ConnectionMachine): Uint8Array;
  /** The id no longer leads anywhere. */
  releaseId(id: Uint8Array): void;
  /** The first data packet of a responder's connection has opened. */
  opened(connection: ConnectionMachine): void;
  /** The connection is over and may be forgotten. */
  finished(connection: ConnectionMachine): void;
}

/** What every connection of an endpoint is made of. */
export interface ConnectionOptions
  extends Pick<CoreOptions, "role" | "config" | "random" | "pool" | "interfaceMtu" | "memory"> {
  readonly openTrace?: OpenTrace | undefined;
}

/** One connection; see the module's theory of operation. */
export class ConnectionMachine implements HasDeadline {
  deadline = 0 as Instant;
  heapIndex = -1;
  /** Whether the endpoint has it on its list of connections with something to do. */
  isTouched = false;
  /** Whether the endpoint has it on its list of connections with something to tell. */
  isTelling = false;

  readonly #host: ConnectionHost;
  readonly #core: Core;
  #state: ConnectionState = "connecting";
  /** How an initiator calls, until its keys are there. */
  #calling: Calling | undefined;
  /** What became of the addresses of the ticket, once the call is over. */
  #attempts: readonly Attempt[] = [];
  /** When calling is given up. */
  #deadline: Instant | undefined;
  #peerKey: Uint8Array | undefined;
  #handshakeHash: Uint8Array | undefined;
  /** Whether the owner knows of the connection; of a responder's it does not before it has opened. */
  #isKnown: boolean;
  #isAnnounced = false;
  #isExhaustionTold = false;
  #closing: Closing | undefined;
  /** Hole punching, while it goes on. */
  #traversal: Traversal | undefined;

  private constructor(host: ConnectionHost, options: ConnectionOptions, now: Instant) {
    this.#host = host;
    this.#isKnown = options.role === "initiator";
    const ids: Uint8Array[] = [];
    while (ids.length < HANDSHAKE_IDS) ids.push(host.assignId(this));
    const newId = () => host.assignId(this);
    const retireId = (id: Uint8Array) => host.releaseId(id);
    this.#core = new Core({ ...options, localIds: new LocalConnectionIds(ids), newId, retireId }, now);
    if (options.openTrace !== undefined) {
      this.#core.trace = new Tracer(options.openTrace, this.#core, now);
      if (options.role === "initiator") this.#core.trace.onCall(ids);
    }
  }

  /** A connection of the initiator, which does nothing before {@link dial}. */
  static initiator(host: ConnectionHost, options: Omit<ConnectionOptions, "role">, now: Instant): ConnectionMachine {
    return new ConnectionMachine(host, { ...options, role: "initiator" }, now);
  }

  /** A half-open connection of the responder, without keys before {@link establish}. */
  static responder(host: ConnectionHost, options: Omit<ConnectionOptions, "role">, now: Instant): ConnectionMachine {
    return new ConnectionMachine(host, { ...options, role: "responder" }, now);
  }

  // Inputs

  /** Input: one protected packet for an id of ours. Returns why it was dropped, if it was. */
  receive(packet: Uint8Array, via: SocketId, from: Address, now: Instant): string | undefined {
    const core = this.#core;
    const keys = core.keys;
    if (keys === undefined || this.#state === "closed") return "no-keys";
    const opened = keys.opener.open(packet);
    if (opened === undefined) {
      core.trace?.onPacketDropped(packet.length, keys.opener.failures, now);
      return this.#onUnopened(keys, now);
    }
    const { packetNumber, isNewest } = opened;
    core.trace?.onPacketReceived(opened, packet.length, now);
    core.counters.packetsReceived += 1;
    core.counters.bytesReceived += packet.length;
    this.#host.touch(this);
    if (this.#closing !== undefined) {
      this.#receiveWhileClosing(opened.payload, now);
      return undefined;
    }
    const path = this.#pathOf(via, from, now);
    if (path !== undefined && !path.isProven) path.credit += packet.length;
    core.recovery.onHeard(core.liveness.silence(now));
    if (core.liveness.onReceived(now)) core.events.push({ type: "resumed" });
    if (opened.space === "probe") {
      core.silence.onOtherReceived(now);
      handleProbePacket(core, path, opened.payload, { size: packet.length, now });
    } else {
      if (opened.isNewPhase)
        this.#core.keyUpdate!.follow(keys, core.nextDataNumber, this.#core.recovery.probeTimeout, now);
      this.#open(path, now);
      core.arrivingNumber = packetNumber;
      core.arrivingPath = path;
      const isEliciting = handleDataPacket(core, opened.payload, now);
      core.acks.onPacketReceived(packetNumber, isEliciting ? ACK_ELICITING : 0, now);
      if (isEliciting) core.silence.onElicitingReceived(packet.length, now);
      else core.silence.onOtherReceived(now);
      if (path !== undefined && isNewest) this.#moveTo(path, now);
    }
    this.#afterFrames(now);
    return undefined;
  }

  /** Input: an answer of the listener while connecting. Returns why it was dropped, if it was. */
  onResponse(response: RespDatagram, via: SocketId, from: Address, now: Instant): string | undefined {
    // The endpoint has looked at a part of the id only.
    if (!this.#core.localIds.includes(response.connectionId, 0)) return "unknown-id";
    const pasted = this.#calling?.onPastedResponse(response);
    if (pasted !== undefined) return this.#onPasted(pasted, now);
    const result = this.#calling?.onResponse(response, via, from, now);
    if (result === undefined) return "bad-response";
    const dropped = this.#onAnswer(result.answer, now);
    if (dropped !== undefined || this.#state === "closed") return dropped;
    const { paths, control, recovery } = this.#core;
    const path = paths.addProven(via, from);
    // Deviates from RFC 9000 §13.3: it is repeated until the peer is known to have it (spec/connection.md#paths).
    control.push({ kind: "path-response", token: result.token.slice() });
    if (result.rtt !== undefined) recovery.rtt.onSample(result.rtt, 0);
    this.#openOn(path, now);
    return undefined;
  }

  /**
   * Input: an answer of the listener that came by a carrier. Keys are there then, but no path: {@link punch} finds one.
   * Returns why the answer was dropped, if it was.
   */
  onAnswer(core2: Uint8Array, now: Instant): string | undefined {
    const answer = this.#calling?.onAnswer(core2);
    return answer === undefined ? "bad-response" : this.#onAnswer(answer, now);
  }

  /** A message that went by hand was answered by datagram. Keys are there then, but no path: {@link punch} finds one. */
  #onPasted(answer: Answer, now: Instant): string | undefined {
    const dropped = this.#onAnswer(answer, now);
    if (dropped === undefined && this.#state === "connecting") this.#core.events.push({ type: "answered" });
    return dropped;
  }

  /** An answer of the listener, on whatever way. */
  #onAnswer(answer: Answer, now: Instant): string | undefined {
    const calling = this.#calling;
    if (calling === undefined) return "bad-response";
    this.#core.trace?.advance(now);
    this.#host.touch(this);
    if (answer.type === "refused") {
      const attempts = calling.attempts(now);
      this.#end({ kind: "refused", refusal: refusalOf(answer.code), message: answer.message, attempts });
      return undefined;
    }
    const established = calling.settle(answer);
    if (established === undefined) return "bad-parameters";
    this.establish(established, now);
    this.#attempts = calling.attempts(now);
    this.#calling = undefined;
    return undefined;
  }

  /** The initiator has its first path. */
  #openOn(path: Path, now: Instant): void {
    const core = this.#core;
    core.paths.activate(path);
    this.#deadline = undefined;
    this.#resume(path, now);
    this.#state = "open";
    core.trace?.onOpened(path.remote);
    core.liveness.onReceived(now);
    // The first stream is announced at once, so that a listener that only sends learns of it (spec/streams.md).
    core.streams.open("bidi");
    this.#announce();
  }

  /** Input: a listener asks for proof of our address. False if it is not an answer to this connection's dial. */
  onCookie(datagram: CookieDatagram, now: Instant): boolean {
    if (this.#calling === undefined || !this.#calling.onCookie(datagram, now)) return false;
    this.#host.touch(this);
    return true;
  }

  /** Input: time has passed. */
  handleTimeout(now: Instant): void {
    this.#core.trace?.advance(now);
    this.#host.touch(this);
    if (this.#closing !== undefined) {
      if (this.#closing.isOver(now)) this.#finishClosing();
      return;
    }
    if (this.#deadline !== undefined && now >= this.#deadline) {
      this.#end({ kind: "unreachable", attempts: this.attempts(now) });
      return;
    }
    const core = this.#core;
    if (core.keys === undefined || this.#state !== "open") return;
    if (core.liveness.isLost(now)) {
      this.#end({ kind: "lost", silence: core.liveness.silence(now) });
      return;
    }
    if (core.liveness.beginsStall(now)) core.events.push({ type: "stalled" });
    if (core.liveness.isKeepaliveDue(now)) {
      core.paths.active?.validator.start(now);
      core.liveness.onSent(now);
    }
    core.keyUpdate!.handleTimeout(core.keys, now);
    core.acks.handleTimeout(now);
    this.#breakSilence(now);
    const verdict = core.recovery.handleTimeout(now);
    if (verdict === "lost") applyRecovery(core, now);
    if (verdict === "probe") {
      core.probedBelow = 0;
      core.skippedNumbers.onProbeTimeout();
      core.trace?.onMetrics();
    }
    this.#afterFrames(now);
  }

  /** Input: an MTU probe of this connection or another left in fragments or not at all. */
  onMtuProbeRefused(via: SocketId, to: Address, size: number, now: Instant): void {
    const path = this.#core.paths.find(via, to);
    if (path === undefined) return;
    this.#host.touch(this);
    onMtuProbeRefused(this.#core, path, size, now);
  }

  /**
   * Input: a packet of the probe space that a carrier has brought. Only what the peer tells of its situation counts there.
   * Returns why it was dropped, if it was.
   */
  onEnvelope(packet: Uint8Array, now: Instant): string | undefined {
    const core = this.#core;
    if (core.keys === undefined || this.#closing !== undefined) return "no-keys";
    const opened = core.keys.opener.open(packet);
    if (opened === undefined || opened.space !== "probe") return "undecryptable";
    this.#host.touch(this);
    this.#traversal?.onConfirmed();
    handleProbePacket(core, undefined, opened.payload, { size: 0, now });
    this.#afterFrames(now);
    return undefined;
  }

  /** Input: the sockets that a `sockets` event asked for, or as many as there are. */
  onSockets(requestId: number, sockets: readonly SocketId[], now: Instant): void {
    this.#host.touch(this);
    this.#traversal?.onSockets(requestId, sockets, now);
  }

  /** Input: a first message was answered at this source; the peer may come from there. */
  expectSource(source: HandshakeSource): void {
    this.#core.paths.addSource(source);
  }

  // Commands

  /** Calls the listener whose key is `peerKey`, until `deadline`. */
  dial(options: CallingOptions): void {
    this.#calling = new Calling(options);
    this.#deadline = options.deadline;
    this.#peerKey = options.peerKey;
    this.#host.touch(this);
  }

  /**
   * The first message for a carrier, which tells where we may be reached. It is another one with each call: who has moved
   * meanwhile says so. With `isPasted` it goes by hand, and its answer comes by datagram from wherever, told by an
   * `answered` event. `undefined` if the connection is not calling, or not any more.
   */
  invite(situation: Situation, options: { readonly isPasted: boolean } = { isPasted: false }): Uint8Array | undefined {
    return this.#calling?.invite(situation, options);
  }

  /** Punches holes towards the peer, one round. The keys are there; `budget` is what all rounds for this peer share. */
  punch(options: PunchOptions, budget: InvitationBudget, now: Instant): void {
    const core = this.#core;
    if (core.keys === undefined || this.#closing !== undefined || this.#state === "closed") return;
    this.#host.touch(this);
    this.#isExhaustionTold = false;
    this.#traversal ??= new Traversal(core, budget, now);
    this.#traversal.punch(options, core.peerSituation, now);
  }

  /** The peer has begun to punch: a round that waits for its start begins now. */
  beginRound(now: Instant): void {
    this.#host.touch(this);
    this.#traversal?.onBegun(now);
  }

  /** Both sides prepare the next round: what they tell from now on concerns no earlier one. */
  prepareRound(): void {
    this.#traversal?.prepareRound();
  }

  /** A packet for a carrier that tells the peer where we are now; `undefined` without keys. */
  sealSituation(situation: Situation, now: Instant): Uint8Array | undefined {
    const core = this.#core;
    if (core.keys === undefined || this.#closing !== undefined) return undefined;
    this.#host.touch(this);
    this.#traversal?.onLocal(situation, now);
    const { generation, candidates, profile } = situation;
    const seenGeneration = core.peerSituation.generation;
    return buildEnvelopePacket(core, core.keys, [
      { type: "candidates", generation, seenGeneration, candidates, profile },
    ]);
  }

  /** Gives up calling: no path can be found. */
  giveUp(cause: UnreachableCause, now: Instant): void {
    if (this.#state !== "connecting") return;
    this.#end({ kind: "unreachable", attempts: this.attempts(now), cause });
  }

  /** Takes the keys and parameters that the handshake has settled. */
  establish({ keys, parameters, peerKey, handshakeHash }: Established, now: Instant): void {
    const core = this.#core;
    core.keys = keys;
    core.remoteIds.start(parameters.connectionIds);
    core.ackFrequency.setPeer({
      maxAckDelay: parameters.maxAckDelayMs,
      minAckDelay: parameters.minAckDelayUs / 1000,
    });
    core.recovery.setMaxAckDelay(core.ackFrequency.maxAckDelay);
    core.peerMaxDatagramSize = parameters.maxDatagramSize;
    core.peerMaxDatagramFrame = parameters.maxDatagramFrame;
    core.liveness.limitLinger(parameters.lingerMs);
    core.streams.setPeerLimits(parameters);
    this.#core.keyUpdate = new KeyUpdate(now, core.config.packetsPerPhase);
    this.#peerKey = peerKey;
    this.#handshakeHash ??= handshakeHash;
    const { candidates, natProfile } = parameters;
    if (candidates !== undefined) {
      core.peerSituation = { generation: candidates.generation, candidates: candidates.list, profile: natProfile };
    }
    core.trace?.onParameters({ local: localParameters(core.config, core.localIds.all()), remote: parameters });
  }

  /** Opens a stream; `undefined` while the peer's limit is reached (`streams-available` follows). */
  openStream(direction: "bidi" | "uni"): number | undefined {
    if (this.#state !== "open") return undefined;
    this.#host.touch(this);
    return this.#core.streams.open(direction);
  }

  /** Queues a chunk by reference; false asks the writer to wait for `writable`. */
  write(id: number, chunk: Uint8Array): boolean {
    this.#host.touch(this);
    return this.#core.streams.write(id, chunk);
  }

  /** Ends the sending half of a stream; `finished` follows when the peer has acknowledged everything. */
  finish(id: number): void {
    this.#host.touch(this);
    this.#core.streams.finish(id);
  }

  /** Gives up the sending half of a stream. */
  reset(id: number, code: number): void {
    this.#host.touch(this);
    this.#core.streams.reset(id, code);
  }

  /** Asks the peer to give up its sending half of a stream. */
  stopSending(id: number, code: number): void {
    this.#host.touch(this);
    this.#core.streams.stopSending(id, code);
  }

  /** The next bytes of a stream in order; `undefined` if there are none now (`readable` follows). */
  read(id: number): Uint8Array | undefined {
    this.#host.touch(this);
    return this.#core.streams.read(id);
  }

  /** Whether the peer's half of the stream has been read to its end. */
  isFinished(id: number): boolean {
    return this.#core.streams.isFinished(id);
  }

  /** Bytes written to a stream that the peer has not acknowledged, those that a reset gave up included. */
  unacknowledged(id: number): number {
    return this.#core.streams.unacknowledged(id);
  }

  /**
   * Queues an unreliable datagram; false if the queue is full and the datagram is dropped.
   *
   * @throws RangeError if it is longer than {@link maxDatagramLength}.
   */
  sendDatagram(data: Uint8Array): boolean {
    if (data.length > this.maxDatagramLength) {
      throw new RangeError(`a datagram of ${data.length} bytes does not fit: ${this.maxDatagramLength} at most`);
    }
    this.#host.touch(this);
    const isQueued = this.#core.datagrams.push(data);
    if (!isQueued) this.#core.counters.datagramsDropped += 1;
    return isQueued;
  }

  /** Closes the connection with a code of the application; while it is connecting, gives up. */
  close(code: number, message: string, now: Instant): void {
    if (this.#state === "connecting") {
      this.abort();
      return;
    }
    if (this.#state !== "open") return;
    this.#host.touch(this);
    this.#core.closeIntent ??= { application: true, code, cause: 0, message };
    this.#afterFrames(now);
  }

  /** Closes the connection for a reason of the transport. */
  closeTransport(code: number, message: string, now: Instant): void {
    if (this.#state !== "open") return;
    this.#host.touch(this);
    this.#core.failWith(code, 0, message);
    this.#afterFrames(now);
  }

  /** Gives up connecting, silently. */
  abort(): void {
    if (this.#state !== "connecting") return;
    this.#end({ kind: "aborted" });
  }

  // Outputs

  /** Output: the next datagrams to send. */
  pollTransmit(now: Instant): Transmit | undefined {
    const core = this.#core;
    core.trace?.advance(now);
    if (this.#calling !== undefined) return this.#calling.pollTransmit(now);
    if (core.keys === undefined || this.#state === "closed") return undefined;
    if (this.#closing !== undefined) {
      return this.#closing.takeDue(now) ? buildClose(core, core.keys, this.#closing.intent, now) : undefined;
    }
    if (isWornOut(core.keys)) {
      this.#end({ kind: "lost", silence: core.liveness.silence(now) });
      return undefined;
    }
    const probe = buildProbe(core, core.keys, now) ?? this.#pollPunch(core.keys, now);
    if (probe !== undefined || this.#state !== "open") return probe;
    this.#core.keyUpdate!.update(core.keys, core.nextDataNumber, this.#core.recovery.probeTimeout, now);
    followMtu(core);
    return buildMtuProbe(core, core.keys, now) ?? buildBatch(core, core.keys, now);
  }

  /** Output: the next event. */
  pollEvent(): ConnectionEvent | undefined {
    const core = this.#core;
    const event = core.events.shift();
    if (event === undefined) return this.#state === "open" ? this.#pollStreamEvent() : undefined;
    if (event.type === "datagram") core.receivedDatagrams -= 1;
    return event;
  }

  /** Output: when `handleTimeout` or `pollTransmit` has something to do. */
  nextTimeout(): Instant | undefined {
    if (this.#state === "closed") return undefined;
    if (this.#closing !== undefined) return this.#closing.nextTimeout();
    const core = this.#core;
    if (this.#calling !== undefined) return earliest(this.#calling.nextTimeout(), this.#deadline);
    let next = earliest(core.paths.nextTimeout(), this.#deadline);
    next = earliest(next, this.#traversal?.nextTimeout());
    if (this.#state !== "open") return next;
    next = earliest(next, core.liveness.nextTimeout());
    next = earliest(next, core.recovery.nextTimeout());
    next = earliest(next, core.acks.nextTimeout());
    next = earliest(next, core.silence.nextTimeout(core.recovery.probeTimeout));
    next = earliest(next, core.keyUpdate?.nextTimeout());
    return earliest(next, core.pacedUntil);
  }

  // Getters

  /** Who dialled: the holder of the ticket is the initiator. */
  get role(): "initiator" | "responder" {
    return this.#core.role;
  }

  /** Where the connection is in its life. */
  get state(): ConnectionState {
    return this.#state;
  }

  /** Static public key of the peer; confirmed once the connection is open. */
  get peerKey(): Uint8Array | undefined {
    return this.#peerKey;
  }

  /** The connection ids that the peer is told in the handshake. */
  get connectionIds(): readonly Uint8Array[] {
    return this.#core.localIds.all();
  }

  /** The id of the peer that packets carry at present. */
  get peerConnectionId(): Uint8Array {
    return this.#core.remoteIds.current;
  }

  /** What a session with a server binds proofs to; of connections between peers nobody needs it. */
  get handshakeHash(): Uint8Array | undefined {
    return this.#handshakeHash;
  }

  /** Longest datagram that {@link sendDatagram} takes now, in bytes. */
  get maxDatagramLength(): number {
    return maxDatagramLength(this.#core);
  }

  /** Where the peer said that it may be reached. */
  get peerSituation(): Situation {
    return this.#core.peerSituation;
  }

  /** What can be measured. */
  stats(): ConnectionStats {
    return statsOf(this.#core);
  }

  /** The paths, the active one first. */
  paths(): readonly PathInfo[] {
    return pathsOf(this.#core);
  }

  /** What became of the addresses that were tried while connecting. */
  attempts(now: Instant): readonly Attempt[] {
    const dialled = this.#calling?.attempts(now) ?? this.#attempts;
    const traversal = this.#traversal;
    return traversal === undefined ? dialled : [...dialled, ...traversal.attempts(now)];
  }

  /** For tests: see `EndpointMachine.audit`. */
  audit(): void {
    auditOf(this.#core);
  }

  /** Whether the peer has shown that it holds its key, by what it sent while holes are punched, or by having opened. */
  get isConfirmed(): boolean {
    return this.#state === "open" || this.#traversal?.isConfirmed === true;
  }

  /** Key material for the application, bound to this connection (spec/handshake.md#exporter). */
  exporter(label: string, context: Uint8Array): Uint8Array | undefined {
    return this.#core.keys?.exporter(label, context);
  }

  /** The path of an authentic packet; while holes are punched, any source is one. */
  #pathOf(via: SocketId, from: Address, now: Instant): Path | undefined {
    const { paths } = this.#core;
    const traversal = this.#traversal;
    const known = paths.find(via, from);
    if (traversal === undefined) return known;
    traversal.onConfirmed();
    traversal.onContact(via, from, now);
    return known ?? paths.addReflexive(via, from);
  }

  /** What hole punching sends next, and what it wants of the owner. */
  #pollPunch(keys: Keys, now: Instant): Transmit | undefined {
    const core = this.#core;
    const traversal = this.#traversal;
    if (traversal === undefined) return undefined;
    const transmit = traversal.pollTransmit(keys, now);
    this.#tellRequests(traversal);
    if (transmit !== undefined || !traversal.isOver) return transmit;
    const { exhausted } = traversal;
    if (exhausted !== undefined && this.#state === "connecting" && !this.#isExhaustionTold) {
      this.#isExhaustionTold = true;
      core.events.push({ type: "exhausted", reason: exhausted });
    }
    if (this.#state === "open") this.#endTraversal();
    return undefined;
  }

  /** Remembers what was tried, and nothing else. */
  #endTraversal(): void {
    const traversal = this.#traversal;
    if (traversal === undefined) return;
    this.#attempts = this.attempts(traversal.now);
    traversal.end();
    this.#tellRequests(traversal);
    this.#traversal = undefined;
  }

  #tellRequests(traversal: Traversal): void {
    const { events } = this.#core;
    for (let request = traversal.pollRequest(); request !== undefined; request = traversal.pollRequest()) {
      events.push({ type: "sockets", request });
    }
  }

  /** A path was proven by punching: the first one opens the initiator's connection, a better one takes over. */
  #onPunched(path: Path, now: Instant): void {
    const { paths, recovery } = this.#core;
    this.#traversal?.onSuccess(path, now);
    if (this.role === "responder") return;
    if (this.#state === "connecting") {
      recovery.rtt.onSample(path.rtt!, 0);
      this.#openOn(path, now);
      return;
    }
    const active = paths.active?.rtt;
    if (this.#state !== "open" || active === undefined || path.rtt! > BETTER_SHARE * active) return;
    this.#core.carefulResume?.onPathChange(now);
    paths.activate(path);
    this.#core.trace?.onPath(path.remote);
    this.#core.events.push({ type: "path", path: pathInfoOf(this.#core, path) });
  }

  /** The first data packet opens the connection of a responder. */
  #open(path: Path | undefined, now: Instant): void {
    if (this.#state !== "connecting") return;
    this.#state = "open";
    this.#isKnown = true;
    if (path !== undefined) {
      this.#core.paths.activate(path);
      this.#resume(path, now);
    }
    this.#core.trace?.onOpened(path?.remote);
    this.#core.liveness.onReceived(now);
    this.#host.opened(this);
    this.#announce();
  }

  /** RFC 9959 §2.2: a path is known by the peer's key and IP address; the port of a NAT means nothing. */
  #resume(path: Path, now: Instant): void {
    this.#core.carefulResume?.onPath(`${toHex(this.#peerKey ?? ANONYMOUS)} ${path.remote.host}`, now);
  }

  /** The responder answers where the newest data packet came from (spec/connection.md#paths). */
  #moveTo(path: Path, now: Instant): void {
    const { paths } = this.#core;
    if (this.role === "responder" && paths.active !== path) {
      if (paths.active?.remote.host !== path.remote.host) this.#core.carefulResume?.onPathChange(now);
      paths.activate(path);
      this.#core.trace?.onPath(path.remote);
      this.#core.events.push({ type: "path", path: pathInfoOf(this.#core, path) });
    }
    // What arrives pays for asking again: a peer that is not proven gets little else.
    if (!path.isProven) path.validator.ask(now, this.#core.recovery.probeTimeout);
  }

  /** Tells the owner that streams can be used, once. */
  #announce(): void {
    const path = this.#core.paths.active;
    if (this.#isAnnounced || this.#state !== "open" || path === undefined) return;
    this.#isAnnounced = true;
    this.#core.events.push({ type: "connected", path: pathInfoOf(this.#core, path) });
  }

  #onUnopened(keys: Keys, now: Instant): string {
    if (keys.opener.violation !== undefined && this.#state === "open") {
      this.#core.failWith(keys.opener.violation, 0, "a packet broke the rules of key updates");
      this.#host.touch(this);
      this.#afterFrames(now);
    }
    // RFC 9001 §6.6: beyond the integrity limit the keys are given up, silently.
    if (keys.opener.isExhausted) {
      if (this.#closing !== undefined) this.#finishClosing();
      else this.#end({ kind: "lost", silence: this.#core.liveness.silence(now) });
    }
    return "undecryptable";
  }

  #receiveWhileClosing(payload: Uint8Array, now: Instant): void {
    const frame = findClose(payload);
    if (frame === undefined) return;
    const isAnswer = !frame.application && frame.code === CLOSE_CODE.NO_ERROR;
    const closing = this.#closing!;
    if (isAnswer) {
      if (closing.isInitiating) this.#finishClosing();
    } else if (closing.isInitiating) {
      // Both close at once. The peer may never hear of our own CLOSE, so it gets an answer to its own.
      this.#tellLocalClose();
      this.#answerClose(now);
    } else {
      closing.onPeerClose(now);
    }
  }

  /** Asks for a sign of life when a flow that only comes in has fallen silent (spec/recovery.md#silence). */
  #breakSilence(now: Instant): void {
    const { silence, recovery, streams } = this.#core;
    const silentAt = silence.nextTimeout(recovery.probeTimeout);
    if (silentAt === undefined || now < silentAt) return;
    silence.onAsked();
    // What is in flight asks already.
    this.#core.isAsking = recovery.sent.ackElicitingInFlight === 0 && streams.awaitsData;
  }

  /** Acts on what the frames of a packet, or a command, have asked for. */
  #afterFrames(now: Instant): void {
    const core = this.#core;
    if (core.punched !== undefined) {
      this.#onPunched(core.punched, now);
      core.punched = undefined;
    }
    if (core.hasNewSituation) {
      core.hasNewSituation = false;
      this.#traversal?.onRemote(core.peerSituation, now);
      core.events.push({ type: "peer-moved" });
    }
    this.#announce();
    if (core.peerClose !== undefined) {
      const { application, code, message } = core.peerClose;
      const reason = { kind: "closed", origin: "peer", application, code, message } as const;
      core.trace?.onClosed(reason);
      this.#answerClose(now);
      this.#tellClosed(reason);
    } else if (core.closeIntent !== undefined && this.#closing === undefined) {
      this.#closing = new Closing(
        core.closeIntent,
        { isInitiating: true, probeTimeout: this.#core.recovery.probeTimeout },
        now,
      );
      this.#drainStreamEvents();
      this.#state = "closing";
      core.trace?.onClosed({ kind: "closed", origin: "local", ...core.closeIntent });
      core.trace?.onState("closing");
    }
  }

  /** CLOSE is answered by CLOSE, and again if the peer repeats it. */
  #answerClose(now: Instant): void {
    this.#closing = new Closing(
      { application: false, code: CLOSE_CODE.NO_ERROR, cause: 0, message: "" },
      { isInitiating: false, probeTimeout: this.#core.recovery.probeTimeout },
      now,
    );
    this.#state = "draining";
    this.#core.trace?.onState("draining");
  }

  /** The end of the way out, on either side. */
  #finishClosing(): void {
    if (this.#closing!.isInitiating) this.#tellLocalClose();
    this.#release();
  }

  #tellLocalClose(): void {
    const { application, code, message } = this.#closing!.intent;
    this.#tellClosed({ kind: "closed", origin: "local", application, code, message });
  }

  /** The end without a CLOSE. */
  #end(reason: CloseReason): void {
    this.#tellClosed(reason);
    this.#release();
  }

  #tellClosed(reason: CloseReason): void {
    this.#core.trace?.onClosed(reason);
    this.#endTraversal();
    this.#drainStreamEvents();
    // Nobody has heard of a responder's connection that never opened.
    if (this.#isKnown) this.#core.events.push({ type: "closed", reason });
  }

  #pollStreamEvent(): ConnectionEvent | undefined {
    const { streams } = this.#core;
    const event = streams.pollEvent();
    // A stream that is forgotten makes room for another; the peer hears of it without waiting for other news.
    if (event?.type === "done" && streams.hasPending()) this.#host.touch(this);
    return event;
  }

  /** Whatever the streams had to tell is told before the connection ends. */
  #drainStreamEvents(): void {
    const { streams, events } = this.#core;
    for (let event = streams.pollEvent(); event !== undefined; event = streams.pollEvent()) events.push(event);
  }

  #release(): void {
    this.#state = "closed";
    this.#core.trace?.end();
    this.#calling = undefined;
    this.#deadline = undefined;
    this.#closing = undefined;
    for (const id of this.#core.localIds.all()) this.#host.releaseId(id);
    this.#core.keys?.wipe();
    this.#core.keys = undefined;
    this.#host.touch(this);
    this.#host.finished(this);
  }
}

/** RFC 9001 §6.6: whether a key is at its limit and could not be replaced; the connection ends then, silently. */
function isWornOut(keys: Keys): boolean {
  return keys.sealer.remaining("data") < MAX_SEGMENTS || keys.sealer.remaining("probe") === 0;
}
