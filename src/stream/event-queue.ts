/**
 * What the owner of the streams has not been told yet.
 *
 * A stream is in the queue once, with a bit for each event, so the memory is bounded by the number of streams whatever
 * the peer does.
 *
 * @module
 */
import { Deque } from "../util/deque.ts";
import type { StreamDirection } from "../wire/frame.ts";
import { EVENT, type Stream } from "./stream.ts";
import type { StreamEvent } from "./stream-events.ts";

/** Events in the order in which their streams first had one. */
export class EventQueue {
  readonly #streams = new Deque<Stream>();
  readonly #available: StreamDirection[] = [];

  /** Command: something happened to `stream`; `bit` is one of {@link EVENT}. */
  tell(stream: Stream, bit: number): void {
    stream.events |= bit;
    if (stream.isInEventQueue) return;
    stream.isInEventQueue = true;
    this.#streams.push(stream);
  }

  /** Command: an event that was not told yet has lost its sense. */
  takeBack(stream: Stream, bit: number): void {
    stream.events &= ~bit;
  }

  /** Command: streams can be opened again. */
  tellAvailable(direction: StreamDirection): void {
    if (!this.#available.includes(direction)) this.#available.push(direction);
  }

  /** Output: the next event. */
  poll(): StreamEvent | undefined {
    const direction = this.#available.shift();
    if (direction !== undefined) return { type: "streams-available", direction };
    for (let stream = this.#streams.first; stream !== undefined; stream = this.#streams.first) {
      const bit = stream.events & -stream.events;
      stream.events &= ~bit;
      if (stream.events === 0) {
        this.#streams.shift();
        stream.isInEventQueue = false;
      }
      if (bit !== 0) return eventOf(stream, bit);
    }
    return undefined;
  }
}

function eventOf(stream: Stream, bit: number): StreamEvent {
  const { id, send, receive } = stream;
  switch (bit) {
    case EVENT.OPENED:
      return { type: "opened", id };
    case EVENT.READABLE:
      return { type: "readable", id };
    case EVENT.STOPPED:
      return { type: "stopped", id, code: send!.resetCode };
    case EVENT.WRITABLE:
      return { type: "writable", id };
    case EVENT.FINISHED:
      return { type: "finished", id };
    case EVENT.RESET_ACKED:
      return { type: "reset-acked", id };
    case EVENT.RESET:
      return { type: "reset", id, code: receive!.code };
    default:
      return { type: "done", id };
  }
}
