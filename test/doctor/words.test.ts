/**
 * Networks in plain words.
 *
 * @module
 */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { natReport, networkReport } from "../../fuzz/doctor-arbitraries.ts";
import type { FamilyFacts, NetworkFacts } from "../../src/doctor/facts.ts";
import { reportOf } from "../../src/doctor/report.ts";
import { wordsOf } from "../../src/doctor/words.ts";
import type { NatProfile } from "../../src/wire/nat-profile.ts";
import { at, family, network, reportWith } from "./samples.ts";

const EASY: Partial<NatProfile> = { mapping: "endpoint-independent", filtering: "address-and-port-dependent" };
const HARD: Partial<NatProfile> = { ...EASY, mapping: "address-and-port-dependent", allocator: "random" };
const PUBLIC: Partial<FamilyFacts> = { hosts: [at("203.0.113.9")] };

function say(nat: Partial<NatProfile>, facts: Partial<FamilyFacts> = {}, more: Partial<NetworkFacts> = {}): string {
  return wordsOf(reportWith(nat, { facts, network: more }));
}

describe("a network in words", () => {
  test("an ordinary home (DOC-16)", () => {
    expect(say(EASY)).toMatchInlineSnapshot(
      `"The router (NAT) shows this machine to everybody at one port, which others can be told. It lets in packets only from where this machine has sent to before, port included, so both sides have to begin at the same moment; punchline does that. Nearly every other network can connect with this one directly. The router opens no port when it is asked: switching on UPnP, NAT-PMP or PCP there, or forwarding a UDP port, would make this machine easier to reach."`,
    );
  });

  test("the hardest one (DOC-16)", () => {
    expect(say(HARD, {}, { receiveBuffer: { asked: 7_340_032, granted: 425_984 }, mtu: 1_392 })).toMatchInlineSnapshot(
      `"The router (NAT) shows this machine to each peer at another port, so a port that one knows is of no use to the next. It takes these ports at random. Networks that show one port to everybody can connect with it directly after a second or so of trying; networks of the same kind can not, and need a relay. The router opens no port when it is asked: switching on UPnP, NAT-PMP or PCP there, or forwarding a UDP port, would make this machine easier to reach. The system grants 416 KiB of the 7168 KiB of receive buffer that were asked for: fast transfers may lose packets now and then. Raise its limit (on Linux net.core.rmem_max). Packets of up to 1392 bytes get through, less than usual: probably a tunnel or VPN is in use. That costs a little speed."`,
    );
  });

  test.each<[string, string, RegExp]>([
    ["blocked UDP", say({}, { answered: false }), /blocks it.*Allow outgoing UDP/],
    ["nobody asked", say({}, { answered: undefined }), /Nobody was asked/],
    ["open internet", say({ ...EASY, filtering: "endpoint-independent" }, PUBLIC), /public address and can be reached/],
    ["a firewall", say(EASY, PUBLIC), /public address behind a firewall/],
    ["perhaps a firewall", say({}, PUBLIC), /Whether a firewall/],
    ["an unknown mapping", say({}), /How it chooses its ports is not known/],
    ["an open filter", say({ ...EASY, filtering: "endpoint-independent" }), /others can simply call/],
    [
      "a filter by address",
      say({ ...EASY, filtering: "address-dependent" }),
      /addresses that this machine has sent to/,
    ],
    ["an unknown filter", say({ ...EASY, filtering: undefined }), /Whom it lets in there is not known/],
    ["ports kept", say({ ...HARD, allocator: "preserving" }), /keeps the port/],
    ["ports counted", say({ ...HARD, allocator: "sequential" }), /counts its ports up/],
    ["ports of a block", say({ ...HARD, allocator: "block" }), /small block/],
    ["ports unknown", say({ ...HARD, allocator: undefined }), /with networks of the same kind that may fail/],
    ["random ports, filter by address", say({ ...HARD, filtering: "address-dependent" }), /looks only at the address/],
    ["random ports, open filter", say({ ...HARD, filtering: "endpoint-independent" }), /lets in packets from anybody/],
    ["a carrier's NAT", say({ ...EASY, isCarrierGrade: true }), /internet provider has a NAT/],
    ["two NATs", say({ ...EASY, isDoubleNat: true }), /two routers/],
    ["short bindings", say({ ...EASY, bindingLifetime: 30 }), /forgets a silent connection after 30 s/],
  ])("%s (DOC-16)", (_, words, expected) => {
    expect(words).toMatch(expected);
  });

  test("mapped ports (DOC-16)", () => {
    const mapped = (external: string | undefined) => ({
      portMapping: {
        state: "mapped",
        protocol: "upnp",
        external: external === undefined ? undefined : at(external),
      } as const,
    });
    expect(say(HARD, {}, mapped(undefined))).toMatch(
      /opens a port when it is asked \(UPnP\), so others can simply call/,
    );
    expect(say(HARD, {}, mapped("10.0.0.1"))).toMatch(/do not face the internet/);
    expect(say(HARD)).toMatch(/switching on UPnP/);
    expect(say({ ...EASY, filtering: "endpoint-independent" })).not.toMatch(/UPnP/);
  });

  test("IPv6 beside and instead of IPv4 (DOC-16)", () => {
    const six = (more: Partial<FamilyFacts> = {}, nat: Partial<NatProfile> = EASY) =>
      family({ hosts: [at("2001:db8::7")], reflexive: [at("2001:db8::7")], ...more }, nat);
    expect(say(HARD, {}, { ipv6: six() })).toMatch(/IPv6 works/);
    expect(say(HARD, {}, { ipv6: six({ answered: false }) })).toMatch(/Over IPv6, UDP is blocked/);
    expect(say(HARD, { answered: false }, { ipv6: six() })).toMatch(/Over IPv4, UDP is blocked/);
    expect(say(HARD, {}, { ipv6: six({}, { filtering: "endpoint-independent" }) })).toMatch(/anybody who has IPv6/);
    expect(wordsOf(reportOf(network({ ipv4: undefined, ipv6: six() })))).toMatch(/no IPv4.*IPv6 works/);
  });

  test("is one paragraph of whole sentences without addresses or words of the trade, whatever was found (DOC-16)", () => {
    fc.assert(
      fc.property(networkReport, natReport, (report, ipv4) => {
        const addresses = { hosts: ["192.168.1.7"], reflexive: ["203.0.113.9:4433"] };
        for (const each of [report, { ...report, nat: { ...report.nat, ipv4: { ...ipv4, addresses } } }]) {
          const words = wordsOf(each);
          expect(words).toMatch(/^[A-Z][^\n]*\.$/);
          expect(words).not.toMatch(/undefined|NaN|\d+\.\d+\.\d+|cone|symmetric|endpoint| {2}/);
          expect(words.length).toBeLessThan(1_400);
        }
      }),
    );
  });
});
