/**
 * The third suite: through real NATs. Rows need root, `ip`, `nft`, `cc`, `taskset`, and some of them coturn.
 *
 * @module
 */
import type { Row } from "../row.ts";
import { allocatorRows } from "./allocators.ts";
import { directRows } from "./directly.ts";
import { doctorRows } from "./doctor.ts";
import { hostileRows } from "./hostile.ts";
import { loadRows } from "./load.ts";
import { matrixRows } from "./matrix.ts";
import { routerRows } from "./routers.ts";

/** The matrix first: most of what can go wrong shows there, and the doctor's verdicts are compared with it. */
export const THROUGH_NATS: readonly Row[] = [
  ...matrixRows,
  ...allocatorRows,
  ...routerRows,
  ...directRows,
  ...doctorRows,
  ...loadRows,
  ...hostileRows,
];
