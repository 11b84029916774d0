/**
 * Sockets that a machine asks for beside those that it began with: opened like these, at any port.
 *
 * @module
 */
import type { SocketId } from "../util/machine.ts";
import { UdpSocket } from "./udp-socket.ts";

// Implementation

/** Sockets that are being opened at a time: a birthday wants 256, and each takes the system some 50 µs. */
const OPENED_AT_ONCE = 32;

/** What was asked for. */
export interface SocketOrder {
  readonly count: number;
  /** Literal address to bind. */
  readonly host: string;
  /** Ids for them, each used once. */
  readonly nextId: () => SocketId;
}

/** Opens as many of the sockets as the system lets us; never rejects. */
export async function openExtraSockets({ count, host, nextId }: SocketOrder): Promise<readonly UdpSocket[]> {
  const opened: UdpSocket[] = [];
  while (opened.length < count) {
    const batch = Math.min(OPENED_AT_ONCE, count - opened.length);
    const results = await Promise.allSettled(
      Array.from({ length: batch }, () => UdpSocket.open({ id: nextId(), host, port: 0 })),
    );
    const sockets = results.flatMap((result) => (result.status === "fulfilled" ? [result.value] : []));
    opened.push(...sockets);
    // The system has no more to give.
    if (sockets.length < batch) break;
  }
  return opened;
}
