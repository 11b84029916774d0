/**
 * Strings that come by hand, and what is wrong with them (spec/errors.md).
 *
 * @module
 */
import { sha256 } from "../crypto/primitives.ts";
import { decodePasted } from "../ticket/pasted.ts";
import { PunchlineError } from "./errors.ts";

/**
 * The message in a string.
 *
 * @throws {@link PunchlineError} `ERR_PASTED`.
 */
export function readPasted(text: string): Uint8Array {
  if (typeof text !== "string") throw new PunchlineError("ERR_PASTED", "what the other side gives is a string");
  const decoded = decodePasted(text, sha256);
  if (decoded instanceof Uint8Array) return decoded;
  throw new PunchlineError("ERR_PASTED", `not a valid string: ${decoded.code}`, { hint: decoded.hint });
}

/** Why nothing comes of a message, as the endpoint names it, for people. */
export function pastedError(reason: string): PunchlineError {
  const [message, hint] = REASONS[reason] ?? [`the string makes no sense: ${reason}`, ANEW];
  return new PunchlineError("ERR_PASTED", message, { hint });
}

const ANEW = "let the other side run its command again; the ticket is still good";

const REASONS: Readonly<Record<string, readonly [message: string, hint: string]>> = {
  "no-ticket": [
    "the string is for another ticket",
    "give the other side the ticket of this listener, and paste what comes of that one",
  ],
  replayed: ["the string was pasted already, and has led nowhere", ANEW],
  refused: ["the ticket is used up, revoked or expired", "make a new ticket and give that to the other side"],
  "rate-limit": ["too many strings were pasted", "wait a minute, then paste it again"],
  "half-open-limit": ["too many others are about to connect", "wait a minute, then paste it again"],
};
