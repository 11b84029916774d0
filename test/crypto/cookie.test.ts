/**
 * Cookies, against frozen values and guesses.
 *
 * @module
 */
import { expect, test } from "vitest";
import { cookieFor, macOfCookie, openCookie, sealCookie } from "../../src/crypto/cookie.ts";
import { deriveTicketKeys } from "../../src/crypto/ticket-keys.ts";
import { bytes, counting, flipped, hex, KEYS, readVectors, TICKET } from "./fixtures.ts";

interface CookieVectors {
  readonly handshakes: readonly {
    readonly core1: string;
    readonly publicKeys: { readonly listener: string };
    readonly inputs: { readonly secret: string; readonly core: string };
    readonly cookie: Readonly<Record<"secret" | "address" | "cookie" | "nonce" | "sealed" | "token" | "mac2", string>>;
  }[];
}

test.each(readVectors<CookieVectors>("handshake").handshakes)("the frozen cookie for $core1 (HS-11, HS-12)", (each) => {
  const { secret, address, nonce, token, ...expected } = each.cookie;
  const keys = deriveTicketKeys({
    key: bytes(each.publicKeys.listener),
    secret: bytes(each.inputs.secret),
    core: bytes(each.inputs.core),
  });
  const core = bytes(each.core1);
  const cookie = cookieFor(bytes(secret), address);
  const sealed = sealCookie(keys, { cookie, nonce: bytes(nonce), core });
  expect(hex(cookie)).toBe(expected.cookie);
  expect(hex(sealed)).toBe(expected.sealed);
  expect(openCookie(keys, { nonce: bytes(nonce), sealed }, core)).toEqual(cookie);
  expect(hex(macOfCookie(cookie, core, bytes(token)))).toBe(expected.mac2);
});

test("a cookie opens for the message that caused it and the ticket it was sealed with, unchanged (HS-11)", () => {
  const core = counting(9, 130);
  const nonce = counting(77, 12);
  const cookie = counting(3, 16);
  const sealed = sealCookie(KEYS, { cookie, nonce, core });
  expect(sealed.length).toBe(32);
  for (let i = 0; i < sealed.length; i++) {
    expect(openCookie(KEYS, { nonce, sealed: flipped(sealed, i) }, core)).toBeUndefined();
  }
  expect(openCookie(KEYS, { nonce: flipped(nonce, 5), sealed }, core)).toBeUndefined();
  expect(openCookie(KEYS, { nonce, sealed }, flipped(core, core.length - 1))).toBeUndefined();
  const others = deriveTicketKeys({ ...TICKET, secret: counting(1, 16) });
  expect(openCookie(others, { nonce, sealed }, core)).toBeUndefined();
  expect(openCookie(KEYS, { nonce, sealed: sealed.slice(0, 15) }, core)).toBeUndefined();
  expect(openCookie(KEYS, { nonce, sealed }, core)).toEqual(cookie);
});

test("a cookie differs by address, port and secret (HS-11)", () => {
  const cookies = [
    cookieFor(counting(1, 32), "192.0.2.1:1"),
    cookieFor(counting(1, 32), "192.0.2.1:2"),
    cookieFor(counting(1, 32), "192.0.2.2:1"),
    cookieFor(counting(2, 32), "192.0.2.1:1"),
  ];
  expect(new Set(cookies.map(hex)).size).toBe(4);
});

test("its proof differs by cookie, message and token (HS-12)", () => {
  const proofs = [
    macOfCookie(counting(1, 16), counting(1, 120), counting(1, 8)),
    macOfCookie(counting(2, 16), counting(1, 120), counting(1, 8)),
    macOfCookie(counting(1, 16), counting(2, 120), counting(1, 8)),
    macOfCookie(counting(1, 16), counting(1, 120), counting(2, 8)),
  ];
  expect(proofs.every((proof) => proof.length === 16)).toBe(true);
  expect(new Set(proofs.map(hex)).size).toBe(4);
});
