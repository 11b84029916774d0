/**
 * Exported key material and the erasure of secrets.
 *
 * @module
 */
import { expect, test } from "vitest";
import { deriveExporter, exportSecret, SessionSecrets } from "../../src/crypto/key-schedule.ts";
import { bytes, counting, hex, readVectors, session } from "./fixtures.ts";

interface ExporterVectors {
  readonly handshakes: readonly {
    readonly initiatorKey: string;
    readonly responderKey: string;
    readonly handshakeHash: string;
    readonly exporter: Readonly<Record<"secret" | "label" | "context" | "value", string>>;
  }[];
}

test.each(readVectors<ExporterVectors>("handshake").handshakes)(
  "the frozen exporter of $handshakeHash (HS-16)",
  (each) => {
    const secrets = new SessionSecrets(bytes(each.initiatorKey), bytes(each.responderKey), bytes(each.handshakeHash));
    const exporter = deriveExporter(secrets);
    expect(hex(exporter)).toBe(each.exporter.secret);
    expect(hex(exportSecret(exporter, each.exporter.label, bytes(each.exporter.context)))).toBe(each.exporter.value);
  },
);

test("exported material differs by label, context and session (HS-16)", () => {
  const exported = [1, 2].flatMap((seed) => {
    const exporter = deriveExporter(session(seed));
    return [
      exportSecret(exporter, "a", counting(0, 3)),
      exportSecret(exporter, "b", counting(0, 3)),
      exportSecret(exporter, "a", counting(0, 4)),
      exportSecret(exporter, "a", new Uint8Array(0)),
    ];
  });
  expect(exported.every((each) => each.length === 32)).toBe(true);
  expect(new Set(exported.map(hex)).size).toBe(exported.length);
});

test("a session takes its keys over: nobody else keeps them (HS-15)", () => {
  const [initiator, responder, hash] = [counting(1, 32), counting(2, 32), counting(3, 32)];
  const secrets = new SessionSecrets(initiator, responder, hash);
  expect([...initiator, ...responder].every((byte) => byte === 0)).toBe(true);
  expect(hex(secrets.initiator)).toBe(hex(counting(1, 32)));
  expect(secrets.handshakeHash).toEqual(counting(3, 32));
});
