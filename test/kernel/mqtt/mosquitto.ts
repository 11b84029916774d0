/**
 * Debian's mosquitto, with a configuration of its own: one port, anybody may come, nothing is kept.
 *
 * @module
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";

/** Where the broker listens; `prefix` is what to put in front of its command. */
export interface MosquittoOptions {
  readonly host: string;
  readonly port: number;
  readonly prefix?: readonly string[];
}

/** A broker that is running. */
export interface Mosquitto {
  close(): Promise<void>;
}

/** Starts one; resolves when clients may come. */
export async function startMosquitto({ host, port, prefix = [] }: MosquittoOptions): Promise<Mosquitto> {
  const folder = mkdtempSync(join(tmpdir(), "punchline-mosquitto-"));
  const file = join(folder, "mosquitto.conf");
  writeFileSync(
    file,
    `listener ${port} ${host}\nallow_anonymous true\npersistence false\nlog_dest stderr\nuser root\n`,
  );
  const [command = "", ...words] = [...prefix, "mosquitto", "-c", file];
  const broker = spawn(command, words, { stdio: ["ignore", "ignore", "pipe"] });
  const ended = once(broker, "close").then(() => "ended" as const);
  const lines = createInterface({ input: broker.stderr });
  const running = new Promise<"running">((resolve) => {
    lines.on("line", (line) => {
      if (line.endsWith("running")) resolve("running");
    });
  });
  const close = async (): Promise<void> => {
    broker.kill("SIGTERM");
    await ended;
    rmSync(folder, { recursive: true, force: true });
  };
  if ((await Promise.race([running, ended])) === "running") return { close };
  await close();
  throw new Error("mosquitto did not start");
}
