/**
 * Two agents find each other through a server, whatever lies in front of them.
 *
 * @module
 */
import { describe, expect, test } from "vitest";
import { kind } from "../sim/punch-pair.ts";
import { Lab } from "./lab.ts";

/** Round trip between any two hosts of the laboratory, in ms. */
const R = 40;

describe("the first byte", () => {
  test("of two port-restricted cones arrives four and a half round trips and the opener's lead after the call", () => {
    const cone = kind("endpoint-independent", "address-and-port-dependent");
    const lab = new Lab({ dialer: { nat: cone }, listener: { nat: cone } });
    expect(lab.tryPair().ms).toBeLessThanOrEqual(4.5 * R + 20);
  });
});
