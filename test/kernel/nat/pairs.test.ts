/**
 * Hosts behind two NATs, by plain datagrams: what the simplest way of punching gets through and what it does not.
 *
 * @module
 */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { difficulty, FILTER_SCOPES, type FilterScope, kind, PAIRS, rulesOf } from "./kinds.ts";
import { OUTER_ADDRESSES } from "./lab.ts";
import { installPair, installRules } from "./pairs.ts";
import { classify } from "./probe.ts";
import { punch } from "./punch.ts";
import type { Rules, Translation } from "./ruleset.ts";
import { Testbed } from "./testbed.ts";

let bed: Testbed;

describe("two homes", () => {
  beforeAll(async () => {
    bed = await Testbed.create(["ha", "ha2", "hb", "pub", "pub2"]);
  });

  afterAll(() => bed?.close());

  const pairs: readonly (readonly [string, string, FilterScope])[] = [
    ["public", "APDM/APDF", "endpoint"],
    ["EIM/APDF", "EIM/APDF", "endpoint"],
    ["EIM/APDF", "APDM/ADF", "endpoint"],
    ["EIM/APDF", "APDM/ADF", "mapping"],
    ["EIM/EIF", "APDM/APDF", "mapping"],
    ["ADM/ADF", "ADM/APDF", "endpoint"],
    ["ADM/ADF", "ADM/APDF", "mapping"],
    ["APDM/APDF", "APDM/APDF", "endpoint"],
  ];

  test.each(pairs)("%s and %s, filters kept for each %s: as the table says", async (first, second, scope) => {
    const pair = [kind(first), kind(second)] as const;
    const { a, b } = await installPair(bed.lab, pair, scope);
    expect(await punch(bed.at(a), bed.at(b), bed.reflector)).toBe(difficulty(pair, scope) === "simple");
  });

  test("the table has 50 pairs that connect with filters kept for each endpoint, 41 with them kept for each mapping", () => {
    expect(PAIRS).toHaveLength(55);
    const simple = FILTER_SCOPES.map((scope) => PAIRS.filter((pair) => difficulty(pair, scope) === "simple").length);
    expect(simple).toEqual([50, 41]);
    const hopeless = FILTER_SCOPES.map(
      (scope) => PAIRS.filter((pair) => difficulty(pair, scope) === "hopeless").length,
    );
    expect(hopeless).toEqual([3, 3]);
  });

  const trap: Rules = { kind: "masquerade", acceptsInput: true };
  const safe: Rules = { kind: "masquerade", acceptsInput: false };
  const blacklisting: Rules = { ...rulesOf(kind("EIM/APDF"))!, unsolicited: "blacklist" };
  const rejecting: Rules = { ...rulesOf(kind("EIM/APDF"))!, unsolicited: "reject" };

  test.each([
    { name: "masquerading routers that drop unsolicited datagrams", rules: safe, headStart: 60, connects: true },
    { name: "masquerading routers that accept them", rules: trap, headStart: 60, connects: false },
    { name: "the same, with openers first", rules: trap, headStart: 60, openerTtl: 4, connects: true },
    { name: "blacklisting routers", rules: blacklisting, headStart: 60, connects: false },
    { name: "the same, with openers first", rules: blacklisting, headStart: 60, openerTtl: 4, connects: true },
    { name: "rejecting routers", rules: rejecting, headStart: 60, connects: true },
  ])("$name: one side sends first, connects: $connects", async ({ rules, connects, ...options }) => {
    const { a, b } = await installRules(bed.lab, rules, rules);
    expect(await punch(bed.at(a), bed.at(b), bed.reflector, options)).toBe(connects);
  });

  test.each([
    { name: "EIM/APDF", hairpin: true },
    { name: "EIM/APDF", hairpin: false },
    { name: "APDM/APDF", hairpin: true },
  ])("$name, both hosts behind it, by outer addresses, hairpin: $hairpin", async ({ name, hairpin }) => {
    await bed.lab.install("na", { ...rulesOf(kind(name))!, hairpin });
    expect(await punch(bed.at("ha"), bed.at("ha2"), bed.reflector)).toBe(hairpin);
  });
});

describe("a carrier's router in front of a home's", () => {
  beforeAll(async () => {
    bed = await Testbed.create(["hb"], { carrier: true });
  });

  afterAll(() => bed?.close());

  const kinds = ["EIM/EIF", "ADM/ADF", "APDM/APDF"] as const;
  const combinations = kinds.flatMap((home) => kinds.map((carrier) => ({ home, carrier })));

  test.each(combinations)("$home behind $carrier: the more dependent one of each counts", async (row) => {
    const { home, carrier } = { home: rulesOf(kind(row.home))!, carrier: rulesOf(kind(row.carrier))! };
    await Promise.all([bed.lab.install("nb", home), bed.lab.install("cb", carrier)]);
    const strictest: Translation = kinds.indexOf(row.home) > kinds.indexOf(row.carrier) ? home : carrier;
    const { mapping, filtering } = strictest;
    expect(await classify(bed.at("hb"), bed.reflector)).toMatchObject({ mapping, filtering });
    const socket = await bed.at("hb").open();
    expect((await bed.reflector.mapped(socket)).host).toBe(OUTER_ADDRESSES.b);
  });
});
