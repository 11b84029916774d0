/**
 * Slots: the names under which a rendezvous server knows tickets and connections (spec/rendezvous.md#slots).
 *
 * A slot tells nothing of the ticket's secret, and differs from server to server. A ticket's slot contains the listener's
 * key, so that only who proves that key can register it: another holder of the ticket cannot take it over.
 *
 * @module
 */

import { labelBytes } from "./labels.ts";
import { hmacSha256, sha256 } from "./primitives.ts";
import type { TicketKeys } from "./ticket-keys.ts";

// Specification

/** Bytes of a slot. */
export const SLOT_SIZE = 16;

/** Bytes of a blind. */
export const BLIND_SIZE = 16;

/** Bytes of the preimage of a connection's slot. */
export const PREIMAGE_SIZE = 32;

const SLOT_LABEL = labelBytes("punchline/1 slot");
const OF_TICKET = Uint8Array.of(0);
const OF_CONNECTION = Uint8Array.of(1);

/** What a listener tells a server, beside its key, to register a ticket there. */
export function ticketBlind(keys: TicketKeys, pin: Uint8Array): Uint8Array {
  return hmacSha256(keys.slotRoot, pin).slice(0, BLIND_SIZE);
}

/** The slot of a listener's ticket: of its static public key and the blind of the ticket at that server. */
export function ticketSlot(listenerKey: Uint8Array, blind: Uint8Array): Uint8Array {
  return sha256(SLOT_LABEL, OF_TICKET, listenerKey, blind).slice(0, SLOT_SIZE);
}

/** The slot of one side of a connection: whoever can name the preimage may register it. */
export function connectionSlot(preimage: Uint8Array): Uint8Array {
  return sha256(SLOT_LABEL, OF_CONNECTION, preimage).slice(0, SLOT_SIZE);
}
