/**
 * One stream: its halves, and its places in the queues of events and frames.
 *
 * @module
 */
import type { ReceiveStream } from "./receive-stream.ts";
import type { SendStream } from "./send-stream.ts";

// Implementation

/** Events that wait to be told, as bits; the lowest is told first. */
export const EVENT = {
  OPENED: 1,
  READABLE: 2,
  STOPPED: 4,
  WRITABLE: 8,
  FINISHED: 16,
  RESET_ACKED: 32,
  RESET: 64,
  DONE: 128,
} as const;

/** Control frames that wait to be sent, as bits; the lowest is sent first. */
export const CONTROL = {
  RESET_STREAM: 1,
  STOP_SENDING: 2,
  MAX_STREAM_DATA: 4,
  STREAM_DATA_BLOCKED: 8,
} as const;

/** A stream that is not forgotten. Bits and flags belong to the queues; nobody else writes them. */
export class Stream {
  readonly id: number;
  /** `undefined` if only the peer sends. */
  readonly send: SendStream | undefined;
  /** `undefined` if only we send. */
  readonly receive: ReceiveStream | undefined;
  /** Bits of {@link EVENT}. */
  events = 0;
  /** Bits of {@link CONTROL}. */
  control = 0;
  isInEventQueue = false;
  isInControlQueue = false;
  isInRepairQueue = false;
  isInFreshQueue = false;

  constructor(id: number, halves: { send: SendStream | undefined; receive: ReceiveStream | undefined }) {
    this.id = id;
    this.send = halves.send;
    this.receive = halves.receive;
  }

  /** Whether both halves have ended. */
  get isOver(): boolean {
    return (this.send === undefined || this.send.isOver) && (this.receive === undefined || this.receive.isOver);
  }
}
