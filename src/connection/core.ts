/**
 * Everything that one connection consists of, for the parts that work on it together.
 *
 * The connection machine owns the core; `frame-handlers.ts` applies received frames to it and `packet-builder.ts` makes
 * packets of it. No algorithm lives here: each belongs to a class of a lower layer.
 *
 * @module
 */
import { CarefulResume } from "../congestion/careful-resume.ts";
import type { CongestionController, SentEvent } from "../congestion/controller.ts";
import { createController } from "../congestion/create.ts";
import type { PathMemory } from "../congestion/path-memory.ts";
import { AckFrequencyPolicy } from "../recovery/ack-frequency.ts";
import { AckTracker } from "../recovery/ack-tracker.ts";
import { LossDetector } from "../recovery/loss-detector.ts";
import { Pacer } from "../recovery/pacer.ts";
import { SilenceProbe } from "../recovery/silence-probe.ts";
import { SkippedNumbers } from "../recovery/skipped-numbers.ts";
import type { StreamToken } from "../stream/stream-events.ts";
import { Streams } from "../stream/streams.ts";
import type { BufferPool } from "../util/buffer-pool.ts";
import { Deque } from "../util/deque.ts";
import type { Address, SocketId } from "../util/machine.ts";
import type { Instant } from "../util/time.ts";
import { BASE_DATAGRAM_SIZE, MAX_DATAGRAM_SIZE } from "../wire/datagram.ts";
import type { CloseIntent } from "./closing.ts";
import type { Config } from "./config.ts";
import { type LocalConnectionIds, RemoteConnectionIds } from "./connection-ids.ts";
import { DatagramQueue } from "./datagram-queue.ts";
import type { ConnectionEvent } from "./events.ts";
import type { KeyUpdate } from "./key-update.ts";
import type { Keys } from "./keys.ts";
import { Liveness } from "./liveness.ts";
import { type Path, Paths } from "./paths.ts";
import type { ProbeBook } from "./probe-book.ts";
import { NO_SITUATION, type Situation } from "./situation.ts";
import type { Tracer } from "./tracer.ts";

type Writable<T> = { -readonly [K in keyof T]: T[K] };

/** A frame of the connection itself that waits to be sent, or is to be repaired. */
export type ControlToken =
  | { readonly kind: "new-connection-id"; readonly sequence: number }
  | { readonly kind: "retire-connection-id"; readonly sequence: number }
  | { readonly kind: "ack-frequency"; readonly sequence: number }
  | { readonly kind: "path-response"; readonly token: Uint8Array };

/** What a packet carried beside stream data and acknowledgements, as the ledger remembers it. */
export type Token = StreamToken | ControlToken;

/** Totals since the connection began. */
export interface Counters {
  packetsSent: number;
  packetsReceived: number;
  packetsLost: number;
  bytesSent: number;
  bytesReceived: number;
  /** Stream bytes that were put into a packet again. */
  retransmittedBytes: number;
  datagramsDropped: number;
  /** Packets that were declared lost and acknowledged afterwards. */
  spuriousLosses: number;
  /** Packets that only asked whether the path carries their size. */
  mtuProbesSent: number;
  /** Those of them that were lost; they are not among `packetsLost`. */
  mtuProbesLost: number;
  /** Times that a path ceased to carry large datagrams. */
  mtuBlackHoles: number;
}

/** The MTU of the interface by which datagrams to `remote` leave, in bytes with the headers of IP; `undefined` if unknown. */
export type InterfaceMtu = (via: SocketId, remote: Address) => number | undefined;

/** What a core is made of. */
export interface CoreOptions {
  readonly role: "initiator" | "responder";
  readonly config: Config;
  readonly random: (size: number) => Uint8Array;
  readonly pool: BufferPool;
  readonly interfaceMtu: InterfaceMtu;
  /** What earlier connections learnt of paths; used if the configuration says so. */
  readonly memory?: PathMemory | undefined;
  readonly localIds: LocalConnectionIds;
  /** A connection id that is free on this endpoint and leads to this connection from now on. */
  readonly newId: () => Uint8Array;
  /** The peer will not use this id any more. */
  readonly retireId: (id: Uint8Array) => void;
}

/** The parts of one connection. */
export class Core {
  readonly role: "initiator" | "responder";
  readonly config: Config;
  readonly random: (size: number) => Uint8Array;
  readonly pool: BufferPool;
  readonly interfaceMtu: InterfaceMtu;
  readonly streams: Streams;
  readonly recovery = new LossDetector<Token>();
  readonly acks: AckTracker;
  readonly ackFrequency: AckFrequencyPolicy;
  readonly silence = new SilenceProbe();
  readonly congestion: CongestionController;
  /** The controller again, if it resumes. */
  readonly carefulResume: CarefulResume | undefined;
  readonly pacer: Pacer;
  readonly skippedNumbers: SkippedNumbers;
  readonly paths: Paths;
  readonly liveness: Liveness;
  readonly datagrams = new DatagramQueue();
  readonly localIds: LocalConnectionIds;
  readonly newId: () => Uint8Array;
  readonly retireId: (id: Uint8Array) => void;
  readonly remoteIds = new RemoteConnectionIds();
  readonly events = new Deque<ConnectionEvent>();
  readonly control = new Deque<ControlToken>();
  readonly counters: Counters = {
    packetsSent: 0,
    packetsReceived: 0,
    packetsLost: 0,
    bytesSent: 0,
    bytesReceived: 0,
    retransmittedBytes: 0,
    datagramsDropped: 0,
    spuriousLosses: 0,
    mtuProbesSent: 0,
    mtuProbesLost: 0,
    mtuBlackHoles: 0,
  };
  /** Told what happens, if anybody wants to know. */
  trace: Tracer | undefined;
  keys: Keys | undefined;
  keyUpdate: KeyUpdate | undefined;
  /** Set by whoever finds a reason to close; the connection acts on it. */
  closeIntent: CloseIntent | undefined;
  /** Set when the peer's CLOSE has arrived. */
  peerClose: CloseIntent | undefined;
  /** Next number in the probe space. */
  nextProbeNumber = 0;
  /** The peer is to be asked for a sign of life. */
  isAsking = false;
  /** Number of the data packet whose frames are being handled. */
  arrivingNumber = 0;
  /** The path on which it came, if it is known. */
  arrivingPath: Path | undefined;
  /** Packets below this number have been repeated by the probes of the current timeout. */
  probedBelow = 0;
  /** Received datagrams that the owner has not taken. */
  receivedDatagrams = 0;
  /** When the pacer lets data go on; `undefined` while it does not hold anything back. */
  pacedUntil: Instant | undefined;
  /** Told to the controller for each packet; one object for all. */
  readonly sentEvent: Writable<SentEvent> = {
    now: 0 as Instant,
    packetNumber: 0,
    size: 0,
    bytesInFlight: 0,
    isAppLimited: false,
  };
  /** Largest UDP payload that the peer takes. */
  peerMaxDatagramSize = MAX_DATAGRAM_SIZE;
  /** Largest DATAGRAM frame that the peer takes, 0 for none. */
  peerMaxDatagramFrame = MAX_DATAGRAM_SIZE;
  /** Bytes of each UDP payload of data on the active path; `path-mtu.ts` keeps it. */
  datagramSize = BASE_DATAGRAM_SIZE;
  /** The path whose size that is. */
  sizedPath: Path | undefined;
  /** The path that an MTU probe is on its way on. */
  probedPath: Path | undefined;
  /** The probes of hole punching, while it goes on. */
  probes: ProbeBook | undefined;
  /** The path that an answer to one of them has just proven. */
  punched: Path | undefined;
  /** Where the peer says that it may be reached. */
  peerSituation: Situation = NO_SITUATION;
  /** Whether the peer has just said so. */
  hasNewSituation = false;

  constructor(options: CoreOptions, now: Instant) {
    const { role, config, random } = options;
    this.role = role;
    this.config = config;
    this.random = random;
    this.pool = options.pool;
    this.interfaceMtu = options.interfaceMtu;
    this.localIds = options.localIds;
    this.newId = options.newId;
    this.retireId = options.retireId;
    this.streams = new Streams({
      role,
      receive: {
        maxData: config.maxData,
        maxStreamData: config.maxStreamData,
        maxStreamsBidi: config.maxStreamsBidi,
        maxStreamsUni: config.maxStreamsUni,
        memoryBudget: config.memoryBudget,
      },
      sendBuffer: config.sendBuffer,
    });
    this.acks = new AckTracker({ maxAckDelay: config.maxAckDelay, minAckDelay: config.minAckDelay });
    // What the peer says in the handshake takes the place of our own values.
    this.ackFrequency = new AckFrequencyPolicy({ maxAckDelay: config.maxAckDelay, minAckDelay: config.minAckDelay });
    this.congestion = createController(config.congestion, {
      mtu: BASE_DATAGRAM_SIZE,
      random: () => uniform(random),
      memory: config.carefulResume ? options.memory : undefined,
    });
    this.carefulResume = this.congestion instanceof CarefulResume ? this.congestion : undefined;
    this.pacer = new Pacer(BASE_DATAGRAM_SIZE);
    this.skippedNumbers = new SkippedNumbers(() => uniform(random));
    this.paths = new Paths(random);
    this.liveness = new Liveness({ linger: config.linger, keepalive: config.keepalive }, now);
  }

  /** Command: closes because the peer broke the protocol, or for another reason of the transport. The first wins. */
  failWith(code: number, cause: number, message: string): void {
    this.closeIntent ??= { application: false, code, cause, message };
  }

  /** Number of the next data packet. */
  get nextDataNumber(): number {
    return this.recovery.sent.nextPacketNumber;
  }
}

/** A number in [0, 1) out of random bytes. */
function uniform(random: (size: number) => Uint8Array): number {
  let value = 0;
  for (const byte of random(4)) value = (value + byte) / 256;
  return value;
}
