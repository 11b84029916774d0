/**
 * The first suite: a file goes through, end to end.
 *
 * @module
 */
import type { Row } from "../row.ts";
import { badInput } from "./bad-input.ts";
import { cleanClone } from "./clean-clone.ts";
import { earlyClose, interrupted, killed } from "./endings.ts";
import { memory } from "./memory.ts";
import { benchmark, hostile, simulation } from "./scripts.ts";
import { streams } from "./streams.ts";
import { badLink, sleeper, slowReader, transfer } from "./transfers.ts";

/** Short rows first, so that what is broken shows early. */
export const FIRST_STREAM: readonly Row[] = [
  transfer,
  earlyClose,
  killed,
  interrupted,
  badInput,
  ...streams,
  slowReader,
  sleeper,
  badLink,
  benchmark,
  hostile,
  cleanClone,
  memory,
  simulation,
];
