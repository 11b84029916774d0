import { describe, expect, test } from "vitest";
import { CONGESTION_NAMES, createController } from "../../src/congestion/create.ts";
import { checkListen } from "../../src/options.ts";

describe("the choice of a controller (CC-1)", () => {
  test.each(CONGESTION_NAMES)("%s is what it is called, and begins with a window", (name) => {
    const controller = createController(name, { mtu: 1200, random: () => 0.5 });
    expect(controller.name).toBe(name);
    expect(controller.snapshot().name).toBe(name);
    expect(controller.congestionWindow).toBeGreaterThanOrEqual(2 * 1200);
  });

  test("a connection has the one that was named", () => {
    expect(checkListen({ congestion: "cubic" }).config.congestion).toBe("cubic");
  });

  test("other names are refused with the list", () => {
    expect(() => checkListen({ congestion: "vegas" as "cubic" })).toThrow(
      expect.objectContaining({ code: "ERR_OPTION", message: expect.stringContaining(CONGESTION_NAMES.join(", ")) }),
    );
  });
});

describe("careful resume as an option (CC-66)", () => {
  test("is off unless asked for", () => {
    expect(checkListen({}).config.carefulResume).toBe(false);
    expect(checkListen({ carefulResume: true }).config.carefulResume).toBe(true);
    expect(() => checkListen({ carefulResume: 1 as unknown as boolean })).toThrow(
      expect.objectContaining({ code: "ERR_OPTION" }),
    );
  });
});
