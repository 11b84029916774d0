/**
 * Congestion controllers by the names under which callers choose them.
 *
 * @module
 */
import type { CongestionController } from "./controller.ts";
import { NewReno } from "./new-reno.ts";

/** The names, for checks and help texts. */
export const CONGESTION_NAMES = ["new-reno"] as const;

/** Which controller a connection has. */
export type CongestionName = (typeof CONGESTION_NAMES)[number];

/** What a controller needs from outside. */
export interface ControllerOptions {
  /** Bytes of a UDP payload on the path. */
  readonly mtu: number;
  /** Uniform in [0, 1). */
  readonly random: () => number;
}

/** The controller of that name, at its start. */
export function createController(name: CongestionName, { mtu }: ControllerOptions): CongestionController {
  switch (name) {
    case "new-reno":
      return new NewReno(mtu);
  }
}
