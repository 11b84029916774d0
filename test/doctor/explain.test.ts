/**
 * Explanations as timelines, with addresses and without.
 *
 * @module
 */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { address as anyAddress } from "../../fuzz/arbitraries.ts";
import type { Attempt } from "../../src/connection/events.ts";
import { type Explained, type ExplainedEvent, explain } from "../../src/doctor/explain.ts";
import { Redaction } from "../../src/doctor/redaction.ts";
import { type Address, formatAddress } from "../../src/util/machine.ts";

function at(host: string, port: number): Address {
  return { host, port, family: host.includes(":") ? 6 : 4 };
}

const SERVER = at("192.0.2.1", 3478);
const OWN = at("203.0.113.9", 40_000);
const PEER = at("198.51.100.7", 2_334);
const PEER_LATER = at("198.51.100.7", 2_335);
const PEER_SIX = at("2001:db8::7", 4_433);

const CONNECTED: Explained = {
  events: [
    { at: 0, type: "server", address: SERVER, state: "asked" },
    { at: 41, type: "observed", server: SERVER, address: OWN },
    { at: 42.4, type: "server", address: SERVER, state: "answered" },
    { at: 130, type: "candidate", side: "peer", kind: "reflexive", address: PEER },
    { at: 130, type: "candidate", side: "own", kind: "host", address: at("192.168.1.7", 40_000) },
    { at: 131, type: "round", round: 1, techniques: ["prediction"] },
    { at: 222, type: "path", kind: "direct", address: PEER_LATER, rtt: 40.25 },
  ],
  attempts: [
    { address: PEER_SIX, kind: "ticket", sent: 0, received: 0, elapsed: 0, outcome: "unsent" },
    { address: PEER, kind: "reflexive", sent: 4, received: 0, elapsed: 91, outcome: "no-answer" },
    { address: PEER_LATER, kind: "predicted", sent: 1, received: 2, elapsed: 41, outcome: "connected" },
  ],
};

const FAILED: Explained = {
  events: [
    { at: 12_000, type: "failed", code: "ERR_UNREACHABLE" },
    { at: 3, type: "note", text: "198.51.100.7:2334 and [2001:db8::7]:4433 from 10.0.0.1, at 12:30:05, v1.2" },
  ],
  attempts: [{ address: PEER, kind: "carrier", sent: 9, received: 0, elapsed: 12_000, outcome: "not-tried" }],
  hint: "ask at 198.51.100.7\nor not",
};

describe("an explanation", () => {
  test("is a timeline and a table of what was tried (DOC-17)", () => {
    expect(explain(CONNECTED)).toMatchInlineSnapshot(`
      "       0 ms  server 192.0.2.1:3478 is asked
            41 ms  server 192.0.2.1:3478 sees this side at 203.0.113.9:40000
            42 ms  server 192.0.2.1:3478 answers
           130 ms  peer's candidate 198.51.100.7:2334 (reflexive)
           130 ms  own candidate 192.168.1.7:40000 (host)
           131 ms  round 1 begins, with prediction
           222 ms  direct path to 198.51.100.7:2335, rtt 40.3 ms
      tried:
        198.51.100.7:2335   predicted  1 sent  2 received  41 ms  connected
        198.51.100.7:2334   reflexive  4 sent  0 received  91 ms  no answer
        [2001:db8::7]:4433  ticket     0 sent  0 received   0 ms  not sent: no socket of this family"
    `);
  });

  test("of a failure ends with what to do (DOC-17)", () => {
    expect(explain(FAILED)).toMatchInlineSnapshot(`
      "       3 ms  198.51.100.7:2334 and [2001:db8::7]:4433 from 10.0.0.1, at 12:30:05, v1.2
         12000 ms  failed: ERR_UNREACHABLE
      tried:
        198.51.100.7:2334  carrier  9 sent  0 received  12000 ms  not tried: nobody may make us send there
      hint: ask at 198.51.100.7 or not"
    `);
  });

  test("without addresses keeps whose they were, their family, kind, and which are equal (DOC-18)", () => {
    expect(explain(CONNECTED, { redact: true })).toMatchInlineSnapshot(`
      "       0 ms  server server-v4-1 is asked
            41 ms  server server-v4-1 sees this side at own-v4-1
            42 ms  server server-v4-1 answers
           130 ms  peer's candidate peer-v4-1 (reflexive)
           130 ms  own candidate own-v4-2 (host)
           131 ms  round 1 begins, with prediction
           222 ms  direct path to peer-v4-1.2, rtt 40.3 ms
      tried:
        peer-v4-1.2  predicted  1 sent  2 received  41 ms  connected
        peer-v4-1    reflexive  4 sent  0 received  91 ms  no answer
        peer-v6-1    ticket     0 sent  0 received   0 ms  not sent: no socket of this family"
    `);
    expect(explain(FAILED, { redact: true })).toMatchInlineSnapshot(`
      "       3 ms  peer-v4-1 and other-v6-1 from other-v4-1, at 12:30:05, v1.2
         12000 ms  failed: ERR_UNREACHABLE
      tried:
        peer-v4-1  carrier  9 sent  0 received  12000 ms  not tried: nobody may make us send there
      hint: ask at peer-v4-1 or not"
    `);
  });

  test("has a bounded number of lines, with the beginning and the end (DOC-17)", () => {
    const events = Array.from({ length: 1_000 }, (_, i): ExplainedEvent => ({ at: i, type: "note", text: `n${i}` }));
    const attempts = Array.from({ length: 300 }, (_, i): Attempt => {
      return {
        address: at("198.51.100.7", i + 1),
        kind: "predicted",
        sent: 1,
        received: 0,
        elapsed: 1,
        outcome: "no-answer",
      };
    });
    const lines = explain({ events, attempts }).split("\n");
    expect(lines).toHaveLength(64 + 1 + 64 + 1 + 64 + 1);
    expect(lines[0]).toMatch(/ 0 ms {2}n0$/);
    expect(lines[64]!.trim()).toBe("872 more");
    expect(lines[128]).toMatch(/n999$/);
    expect(lines.at(-1)).toBe("  236 more");
  });

  test("shows guessed ports as one attempt (DOC-17)", () => {
    const guessed = { address: at("198.51.100.7", 0), kind: "spray", sent: 250, received: 0, elapsed: 900 } as const;
    const explained: Explained = { attempts: [{ ...guessed, outcome: "heard" }], events: [] };
    expect(explain(explained)).toBe(
      "tried:\n  198.51.100.7:*  spray  250 sent  0 received  900 ms  heard, but no answer",
    );
    expect(explain(explained, { redact: true })).toMatch(/ {2}peer-v4-1\.\* {2}spray/);
  });

  test("of nothing is empty, and texts of others cannot forge a line (DOC-17)", () => {
    expect(explain({ attempts: [], events: [] })).toBe("");
    const text = `a\u001b[2Jb\r\nc\u202ed${"e".repeat(2_000)}`;
    expect(explain({ attempts: [], events: [{ at: 0, type: "note", text }] })).toMatch(/ms {2}a \[2Jb {2}c de{1,300}$/);
  });

  test("without addresses has none, whatever happened (DOC-18)", () => {
    fc.assert(
      fc.property(anyAddress, anyAddress, anyAddress, (own, peer, server) => {
        const text = `from ${formatAddress(peer)} to ${own.host}, by ${formatAddress(server)}.`;
        const explanation = explain(
          {
            events: [
              { at: 0, type: "observed", server, address: own },
              { at: 1, type: "note", text },
              { at: 2, type: "path", kind: "relay", address: peer, rtt: 1 },
            ],
            attempts: [{ address: peer, kind: "carrier", sent: 1, received: 1, elapsed: 3, outcome: "heard" }],
            hint: text,
          },
          { redact: true },
        );
        for (const { host } of [own, peer, server]) {
          // A host that is as short as "::1" may be part of any text.
          if (host.length > 4) expect(explanation).not.toContain(host);
        }
        expect(explanation).not.toMatch(/\d+\.\d+\.\d+\.\d+|::/);
      }),
    );
  });
});

describe("labels", () => {
  test("are equal for equal addresses, and number hosts and ports (DOC-18)", () => {
    const redaction = new Redaction();
    expect(redaction.label(PEER, "peer")).toBe("peer-v4-1");
    expect(redaction.label(PEER_LATER, "peer")).toBe("peer-v4-1.2");
    expect(redaction.label(PEER_SIX, "peer")).toBe("peer-v6-1");
    expect(redaction.label(at("198.51.100.8", 1), "peer")).toBe("peer-v4-2");
    expect(redaction.label(PEER, "own")).toBe("peer-v4-1");
    expect(redaction.label(OWN, "own")).toBe("own-v4-1");
    expect(redaction.scrub("198.51.100.7")).toBe("peer-v4-1");
    expect(redaction.label(at("198.51.100.7", 0), "peer")).toBe("peer-v4-1.*");
  });

  test.each([
    ["198.51.100.9:443 is it", "other-v4-1 is it"],
    ["at 198.51.100.9.", "at other-v4-1."],
    ["[2001:db8::9]:443!", "other-v6-1!"],
    ["fe80::1%eth0 there", "other-v6-1 there"],
    ["1:2:3:4:5:6:7:8", "other-v6-1"],
    ["::ffff:198.51.100.9", "other-v6-1"],
    ["at 12:30:05 after 1.5 s", "at 12:30:05 after 1.5 s"],
    ["00:1a:2b:3c:4d:5e", "other-v6-1"],
  ])("stand for what looks like an address: %s (DOC-18)", (text, expected) => {
    expect(new Redaction().scrub(text)).toBe(expected);
  });
});
