/**
 * Binds the sockets of an endpoint: one for each local address, all on one port if that is possible.
 *
 * @module
 */
import { isIP } from "node:net";
import { PunchlineError } from "./errors.ts";
import { UdpSocket } from "./udp-socket.ts";

/** Which sockets to open. */
export interface SocketPlan {
  /** Literal addresses. */
  readonly hosts: readonly string[];
  /** Whether each host must work; else those whose kind of address this machine lacks are left out. */
  readonly needsAll: boolean;
  /** 0 for any free port. */
  readonly port: number;
}

// Implementation

/** Attempts to find a port that is free on all addresses; afterwards each gets its own. */
const MAX_SHARED_ATTEMPTS = 4;

/** What the system says when a machine has no addresses of a family. */
const ABSENT: ReadonlySet<unknown> = new Set(["EADDRNOTAVAIL", "EAFNOSUPPORT", "EPROTONOSUPPORT", "EINVAL"]);

/**
 * Opens the sockets of the plan; their ids are their places in the list.
 *
 * @throws {@link PunchlineError} `ERR_BIND`; no socket stays open then.
 */
export async function openSockets(plan: SocketPlan): Promise<readonly UdpSocket[]> {
  for (let attempt = 1; ; attempt++) {
    const isLast = attempt === MAX_SHARED_ATTEMPTS;
    const sockets: UdpSocket[] = [];
    try {
      for (const host of plan.hosts) {
        const port = plan.port === 0 && !isLast ? (sockets[0]?.address.port ?? 0) : plan.port;
        const socket = await openOne(plan, sockets.length, host, port);
        if (socket !== undefined) sockets.push(socket);
      }
      if (sockets.length > 0) return sockets;
    } catch (error) {
      for (const socket of sockets) socket.close();
      // The port that the first socket got may be taken on another address: another one may not be.
      if (plan.port === 0 && !isLast && systemCode(error) === "EADDRINUSE") continue;
      throw error;
    }
    throw new PunchlineError("ERR_BIND", `this machine has none of the addresses ${plan.hosts.join(", ")}`);
  }
}

async function openOne(plan: SocketPlan, id: number, host: string, port: number): Promise<UdpSocket | undefined> {
  try {
    return await UdpSocket.open({ id, host, port });
  } catch (error) {
    const mayBeAbsent = !plan.needsAll && isIP(host) === 6 && ABSENT.has(systemCode(error));
    if (mayBeAbsent) return undefined;
    throw error;
  }
}

function systemCode(error: unknown): unknown {
  if (!(error instanceof PunchlineError)) return undefined;
  const { cause } = error;
  return cause instanceof Error && "code" in cause ? cause.code : undefined;
}
