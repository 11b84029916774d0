/**
 * Counted checks: each is named, runs whatever became of the ones before it, and ends in one line.
 *
 * @module
 */

/** A list of checks and what became of them. */
export class Checks {
  #passed = 0;
  #failed = 0;

  /** Runs one check; it fails by throwing. What it returns is shown beside its name. */
  async check(name: string, body: () => unknown): Promise<void> {
    try {
      const note = await body();
      this.#passed += 1;
      console.log(`ok    ${name}${typeof note === "string" ? `: ${note}` : ""}`);
    } catch (error) {
      this.#failed += 1;
      console.log(`FAIL  ${name}: ${error instanceof Error ? error.message : String(error)}`);
    }
  }

  /** Prints the count and sets the exit code of this process. */
  finish(): void {
    console.log(`${this.#passed} passed, ${this.#failed} failed`);
    if (this.#failed > 0) process.exitCode = 1;
  }
}
