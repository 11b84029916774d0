/**
 * The second suite: every link is filled.
 *
 * Rows on kernel links need root. `PUNCHLINE_TWOHOSTS` lets another emulator than the project's own make the links.
 *
 * @module
 */
import { memory } from "../first-stream/memory.ts";
import type { Row } from "../row.ts";
import { linkRows } from "./links.ts";
import { controllers, mtu, mtuOnKernel, networkCases, throughput, windows } from "./scripts.ts";
import { besideTcp, lateComer, twoOfOurs } from "./sharing.ts";

/** What needs a quiet machine first. */
export const FILL_LINKS: readonly Row[] = [
  throughput,
  ...linkRows,
  besideTcp,
  twoOfOurs,
  lateComer,
  networkCases,
  controllers,
  mtu,
  mtuOnKernel,
  windows,
  memory,
];
