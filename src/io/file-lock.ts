/**
 * A lock beside a file, so that two live processes do not use it at once.
 *
 * The lock is a file that names its owner: process id and, where the system tells, when that process began. A lock
 * whose owner is gone is taken over.
 *
 * @module
 */
import { linkSync, mkdirSync, readFileSync, renameSync, unlinkSync, writeFileSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { randomBytes } from "../crypto/primitives.ts";
import { toHex } from "../util/bytes.ts";
import { PunchlineError } from "./errors.ts";

/** Locks of this process. */
const held = new Set<string>();

/** A lock that is held until {@link release}. */
export class FileLock {
  readonly #path: string;
  #isHeld = true;

  private constructor(path: string) {
    this.#path = path;
  }

  /**
   * Locks `path`, which need not exist; the folder it lies in is made if there is none.
   *
   * @throws {@link PunchlineError} `ERR_IDENTITY` if somebody else holds the lock.
   */
  static acquire(path: string): FileLock {
    const lockPath = `${resolve(path)}.lock`;
    makeFolder(lockPath);
    if (held.has(lockPath)) throw inUse(path, "this process");
    if (!create(lockPath)) {
      const owner = readOwner(lockPath);
      if (owner !== undefined && isAlive(owner)) throw inUse(path, `process ${pidOf(owner)}`, lockPath);
      if (owner !== undefined) takeAway(lockPath, owner);
      if (!create(lockPath)) throw inUse(path, "another process", lockPath);
    }
    held.add(lockPath);
    return new FileLock(lockPath);
  }

  /** Gives the lock back. */
  release(): void {
    if (!this.#isHeld) return;
    this.#isHeld = false;
    held.delete(this.#path);
    try {
      unlinkSync(this.#path);
    } catch {
      // Whoever removed it has done our work.
    }
  }
}

function makeFolder(lockPath: string): void {
  try {
    mkdirSync(dirname(lockPath), { recursive: true, mode: 0o700 });
  } catch (cause) {
    throw new PunchlineError("ERR_IDENTITY", `cannot make the folder ${dirname(lockPath)}`, { cause });
  }
}

/** Makes the lock file, whole from the first moment; false if there is one. */
function create(lockPath: string): boolean {
  const draft = `${lockPath}.${toHex(randomBytes(6))}`;
  try {
    writeFileSync(draft, ownerOf(process.pid), { flag: "wx", mode: 0o600 });
    try {
      linkSync(draft, lockPath);
    } finally {
      unlinkSync(draft);
    }
    return true;
  } catch (cause) {
    if (cause instanceof Error && "code" in cause && cause.code === "EEXIST") return false;
    throw new PunchlineError("ERR_IDENTITY", `cannot make the lock file ${lockPath}`, { cause });
  }
}

/** Removes a dead owner's lock, but no other that has taken its place since it was read. */
function takeAway(lockPath: string, owner: string): void {
  const aside = `${lockPath}.${toHex(randomBytes(6))}`;
  try {
    renameSync(lockPath, aside);
    if (readOwner(aside) !== owner) linkSync(aside, lockPath);
    unlinkSync(aside);
  } catch {
    // Somebody else was faster; making the lock will tell.
  }
}

function readOwner(lockPath: string): string | undefined {
  try {
    return readFileSync(lockPath, "utf8");
  } catch {
    return undefined;
  }
}

function ownerOf(pid: number): string {
  return `${pid} ${startOf(pid)}`;
}

function pidOf(owner: string): number {
  return Number.parseInt(owner, 10);
}

function isAlive(owner: string): boolean {
  const pid = pidOf(owner);
  // A lock with our own number that we do not hold is from an earlier life.
  if (!(pid > 0) || pid === process.pid) return false;
  try {
    process.kill(pid, 0);
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "EPERM")) return false;
  }
  const start = startOf(pid);
  return start === "" || owner.endsWith(` ${start}`);
}

/** When a process began, in a form that only this system understands; empty if it does not tell. */
function startOf(pid: number): string {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    // The name, in parentheses, may hold anything; the start time is the 20th field after it.
    return stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19] ?? "";
  } catch {
    return "";
  }
}

function inUse(path: string, owner: string, lockPath?: string): PunchlineError {
  const hint =
    lockPath === undefined
      ? "close the other listener first"
      : `stop the other listener; if there is none, remove ${lockPath}`;
  return new PunchlineError("ERR_IDENTITY", `the identity file ${path} is in use by ${owner}`, { hint });
}
