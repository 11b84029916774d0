/**
 * STUN servers and a client as programs of their own, each in the namespace of a host.
 *
 * Debian's packages coturn and stun-server, and our own answers.
 *
 * @module
 */
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import type { Order, Report } from "./explorer-program.ts";

/** Servers that can be asked. */
export type ServerName = "coturn" | "stund" | "own with diagnostics" | "own";

/** Two addresses of the server, and its ports. */
export const PORTS = { primary: 3478, other: 3479 } as const;

/** How long a program may take to start, in ms. */
const PATIENCE = 10_000;

/** A program that runs until it is stopped. */
export class Server {
  readonly #child: ChildProcess;
  readonly #folder: string;

  /** Starts a server at both addresses and waits until it is bound. Throws if it isn't installed. */
  static async start(name: ServerName, prefix: readonly string[], hosts: readonly [string, string]): Promise<Server> {
    const folder = mkdtempSync(join(tmpdir(), "punchline-stun-"));
    const [command = "", ...words] = [...prefix, ...commandOf(name, hosts, folder)];
    const child = spawn(command, words, { stdio: ["ignore", "pipe", "pipe"] });
    let said = "";
    for (const stream of [child.stdout, child.stderr]) stream.on("data", (chunk) => (said += chunk));
    let failure = "";
    child.on("error", (error) => (failure = error.message));
    const deadline = performance.now() + PATIENCE;
    while (!isBound(prefix)) {
      if (failure !== "" || child.exitCode !== null || performance.now() > deadline) {
        rmSync(folder, { recursive: true, force: true });
        throw new Error(`${name} did not start: ${failure} ${said.slice(-2000)}`);
      }
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    return new Server(child, folder);
  }

  private constructor(child: ChildProcess, folder: string) {
    this.#child = child;
    this.#folder = folder;
  }

  /** Ends the program. */
  async stop(): Promise<void> {
    if (this.#child.exitCode === null && this.#child.signalCode === null) {
      this.#child.kill("SIGKILL");
      await once(this.#child, "close");
    }
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

/** A host that asks. */
export class Explorer {
  readonly #child: ChildProcess;
  readonly #reports: NodeJS.AsyncIterator<string>;

  constructor(prefix: readonly string[]) {
    const path = fileURLToPath(new URL("explorer-program.ts", import.meta.url));
    const [command = "", ...words] = [...prefix, process.execPath, "--import", "tsx", path];
    this.#child = spawn(command, words, { stdio: ["pipe", "pipe", "inherit"] });
    this.#child.stdin!.on("error", () => {});
    this.#reports = createInterface({ input: this.#child.stdout! })[Symbol.asyncIterator]();
  }

  /** Does as it is told and waits for the report. */
  async obey(order: Order & { readonly order: "discover" }): Promise<Extract<Report, { profile: unknown }>>;
  async obey(order: Order & { readonly order: "ask" }): Promise<Extract<Report, { event: unknown }>>;
  async obey(order: Order): Promise<Report> {
    this.#child.stdin!.write(`${JSON.stringify(order)}\n`);
    const { value, done } = await this.#reports.next();
    if (done === true) throw new Error("the program on the host has ended");
    return JSON.parse(value);
  }

  /** Ends the program. */
  async stop(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    this.#child.stdin!.end();
    await once(this.#child, "close");
  }
}

function commandOf(name: ServerName, [a, b]: readonly [string, string], folder: string): readonly string[] {
  const { primary, other } = PORTS;
  switch (name) {
    case "coturn":
      return [
        "turnserver",
        "-n",
        `--listening-ip=${a}`,
        `--listening-ip=${b}`,
        `--listening-port=${primary}`,
        `--alt-listening-port=${other}`,
        "--stun-only",
        "--no-tls",
        "--no-dtls",
        "--no-tcp",
        "--no-cli",
        "--relay-threads=1",
        "--log-file=stdout",
        "--simple-log",
        `--pidfile=${join(folder, "pid")}`,
        `--userdb=${join(folder, "db")}`,
      ];
    case "stund":
      return ["stund", "-h", a, "-a", b, "-p", `${primary}`, "-o", `${other}`];
    case "own with diagnostics":
    case "own": {
      const path = fileURLToPath(new URL("server-program.ts", import.meta.url));
      return [process.execPath, "--import", "tsx", path, name === "own" ? "plain" : "diagnostics", a, b];
    }
  }
}

/** Whether all four places are open. */
function isBound(prefix: readonly string[]): boolean {
  const [command = "", ...words] = [...prefix, "ss", "-Huln"];
  const lines = execFileSync(command, words, { encoding: "utf8" }).split("\n");
  return Object.values(PORTS).every((port) => lines.filter((line) => line.includes(`:${port} `)).length >= 2);
}
