/**
 * Remembers which rows have passed, so that a long run can go on where it stopped. A change to anything that the rows
 * exercise forgets them all.
 *
 * @module
 */
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";

/** What a passed row depends on. */
const RELEVANT = ["src", "bin", "scripts", "test", "bench", "package-lock.json"];

/** What became of one row. */
export interface Outcome {
  readonly name: string;
  readonly passed: boolean;
  readonly figure: string;
  readonly seconds: number;
  /** When it ended, ISO 8601. */
  readonly at: string;
}

interface Kept {
  readonly fingerprint: string;
  readonly outcomes: readonly Outcome[];
}

/** The outcomes of one suite, in `.accept/` of the checkout. */
export class State {
  readonly #path: string;
  readonly #fingerprint: string;
  readonly #outcomes = new Map<string, Outcome>();

  constructor(root: string, suite: string, options: { readonly isFresh: boolean }) {
    this.#path = join(root, ".accept", `${suite}.json`);
    this.#fingerprint = fingerprintOf(root);
    const kept = options.isFresh ? undefined : readKept(this.#path);
    if (kept?.fingerprint === this.#fingerprint) for (const each of kept.outcomes) this.#outcomes.set(each.name, each);
  }

  /** The outcome of a row on this very source, if it was run. */
  outcome(name: string): Outcome | undefined {
    return this.#outcomes.get(name);
  }

  record(outcome: Outcome): void {
    this.#outcomes.set(outcome.name, outcome);
    mkdirSync(dirname(this.#path), { recursive: true });
    const kept: Kept = { fingerprint: this.#fingerprint, outcomes: [...this.#outcomes.values()] };
    writeFileSync(this.#path, `${JSON.stringify(kept, undefined, 2)}\n`);
  }
}

/** Changes with every byte of what the rows depend on, committed or not. */
function fingerprintOf(root: string): string {
  const git = (...words: readonly string[]): string =>
    execFileSync("git", words, { cwd: root, encoding: "utf8", maxBuffer: 1 << 28 });
  const hash = createHash("sha256");
  hash.update(git("ls-tree", "HEAD", ...RELEVANT));
  hash.update(git("diff", "HEAD", "--", ...RELEVANT));
  return hash.digest("hex").slice(0, 16);
}

function readKept(path: string): Kept | undefined {
  try {
    return JSON.parse(readFileSync(path, "utf8"));
  } catch {
    return undefined;
  }
}
