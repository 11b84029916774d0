import { expect, test } from "vitest";
import { keysFor } from "../../src/connection/keys.ts";
import { exportSecret, SessionSecrets } from "../../src/crypto/key-schedule.ts";

const context = new Uint8Array(4);

function session(): SessionSecrets {
  return new SessionSecrets(new Uint8Array(32).fill(1), new Uint8Array(32).fill(2), new Uint8Array(32).fill(3));
}

test("making keys erases the secrets of the session, and wiping them those that are left", () => {
  const secrets = session();
  const keys = keysFor("initiator", secrets, 1);
  expect([...secrets.initiator, ...secrets.responder].some((byte) => byte !== 0)).toBe(false);
  const before = keys.exporter("label", context);
  expect(before).toEqual(keysFor("responder", session(), 1).exporter("label", context));
  keys.wipe();
  const ofNothing = exportSecret(new Uint8Array(32), "label", context);
  expect(before).not.toEqual(ofNothing);
  expect(keys.exporter("label", context)).toEqual(ofNothing);
});
