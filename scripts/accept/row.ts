/**
 * What an acceptance row is: one claim about the product, tried at full size, with the figure that came out.
 *
 * @module
 */

/** One row. */
export interface Row {
  readonly name: string;
  /** What is shown, in one line. */
  readonly claim: string;
  /** How long it takes, about. */
  readonly minutes: number;
  /** Tries the claim. Returns the figure; throws if the claim does not hold. */
  run(place: Workplace): Promise<string>;
}

/** Where a row works. */
export interface Workplace {
  /** The checkout, built. */
  readonly root: string;
  /** An empty folder, removed afterwards. */
  readonly folder: string;
  /** Says what is going on. */
  log(text: string): void;
}

/** Fails the row unless `holds`. */
export function must(holds: boolean, otherwise: string): asserts holds {
  if (!holds) throw new Error(otherwise);
}
