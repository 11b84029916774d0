/**
 * Limits as operators name them.
 *
 * @module
 */
import { describe, expect, test } from "vitest";
import { serve } from "../../src/serve.ts";
import { DEFAULT_ADMISSION } from "../../src/server/admission.ts";
import { type LimitName, limitsFrom, SERVER_LIMITS } from "../../src/server/limit-options.ts";
import { DEFAULT_LIMITS } from "../../src/server/limits.ts";
import { DEFAULT_STUN_RATES } from "../../src/server/stun-rates.ts";

const NAMES = Object.keys(SERVER_LIMITS) as LimitName[];

describe("limits of a server (RDV-21)", () => {
  test("are the documented ones unless something is said", () => {
    const usual = { limits: DEFAULT_LIMITS, admission: DEFAULT_ADMISSION, stunRates: DEFAULT_STUN_RATES };
    expect(limitsFrom({})).toEqual(usual);
    expect(limitsFrom(Object.fromEntries(NAMES.map((name) => [name, SERVER_LIMITS[name].default])))).toEqual(usual);
  });

  test.each(NAMES)("%s changes something, and nothing else does", (name) => {
    const changed = JSON.stringify(limitsFrom({ [name]: 7 }));
    expect(changed).not.toBe(JSON.stringify(limitsFrom({})));
    for (const other of NAMES) if (other !== name) expect(JSON.stringify(limitsFrom({ [other]: 7 }))).not.toBe(changed);
  });

  test("rates keep the relation of their burst, and nobody gets more without a cookie than with one", () => {
    const { admission, limits, stunRates } = limitsFrom({ handshakesPerSource: 5, invitesPerSlot: 40, stunTotal: 10 });
    expect(admission.perSource).toEqual({ perSecond: 5, burst: 20 });
    expect(admission.unprovenPerSource).toEqual({ perSecond: 5, burst: 20 });
    expect(limits.inviteRatePerSlot).toEqual({ perSecond: 40, burst: 200 });
    expect(stunRates.total).toEqual({ perSecond: 10, burst: 20 });
  });

  test.each([
    { limits: { sessions: 0 }, says: "limit sessions is a whole number from 1 to 1048576, not 0" },
    { limits: { slots: 1.5 }, says: "limit slots is" },
    { limits: { stunTotal: 1_000_001 }, says: "limit stunTotal is" },
    { limits: { callsBegun: "16" as unknown as number }, says: "limit callsBegun is" },
    { limits: { toString: 1 } as object, says: "no limit is called toString" },
  ])("serve() refuses $limits (CLI-40)", async ({ limits, says }) => {
    await expect(serve({ host: "127.0.0.1", limits })).rejects.toMatchObject({
      code: "ERR_OPTION",
      message: expect.stringContaining(says),
    });
  });
});
