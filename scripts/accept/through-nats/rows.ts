/**
 * The third suite: through real NATs. Rows need root, `ip`, `nft` and `cc`; some of them coturn.
 *
 * @module
 */
import type { Row } from "../row.ts";
import { allocatorRows } from "./allocators.ts";
import { matrixRows } from "./matrix.ts";
import { routerRows } from "./routers.ts";

/** The matrix first: most of what can go wrong shows there, and later rows compare with it. */
export const THROUGH_NATS: readonly Row[] = [...matrixRows, ...allocatorRows, ...routerRows];
