/**
 * Real `punchline` processes for tests, from the built program.
 *
 * @module
 */
import { type ChildProcess, type SpawnOptions, spawn } from "node:child_process";
import { createHash, type Hash } from "node:crypto";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { onTestFinished } from "vitest";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));

/** The program under test. */
export const PUNCHLINE = join(ROOT, "bin/punchline.js");

if (!existsSync(join(ROOT, "dist/cli/main.js"))) throw new Error("run `npm run build` first: these tests need dist/");

/** One event of `--json`. */
export type Event = { readonly event: string; readonly time: number; readonly v: number } & Record<string, unknown>;

/** How a process ended. */
export interface End {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
  readonly events: readonly Event[];
  /** Milliseconds since the start. */
  readonly after: number;
}

/** How to start a process. */
export interface StartOptions {
  /** Text, bytes, a file descriptor, or `open`: a pipe that the test writes to. Default: empty. */
  readonly stdin?: string | Uint8Array | number | "open";
  readonly stdout?: number;
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
}

/** A running process. Whatever is left of it when the test ends is killed. */
export class Process {
  readonly child: ChildProcess;
  readonly ended: Promise<End>;
  readonly events: Event[] = [];
  readonly #startedAt = performance.now();
  readonly #hash: Hash = createHash("sha256");
  readonly #stdout: Buffer[] = [];
  readonly #waiting: { readonly name: string; readonly resolve: (event: Event) => void }[] = [];
  #received = 0;
  #stderr = "";
  #rest = "";

  constructor(command: string, args: readonly string[], options: StartOptions = {}) {
    const { stdin = "", stdout = "pipe", env, cwd } = options;
    const spawnOptions: SpawnOptions = {
      stdio: [typeof stdin === "number" ? stdin : stdin === "" ? "ignore" : "pipe", stdout, "pipe"],
      env: { ...process.env, PUNCHLINE_TICKET: "", ...env },
      cwd,
      // A group of its own, so that all of a shell's children can be ended.
      detached: true,
    };
    this.child = spawn(command, args, spawnOptions);
    this.child.stdin?.on("error", () => {});
    if (typeof stdin !== "number" && stdin !== "open") this.child.stdin?.end(stdin);
    this.child.stdout?.on("data", (chunk: Buffer) => this.#onStdout(chunk));
    this.child.stderr?.setEncoding("utf8").on("data", (text: string) => this.#onStderr(text));
    this.ended = new Promise((resolve, reject) => {
      this.child.once("error", reject);
      this.child.once("close", (code, signal) => {
        const stdoutText = Buffer.concat(this.#stdout).toString();
        const after = performance.now() - this.#startedAt;
        resolve({ code, signal, stdout: stdoutText, stderr: this.#stderr, events: this.events, after });
      });
    });
    onTestFinished(() => this.killGroup());
  }

  /** The next event of this name, or one that has already come. */
  async event(name: string): Promise<Event> {
    const known = this.events.find((event) => event.event === name);
    if (known !== undefined) return known;
    const coming = new Promise<Event>((resolve) => this.#waiting.push({ name, resolve }));
    const ended = this.ended.then((end) => {
      throw new Error(`ended with ${end.code} before ${name}: ${end.stderr}`);
    });
    return Promise.race([coming, ended]);
  }

  /** The ticket of a listener, once it can be reached. */
  async ticket(): Promise<string> {
    const { ticket } = await this.event("listening");
    return String(ticket);
  }

  /** Resolves when standard output has given that many bytes. */
  async received(bytes: number): Promise<void> {
    while (this.#received < bytes) await pause(10);
  }

  kill(signal: NodeJS.Signals): void {
    this.child.kill(signal);
  }

  killGroup(): void {
    try {
      process.kill(-this.child.pid!, "SIGKILL");
    } catch {
      // It has ended.
    }
  }

  /** SHA-256 of standard output so far. */
  get sha256(): string {
    return this.#hash.copy().digest("hex");
  }

  /** Standard output so far. */
  get text(): string {
    return Buffer.concat(this.#stdout).toString();
  }

  /** Standard error so far. */
  get said(): string {
    return this.#stderr;
  }

  get stderr(): string {
    return this.#stderr;
  }

  #onStdout(chunk: Buffer): void {
    this.#received += chunk.length;
    this.#hash.update(chunk);
    if (this.#received < 1_000_000) this.#stdout.push(chunk);
  }

  #onStderr(text: string): void {
    this.#stderr += text;
    this.#rest += text;
    const lines = this.#rest.split("\n");
    this.#rest = lines.pop()!;
    for (const line of lines) {
      if (!line.startsWith("{")) continue;
      const event = JSON.parse(line) as Event;
      this.events.push(event);
      for (const { name, resolve } of this.#waiting) if (name === event.event) resolve(event);
    }
  }
}

/** Starts `punchline` with these arguments. */
export function start(args: readonly string[], options: StartOptions = {}): Process {
  return new Process(process.execPath, [PUNCHLINE, ...args], options);
}

/** Starts a shell line in which `$PUNCHLINE` is the program. */
export function startShell(line: string, options: StartOptions = {}): Process {
  return new Process("bash", ["-c", line], {
    ...options,
    env: { PUNCHLINE: `${process.execPath} ${PUNCHLINE}`, ...options.env },
  });
}

/** Runs `punchline` to its end. */
export function run(args: readonly string[], options: StartOptions = {}): Promise<End> {
  return start(args, options).ended;
}

/** A listener on loopback that reports events. */
export function listen(args: readonly string[] = [], options: StartOptions = {}): Process {
  return start(["listen", "--json", "--host", "127.0.0.1", ...args], options);
}

/** A connection to a listener, which reports events. */
export async function connect(
  listener: Process,
  args: readonly string[] = [],
  options: StartOptions = {},
): Promise<Process> {
  return start(["connect", await listener.ticket(), "--json", ...args], options);
}

/** A folder that is gone after the test. */
export function folder(): string {
  const path = mkdtempSync(join(tmpdir(), "punchline-test-"));
  onTestFinished(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

export function sha256(data: string | Uint8Array): string {
  return createHash("sha256").update(data).digest("hex");
}

export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** Bytes that nothing makes smaller and no mistake leaves equal. */
export function sampleBytes(size: number, seed = 1): Buffer {
  const bytes = Buffer.alloc(size);
  let state = seed;
  for (let i = 0; i < size; i++) {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    bytes[i] = state >>> 16;
  }
  return bytes;
}
