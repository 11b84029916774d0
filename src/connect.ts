/**
 * Calls a listener.
 *
 * @module
 */

import { channelUse } from "./io/channel-use.ts";
import type { PeerStream } from "./io/connection.ts";
import { dial } from "./io/dialer.ts";
import type { CallByHand } from "./io/endpoint.ts";
import { PunchlineError } from "./io/errors.ts";
import { identityFor } from "./io/identity-file.ts";
import { lookUpServers } from "./io/server-names.ts";
import { Ticket } from "./io/ticket.ts";
import { type CheckedConnect, type ConnectOptions, checkConnect, withoutStun } from "./options.ts";
import type { Duration } from "./util/time.ts";

// Implementation

/** How long a string may take from hand to hand, in ms, unless the caller says otherwise: as long as its ticket lives. */
const PASTE_TIMEOUT: Duration = 10 * 60 * 1000;

/**
 * Connects to the listener that gave out `ticket`.
 *
 * Resolves with the first stream of a new connection once both sides have proven their keys; either may speak first.
 * The connection closes when its last stream is closed; then nothing of it keeps the process alive.
 *
 * @param ticket What the listener handed out, as text or already parsed.
 * @throws {@link PunchlineError} `ERR_TICKET`, `ERR_TICKET_EXPIRED`, `ERR_OPTION`, `ERR_IDENTITY`, `ERR_BIND`,
 * `ERR_SERVER`, `ERR_UNREACHABLE`, `ERR_REFUSED` or `ERR_PROTOCOL`; on abort, `signal.reason`.
 */
export async function connect(ticket: string | Ticket, options: ConnectOptions = {}): Promise<PeerStream> {
  const checked = checkConnect(options);
  checked.signal?.throwIfAborted();
  const parsed = ticket instanceof Ticket ? ticket : Ticket.parse(ticket);
  const { expiresAt } = parsed;
  if (expiresAt !== undefined && expiresAt.getTime() <= Date.now()) {
    throw new PunchlineError("ERR_TICKET_EXPIRED", `the ticket expired at ${expiresAt.toISOString()}`);
  }
  const pasting = parsed.paste ? await callByHand(checked) : undefined;
  const channel = checked.signalling === undefined ? undefined : await channelUse(checked.signalling, checked.stun);
  checked.signal?.throwIfAborted();
  const identity = identityFor(checked.identity);
  const sockets = { hosts: checked.hosts, needsAll: checked.hostsAreExplicit, port: 0 };
  return dial(
    { sockets, reach: checked.reach },
    {
      ticket: parsed.fields,
      identity: identity.keyPair,
      config: checked.config,
      timeout: pasting !== undefined && options.timeout === undefined ? PASTE_TIMEOUT : checked.timeout,
      metadata: checked.metadata,
      signal: checked.signal,
      openTrace: checked.openTrace,
      pasting,
      channel,
    },
  );
}

/** What a ticket in paste mode needs of the caller. */
async function callByHand({ stun, onInvitation, signalling }: CheckedConnect): Promise<CallByHand> {
  if (signalling !== undefined)
    throw new PunchlineError("ERR_OPTION", "the ticket is for paste mode, not for a channel");
  if (onInvitation === undefined) {
    throw new PunchlineError("ERR_OPTION", "the ticket is for paste mode: the listener has to be told by hand", {
      hint: "take the string with the option onInvitation, or run connect with --paste",
    });
  }
  if (stun.length === 0) throw withoutStun();
  return { servers: await lookUpServers(stun), onInvitation };
}
