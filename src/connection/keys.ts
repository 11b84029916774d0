/**
 * The keys of one connection: a sealer, an opener and the exporter, made of what the handshake left (spec/handshake.md).
 *
 * @module
 */
import { deriveDirection, deriveExporter, exportSecret, type SessionSecrets } from "../crypto/key-schedule.ts";
import { PacketOpener, PacketSealer } from "../crypto/packet-protection.ts";
import { wipe } from "../util/secret-bytes.ts";

/** Keys of both directions; exists once the handshake is done. */
export interface Keys {
  readonly sealer: PacketSealer;
  readonly opener: PacketOpener;
  /** Key material for the application, bound to this connection. */
  readonly exporter: (label: string, context: Uint8Array) => Uint8Array;
  /** Command: overwrites all secrets; the keys are of no use any more. */
  readonly wipe: () => void;
}

/** The keys of one side of a connection. The secrets of the session are erased. */
export function keysFor(role: "initiator" | "responder", session: SessionSecrets, aead: 1 | 2): Keys {
  const peer = role === "initiator" ? "responder" : "initiator";
  const exporter = deriveExporter(session);
  const [own, theirs] = [deriveDirection(session, role, aead), deriveDirection(session, peer, aead)];
  const sealer = new PacketSealer({ secrets: own });
  const opener = new PacketOpener({ secrets: theirs });
  session.wipe();
  // Sealer and opener keep what they need of them.
  for (const { data, probe, header } of [own, theirs]) wipe(data, probe, header);
  return {
    sealer,
    opener,
    exporter: (label, context) => exportSecret(exporter, label, context),
    wipe: () => {
      sealer.wipe();
      opener.wipe();
      wipe(exporter);
    },
  };
}
