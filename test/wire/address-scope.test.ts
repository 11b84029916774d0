/**
 * From where addresses are reached.
 *
 * @module
 */
import { expect, test } from "vitest";
import { type AddressScope, addressScope } from "../../src/wire/address-scope.ts";

test.each<[string, AddressScope]>([
  ["192.0.2.1", "global"],
  ["9.255.255.255", "global"],
  ["10.0.0.0", "private"],
  ["11.0.0.0", "global"],
  ["172.15.255.255", "global"],
  ["172.16.0.0", "private"],
  ["172.31.255.255", "private"],
  ["172.32.0.0", "global"],
  ["192.168.1.1", "private"],
  ["169.254.0.1", "link"],
  ["100.63.255.255", "global"],
  ["100.64.0.0", "carrier"],
  ["100.127.255.255", "carrier"],
  ["100.128.0.0", "global"],
  ["127.0.0.1", "loopback"],
  ["0.0.0.0", "none"],
  ["224.0.0.1", "none"],
  ["240.0.0.1", "none"],
  ["255.255.255.255", "none"],
  ["2001:db8::1", "global"],
  ["fd00::1", "private"],
  ["fe80::1", "link"],
  ["ff02::1", "none"],
  ["::1", "loopback"],
  ["::", "none"],
  ["::ffff:192.0.2.1", "none"],
  ["64:ff9b::192.0.2.1", "global"],
  ["64:ff9b::10.0.0.1", "private"],
  ["localhost", "none"],
])("%s is %s (RFC 6890 §2.2.2, RFC 4291 §2.4)", (host, scope) => {
  expect(addressScope(host)).toBe(scope);
});
