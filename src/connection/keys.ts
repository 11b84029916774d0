/**
 * The keys of one connection: a sealer, an opener and the exporter, made of what the handshake left (spec/handshake.md).
 *
 * @module
 */
import { deriveDirection, deriveExporter, exportSecret, type SessionSecrets } from "../crypto/key-schedule.ts";
import { PacketOpener, PacketSealer } from "../crypto/packet-protection.ts";

/** Keys of both directions; exists once the handshake is done. */
export interface Keys {
  readonly sealer: PacketSealer;
  readonly opener: PacketOpener;
  /** Key material for the application, bound to this connection. */
  readonly exporter: (label: string, context: Uint8Array) => Uint8Array;
}

/** The keys of one side of a connection. The secrets of the session are erased. */
export function keysFor(role: "initiator" | "responder", session: SessionSecrets, aead: 1 | 2): Keys {
  const peer = role === "initiator" ? "responder" : "initiator";
  const exporter = deriveExporter(session);
  const keys = {
    sealer: new PacketSealer({ secrets: deriveDirection(session, role, aead) }),
    opener: new PacketOpener({ secrets: deriveDirection(session, peer, aead) }),
    exporter: (label: string, context: Uint8Array) => exportSecret(exporter, label, context),
  };
  session.wipe();
  return keys;
}
