/**
 * One side of a connection: the command in a pipeline of its own, as a user would type it, watched from outside.
 *
 * @module
 */
import { type ChildProcess, spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import type { Workplace } from "../row.ts";

/** What stands around the command in its pipeline: `before | punchline … redirect | after`. */
export interface Pipeline {
  /** The command's arguments, ready for a shell. */
  readonly args: string;
  /** What feeds its standard input. */
  readonly before?: string;
  /** Redirections, such as `< in > out`. Without any, standard input is empty and output is discarded. */
  readonly redirect?: string;
  /** What reads its standard output. */
  readonly after?: string;
  /** What to put before the shell, such as the entry to a namespace. */
  readonly prefix?: readonly string[];
}

/** How the command ended. */
export interface Exit {
  /** Its own exit code, or that of the shell for a signal: 128 plus the number. */
  readonly code: number;
  /** When, in ms since 1970. */
  readonly at: number;
}

/** An event of `--json`; the fields depend on `event`. */
export type SideEvent = Readonly<Record<string, unknown>> & { readonly event: string; readonly time: number };

/** Pause between two looks at a process that is about to start or to end, in ms. */
const GLANCE = 10;

const STACK_TRACE = /^\s+at .+[:(]\d+/m;

/** A running side. */
export class Side {
  readonly name: string;
  readonly exit: Promise<Exit>;
  readonly events: SideEvent[] = [];
  readonly #shell: ChildProcess;
  readonly #listeners = new Set<(event: SideEvent) => void>();
  #said = "";
  #pid: number | undefined;
  #hasExited = false;

  constructor(name: string, pipeline: Pipeline, place: Workplace) {
    this.name = name;
    const [command = "", ...words] = [...(pipeline.prefix ?? []), "bash", "-c", scriptOf(pipeline)];
    this.#shell = spawn(command, words, {
      cwd: place.folder,
      stdio: ["ignore", "ignore", "pipe"],
      env: { ...process.env, PUNCHLINE: join(place.root, "bin", "punchline.js") },
    });
    this.exit = new Promise((resolve) => {
      this.#shell.once("close", (code, signal) => {
        this.#hasExited = true;
        resolve({ code: code ?? 128 + (signal === "SIGKILL" ? 9 : 15), at: Date.now() });
      });
    });
    createInterface({ input: this.#shell.stderr! }).on("line", (line) => this.#onLine(line));
  }

  /** All that it said on stderr and that is no event. */
  get said(): string {
    return this.#said;
  }

  /** Whether a stack trace was shown to the user. */
  get showsStackTrace(): boolean {
    return STACK_TRACE.test(this.#said);
  }

  get hasExited(): boolean {
    return this.#hasExited;
  }

  /** The latest event of a kind. */
  latest(kind: string): SideEvent | undefined {
    return this.events.findLast((event) => event.event === kind);
  }

  /** Calls `listener` for each event from now on. */
  onEvent(listener: (event: SideEvent) => void): void {
    this.#listeners.add(listener);
  }

  /** Waits for an event of a kind; fails if the command ends without one. */
  async next(kind: string): Promise<SideEvent> {
    for (;;) {
      const event = this.latest(kind);
      if (event !== undefined) return event;
      if (this.#hasExited) throw new Error(`${this.name} ended without ${kind}: ${this.summary()}`);
      await sleep(GLANCE);
    }
  }

  /** Sends a signal to the command itself, not to what stands around it. */
  async kill(signal: NodeJS.Signals): Promise<void> {
    process.kill(await this.pid(), signal);
  }

  /** Ends everything that is left. */
  stop(): void {
    if (this.#hasExited) return;
    if (this.#pid !== undefined) killQuietly(this.#pid);
    this.#shell.kill("SIGKILL");
  }

  /** Resident memory of the command now, in bytes. 0 once it has ended. */
  residentBytes(): number {
    if (this.#pid === undefined) return 0;
    const kilobytes = /^VmRSS:\s+(\d+) kB/m.exec(readOr(`/proc/${this.#pid}/status`, ""))?.[1];
    return Number(kilobytes ?? 0) * 1024;
  }

  /** The process id of the command. */
  async pid(): Promise<number> {
    while (this.#pid === undefined) {
      this.#pid = findCommand(this.#shell.pid ?? 0);
      if (this.#pid !== undefined) break;
      if (this.#hasExited) throw new Error(`${this.name} ended at once: ${this.summary()}`);
      await sleep(GLANCE);
    }
    return this.#pid;
  }

  /** The last things that it said, for messages. */
  summary(): string {
    const error = this.latest("error");
    return [error === undefined ? "" : `${error.code}: ${error.message}`, this.#said.trim()]
      .filter(Boolean)
      .join("; ")
      .slice(-400);
  }

  #onLine(line: string): void {
    const event = parseEvent(line);
    if (event === undefined) {
      this.#said += `${line}\n`;
      return;
    }
    this.events.push(event);
    for (const listener of this.#listeners) listener(event);
  }
}

/** The shell's own standard input and output are /dev/null, so that is what is left where nothing else is said. */
function scriptOf({ before, args, redirect = "", after }: Pipeline): string {
  const stages = [before, `node "$PUNCHLINE" ${args} ${redirect}`, after].filter((stage) => stage !== undefined);
  const place = before === undefined ? 0 : before.split("|").length;
  return `${stages.join(" | ")}; exit \${PIPESTATUS[${place}]}`;
}

function parseEvent(line: string): SideEvent | undefined {
  if (!line.startsWith('{"v":')) return undefined;
  return JSON.parse(line);
}

/** The process below `pid` that runs the command. */
function findCommand(pid: number): number | undefined {
  if (readOr(`/proc/${pid}/cmdline`, "").split("\0")[1]?.endsWith("punchline.js")) return pid;
  const children = readOr(`/proc/${pid}/task/${pid}/children`, "").trim();
  if (children === "") return undefined;
  for (const child of children.split(" ")) {
    const found = findCommand(Number(child));
    if (found !== undefined) return found;
  }
  return undefined;
}

function readOr(path: string, otherwise: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return otherwise;
  }
}

function killQuietly(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // It has ended meanwhile.
  }
}
