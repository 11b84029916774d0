/**
 * The file that keeps a private key, and the tickets that were given out with it.
 *
 * The file is JSON, readable by its owner only, and always replaced as a whole: written beside, flushed, renamed. What
 * is wrong with it is an error, never a reason to make a new one: the key is all that makes the old tickets valid.
 *
 * @module
 */
import {
  closeSync,
  constants,
  fchmodSync,
  fstatSync,
  fsyncSync,
  linkSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  unlinkSync,
  writeFileSync,
} from "node:fs";
import { dirname, resolve } from "node:path";
import { randomBytes, sha256 } from "../crypto/primitives.ts";
import { decodeTicket, encodeTicket, type TicketFields } from "../ticket/ticket.ts";
import { toHex } from "../util/bytes.ts";
import { PunchlineError } from "./errors.ts";
import { Identity } from "./identity.ts";

/** A ticket as the file keeps it. */
export interface KeptTicket {
  /** The ticket's public name. */
  readonly id: string;
  readonly fields: TicketFields;
  /** Connections that it may still open; `Infinity` for no limit. */
  readonly usesLeft: number;
  readonly isRevoked: boolean;
  /** Whether it is the one that the listener shows at its start. */
  readonly isMain: boolean;
  /** Unix seconds when it was used up or revoked. */
  readonly endedAt: number | undefined;
}

/** What the file holds. */
export interface IdentityFile {
  readonly identity: Identity;
  readonly tickets: readonly Omit<KeptTicket, "id">[];
}

// Specification

/** Version of the format (spec/errors.md#identity-file). */
const VERSION = 1;

// Implementation

/** Largest file that is read: some 10,000 tickets. */
const MAX_FILE_SIZE = 4 * 1024 * 1024;

/** Permission bits of everybody but the owner. */
const OTHERS = 0o077;

/** Windows has neither owners nor these bits: access is what the folder's list says. */
const HAS_MODES = process.platform !== "win32";

/**
 * Reads the identity that a file keeps, or makes the file with a new one: what `connect({ identity: path })` does, for
 * those who want to know their key before.
 *
 * @throws {@link PunchlineError} `ERR_IDENTITY`.
 */
export function loadIdentity(path: string): Identity {
  return readOrCreate(path).identity;
}

/**
 * Reads the identity in an option: from its file, which is made if there is none.
 *
 * @throws {@link PunchlineError} `ERR_IDENTITY`.
 */
export function identityFor(option: string | Identity | undefined): Identity {
  if (option === undefined) return Identity.generate();
  return typeof option === "string" ? loadIdentity(option) : option;
}

/**
 * Reads the file, or makes one with a new key, and the folder it lies in.
 *
 * @throws {@link PunchlineError} `ERR_IDENTITY`.
 */
export function readOrCreate(path: string): IdentityFile {
  const known = read(path);
  if (known !== undefined) return known;
  const created: IdentityFile = { identity: Identity.generate(), tickets: [] };
  try {
    makeFolder(path);
    const draft = writeDraft(path, created);
    try {
      // Unlike a rename, a link does not replace what another process has made meanwhile.
      linkSync(draft, path);
    } finally {
      unlinkSync(draft);
    }
    syncFolder(path);
    return created;
  } catch (cause) {
    const other = hasCode(cause, "EEXIST") ? read(path) : undefined;
    if (other !== undefined) return other;
    throw failure(path, "cannot be made", cause);
  }
}

/**
 * Replaces the file.
 *
 * @throws {@link PunchlineError} `ERR_IDENTITY`; the old file is untouched then.
 */
export function write(path: string, content: IdentityFile): void {
  try {
    renameSync(writeDraft(path, content), path);
    syncFolder(path);
  } catch (cause) {
    throw failure(path, "cannot be written", cause);
  }
}

/** Makes the folder that `path` lies in, if there is none. */
function makeFolder(path: string): void {
  mkdirSync(dirname(resolve(path)), { recursive: true, mode: 0o700 });
}

function read(path: string): IdentityFile | undefined {
  const text = readPrivate(path);
  return text === undefined ? undefined : parse(path, text);
}

/** The text of a file that nobody else can read; `undefined` if there is no such file. */
function readPrivate(path: string): string | undefined {
  let file: number;
  try {
    // O_NONBLOCK: a named pipe must not hold up the process before it is refused.
    file = openSync(path, constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0) | (constants.O_NONBLOCK ?? 0));
  } catch (cause) {
    if (hasCode(cause, "ENOENT")) return undefined;
    throw failure(path, hasCode(cause, "ELOOP") ? "is a symbolic link" : "cannot be read", cause);
  }
  try {
    const { mode, uid, size } = fstatSync(file);
    if ((mode & constants.S_IFMT) !== constants.S_IFREG) throw failure(path, "is not a regular file");
    if (HAS_MODES && uid !== process.getuid?.()) throw failure(path, "belongs to another user");
    if (HAS_MODES && (mode & OTHERS) !== 0) {
      throw failure(path, "can be read or written by others", undefined, "chmod 600 it, if nobody else had access");
    }
    if (size > MAX_FILE_SIZE) throw failure(path, "is too large");
    return readFileSync(file, "utf8");
  } finally {
    closeSync(file);
  }
}

/** Writes a new file beside `path` and returns its name. */
function writeDraft(path: string, content: IdentityFile): string {
  const draft = `${path}.${toHex(randomBytes(6))}.new`;
  const file = openSync(draft, "wx", 0o600);
  try {
    // The umask may have taken bits away from the owner.
    fchmodSync(file, 0o600);
    // Unlike `writeSync`, this goes on until all is written: a disk that is nearly full takes a part without an error.
    writeFileSync(file, serialize(content));
    fsyncSync(file);
  } catch (error) {
    closeSync(file);
    unlinkSync(draft);
    throw error;
  }
  closeSync(file);
  return draft;
}

/** Makes a rename survive a power cut; not every system lets a folder be flushed. */
function syncFolder(path: string): void {
  try {
    const folder = openSync(dirname(resolve(path)), constants.O_RDONLY);
    try {
      fsyncSync(folder);
    } finally {
      closeSync(folder);
    }
  } catch {
    // The file itself was flushed.
  }
}

function serialize(content: IdentityFile): string {
  const tickets = content.tickets.map((ticket) => ({
    ticket: encodeTicket(ticket.fields, sha256),
    usesLeft: ticket.usesLeft === Number.POSITIVE_INFINITY ? "unlimited" : ticket.usesLeft,
    revoked: ticket.isRevoked,
    main: ticket.isMain,
    endedAt: ticket.endedAt,
  }));
  const { identity } = content;
  const file = { punchline: VERSION, publicKey: identity.key, privateKey: toHex(identity.exportPrivateKey()), tickets };
  return `${JSON.stringify(file, undefined, 2)}\n`;
}

function parse(path: string, text: string): IdentityFile {
  let file: Record<string, unknown>;
  try {
    file = record(JSON.parse(text));
  } catch (cause) {
    throw failure(path, "is damaged", cause);
  }
  if (file.punchline !== VERSION) throw failure(path, `has an unknown version, ${String(file.punchline)}`);
  const { privateKey, publicKey, tickets } = file;
  if (typeof privateKey !== "string" || !/^[0-9a-f]{64}$/.test(privateKey)) throw failure(path, "is damaged");
  const identity = Identity.fromPrivateKey(Buffer.from(privateKey, "hex"));
  // The public key is there to notice a damaged private one.
  if (publicKey !== identity.key || !Array.isArray(tickets)) throw failure(path, "is damaged");
  return { identity, tickets: tickets.map((ticket) => parseTicket(path, identity, ticket)) };
}

function parseTicket(path: string, identity: Identity, value: unknown): Omit<KeptTicket, "id"> {
  const { ticket, usesLeft, revoked, main, endedAt } = record(value);
  const fields = typeof ticket === "string" ? decodeTicket(ticket, sha256) : undefined;
  if (fields === undefined || "code" in fields || toHex(fields.key) !== identity.key) throw failure(path, "is damaged");
  const uses = usesLeft === "unlimited" ? Number.POSITIVE_INFINITY : usesLeft;
  if (typeof uses !== "number" || !(uses >= 0)) throw failure(path, "is damaged");
  if (endedAt !== undefined && !Number.isSafeInteger(endedAt)) throw failure(path, "is damaged");
  return {
    fields,
    usesLeft: uses,
    isRevoked: revoked === true,
    isMain: main === true,
    endedAt: endedAt as number | undefined,
  };
}

function record(value: unknown): Record<string, unknown> {
  return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {};
}

function hasCode(error: unknown, code: string): boolean {
  return error instanceof Error && "code" in error && error.code === code;
}

function failure(path: string, what: string, cause?: unknown, hint?: string): PunchlineError {
  const options = { ...(cause === undefined ? {} : { cause }), ...(hint === undefined ? {} : { hint }) };
  return new PunchlineError("ERR_IDENTITY", `the identity file ${path} ${what}`, options);
}
