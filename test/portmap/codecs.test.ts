import { describe, expect, test } from "vitest";
import {
  decodePmpAnswer,
  encodePmpAddressRequest,
  encodePmpMapRequest,
  pmpResultText,
} from "../../src/portmap/nat-pmp.ts";
import { decodePcpAnswer, encodePcpAnnounce, encodePcpMapRequest, pcpResultText } from "../../src/portmap/pcp.ts";

const hex = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text.replaceAll(/[\s|]/g, ""), "hex"));
const toHex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");

describe("NAT-PMP (RFC 6886 §3.2, §3.3)", () => {
  test("requests", () => {
    expect(toHex(encodePmpAddressRequest())).toBe("0000");
    const request = encodePmpMapRequest({ internalPort: 0x1092, externalPort: 0xc000, lifetime: 7200 });
    expect(toHex(request)).toBe("000100001092c00000001c20");
  });

  test("answers", () => {
    expect(decodePmpAnswer(hex("00 80 0000 000003e8 05060708"))).toEqual({
      kind: "address",
      result: 0,
      epoch: 1000,
      host: "5.6.7.8",
    });
    expect(decodePmpAnswer(hex("00 81 0000 000003e8 1092 c000 00001c20"))).toEqual({
      kind: "map",
      result: 0,
      epoch: 1000,
      internalPort: 0x1092,
      externalPort: 0xc000,
      lifetime: 7200,
    });
  });

  test("refusals, with and without the fields that mean nothing then", () => {
    expect(decodePmpAnswer(hex("00 80 0003 00000001"))).toMatchObject({ kind: "address", result: 3 });
    expect(decodePmpAnswer(hex("00 81 0002 00000001 1092 0000 00000000"))).toMatchObject({ kind: "map", result: 2 });
    expect(decodePmpAnswer(hex("00 00 0001 00000001"))).toEqual({ kind: "unsupported-version", epoch: 1 });
    expect([0, 2, 5, 99].map(pmpResultText)).toEqual(["success", "not authorized", "unsupported opcode", "result 99"]);
  });

  test.each([
    ["nothing", ""],
    ["half a head", "0080 0000 0000"],
    ["an address that is cut", "00 80 0000 000003e8 050607"],
    ["a mapping that is cut", "00 81 0000 000003e8 1092 c000 00001c"],
    ["a request", "00 01 0000 1092 c000 00001c20"],
    ["a mapping of TCP", "00 82 0000 000003e8 1092 c000 00001c20"],
    ["another version", "01 80 0000 000003e8 05060708"],
  ])("%s is no answer", (_name, text) => {
    expect(decodePmpAnswer(hex(text))).toBeUndefined();
  });
});

describe("PCP (RFC 6887 §7, §11.1)", () => {
  const clientHost = "192.168.1.20";
  const nonce = hex("000102030405060708090a0b");
  const client = "00000000000000000000ffffc0a80114";
  const map = `${toHex(nonce)} 11 000000 1092 c000 00000000000000000000ffff05060708`;

  test("requests", () => {
    expect(toHex(encodePcpAnnounce(clientHost))).toBe(`0200000000000000${client}`);
    const request = encodePcpMapRequest({
      clientHost,
      nonce,
      internalPort: 0x1092,
      externalPort: 0xc000,
      externalHost: "5.6.7.8",
      lifetime: 7200,
    });
    expect(request).toEqual(hex(`02010000 00001c20 ${client} ${map}`));
    expect(() => encodePcpAnnounce("fe80::1")).toThrow(RangeError);
  });

  test("answers", () => {
    expect(decodePcpAnswer(hex(`02 81 00 00 00000e10 000003e8 000000000000000000000000 ${map}`))).toEqual({
      kind: "map",
      result: 0,
      lifetime: 3600,
      epoch: 1000,
      nonce,
      internalPort: 0x1092,
      externalPort: 0xc000,
      externalHost: "5.6.7.8",
    });
    expect(decodePcpAnswer(hex("02 80 00 00 00000000 00000007 000000000000000000000000"))).toEqual({
      kind: "announce",
      result: 0,
      lifetime: 0,
      epoch: 7,
    });
  });

  test("options after the end are passed over", () => {
    const withOption = hex(`02 81 00 00 00000e10 000003e8 000000000000000000000000 ${map} 02000000`);
    expect(decodePcpAnswer(withOption)).toMatchObject({ kind: "map", result: 0 });
  });

  test("a version that is not spoken", () => {
    expect(decodePcpAnswer(hex("01 81 00 01 0000001e 00000007 000000000000000000000000"))).toEqual({
      kind: "unsupported-version",
      version: 1,
      lifetime: 30,
      epoch: 7,
    });
    expect([0, 2, 12, 99].map(pcpResultText)).toEqual([
      "success",
      "not authorized",
      "address mismatch: another NAT is in between",
      "result 99",
    ]);
  });

  const head = "02 81 00 00 00000e10 000003e8 000000000000000000000000";
  test.each([
    ["nothing", ""],
    ["half a head", "02 81 00 00 00000e10"],
    ["a mapping that is cut", `${head} ${map}`.slice(0, -8)],
    ["a length that is no multiple of four", `${head} ${map} 00`],
    ["more than 1100 bytes", `${head} ${map} ${"00".repeat(1044)}`],
    ["a request", `02010000 00001c20 ${client} ${map}`],
    ["a mapping of TCP", `${head} ${map}`.replace(" 11 ", " 06 ")],
    ["another opcode", `${head} ${map}`.replace("02 81", "02 82")],
    ["another version", `${head} ${map}`.replace("02 81", "03 81")],
  ])("%s is no answer", (_name, text) => {
    expect(decodePcpAnswer(hex(text))).toBeUndefined();
  });

  test("an external IPv6 address is shown as one", () => {
    const six = map.replace("00000000000000000000ffff05060708", "20010db8000000000000000000000001");
    expect(decodePcpAnswer(hex(`${head} ${six}`))).toMatchObject({ externalHost: "2001:db8::1" });
  });
});
