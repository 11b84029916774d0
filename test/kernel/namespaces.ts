/**
 * Network namespaces of one laboratory: made together, removed together, and found again if their maker was killed.
 *
 * Their names say which process made them. Before new ones are made, those whose maker has ended are removed, with the
 * programs that still run in them.
 *
 * @module
 */
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readdirSync } from "node:fs";

/** Starts the names of all namespaces here; then come the maker's process id and a serial number. */
const PREFIX = "punchline-";

/** Where `ip netns` keeps the names. */
const NAMES = "/run/netns";

let serial = 0;
/** Laboratories that this process has not closed. */
const open = new Set<Namespaces>();

/** Namespaces by short names. */
export class Namespaces {
  readonly #prefix: string;
  readonly #names: readonly string[];

  /** Makes a namespace for each of the names, with its loopback up. */
  constructor(names: readonly string[]) {
    if (serial === 0) {
      removeLeftovers();
      cleanUpAtExit();
    }
    serial += 1;
    this.#prefix = `${PREFIX}${process.pid}-${serial}-`;
    this.#names = names;
    open.add(this);
    shell(names.map((name) => `ip netns add ${this.full(name)}; ip -n ${this.full(name)} link set lo up`));
  }

  /** The name that the system knows. */
  full(name: string): string {
    return `${this.#prefix}${name}`;
  }

  /** What to put in front of a command so that it runs in a namespace. */
  prefix(name: string): readonly string[] {
    return ["ip", "netns", "exec", this.full(name)];
  }

  /** Runs a program in a namespace until it has ended, with `input` on its standard input. Throws if it fails. */
  async run(name: string, command: readonly string[], input = ""): Promise<void> {
    await runToEnd([...this.prefix(name), ...command], input);
  }

  /** Ends what runs in the namespaces and removes them. */
  remove(): void {
    if (!open.delete(this)) return;
    removeAll(this.#names.map((name) => this.full(name)));
  }
}

/** Runs lines of shell, one after the other. Throws at the first that fails. */
export function shell(lines: readonly string[]): void {
  execFileSync("sh", ["-e"], { input: lines.join("\n"), stdio: ["pipe", "inherit", "inherit"] });
}

/** Runs a program until it has ended. Throws if it fails, with what it said. */
export async function runToEnd([program = "", ...words]: readonly string[], input = ""): Promise<void> {
  const child = spawn(program, words, { stdio: ["pipe", "ignore", "pipe"] });
  let said = "";
  child.stderr.on("data", (chunk) => (said += chunk));
  // A program that ends before it has read everything says why by itself.
  child.stdin.on("error", () => {});
  child.stdin.end(input);
  const [code] = await once(child, "close");
  if (code !== 0) throw new Error(`${[program, ...words].join(" ")}: exit ${code}: ${said.trim().slice(0, 2000)}`);
}

/** Removes the namespaces of processes that have ended. */
function removeLeftovers(): void {
  if (!existsSync(NAMES)) return;
  removeAll(
    readdirSync(NAMES).filter((name) => {
      const maker = name.startsWith(PREFIX) ? Number.parseInt(name.slice(PREFIX.length), 10) : Number.NaN;
      return Number.isInteger(maker) && maker !== process.pid && !existsSync(`/proc/${maker}`);
    }),
  );
}

function removeAll(names: readonly string[]): void {
  shell(names.map((name) => `kill -9 $(ip netns pids ${name}) 2>/dev/null || true; ip netns del ${name}`));
}

function cleanUpAtExit(): void {
  process.once("exit", () => {
    for (const each of open) each.remove();
  });
  // Without a handler a signal would end the process without the event above.
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.once(signal, () => process.exit(1));
}
