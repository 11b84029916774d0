/**
 * Congestion controllers by the names under which callers choose them.
 *
 * @module
 */
import { Bbr } from "./bbr/bbr.ts";
import { CarefulResume } from "./careful-resume.ts";
import type { CongestionController, ResumableController } from "./controller.ts";
import { Cubic } from "./cubic.ts";
import { Ledbat } from "./ledbat.ts";
import { NewReno } from "./new-reno.ts";
import type { PathMemory } from "./path-memory.ts";

/** The names, for checks and help texts. */
export const CONGESTION_NAMES = ["bbr", "cubic", "new-reno", "background"] as const;

/**
 * Which controller a connection has: `"bbr"`, the default, follows the rate that the path delivers and is not stopped by
 * random loss; `"cubic"` does what kernels do, with HyStart++; `"new-reno"` is the plainest;
 * `"background"` uses what other traffic leaves.
 */
export type CongestionName = (typeof CONGESTION_NAMES)[number];

/** What a controller needs from outside. */
export interface ControllerOptions {
  /** Bytes of a UDP payload on the path. */
  readonly mtu: number;
  /** Uniform in [0, 1). */
  readonly random: () => number;
  /** What earlier connections learnt, for careful resume; without it there is none. */
  readonly memory?: PathMemory | undefined;
}

/** The controller of that name, at its start. */
export function createController(name: CongestionName, options: ControllerOptions): CongestionController {
  const { mtu, memory } = options;
  // Who gives way to others does not go ahead of them.
  if (name === "background") return new Ledbat(mtu);
  const controller = createResumable(name, options);
  return memory === undefined ? controller : new CarefulResume(controller, { mtu, memory });
}

function createResumable(
  name: Exclude<CongestionName, "background">,
  { mtu, random }: ControllerOptions,
): ResumableController {
  switch (name) {
    case "bbr":
      return new Bbr({ mtu, random });
    case "cubic":
      return new Cubic(mtu);
    case "new-reno":
      return new NewReno(mtu);
  }
}
