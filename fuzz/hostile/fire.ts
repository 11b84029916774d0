/**
 * Fires hostile datagrams at one parser or endpoint, and judges.
 *
 * @module
 */
import type { Rng } from "../../src/testing/rng.ts";
import { Corpus } from "./corpus.ts";
import type { LiveTarget } from "./live.ts";
import type { Parser } from "./parsers.ts";

// Implementation

/** Shots between two comparisons of the whole state: it cannot change back, so a change is found at the next one. */
const CHECK_INTERVAL = 1_024;

/** What a round came to. */
export interface Outcome {
  readonly name: string;
  readonly shots: number;
  readonly bytes: number;
  readonly accepted: number;
  readonly elapsed: number;
}

/** Parses `count` hostile inputs. @throws Error with the input if the parser throws. */
export function fireAtParser(parser: Parser, count: number, rng: Rng): Outcome {
  const corpus = new Corpus(parser.samples, rng);
  const started = performance.now();
  let accepted = 0;
  let bytes = 0;
  for (let shot = 0; shot < count; shot++) {
    const input = corpus.next();
    bytes += input.length;
    try {
      if (parser.parse(input)) accepted += 1;
    } catch (error) {
      throw blame(parser.name, { shot, input }, error);
    }
  }
  return { name: parser.name, shots: count, bytes, accepted, elapsed: performance.now() - started };
}

/** Fires `count` hostile datagrams at an endpoint. @throws Error with the datagram if anything comes of it. */
export function fireAtTarget(target: LiveTarget, count: number, rng: Rng): Outcome {
  const corpus = new Corpus(target.samples, rng);
  const started = performance.now();
  let bytes = 0;
  for (let shot = 0; shot < count; shot++) {
    const input = corpus.next();
    bytes += input.length;
    try {
      target.fire(input);
      if (shot % CHECK_INTERVAL === 0) target.check();
    } catch (error) {
      throw blame(target.name, { shot, input }, error);
    }
  }
  target.check();
  return { name: target.name, shots: count, bytes, accepted: 0, elapsed: performance.now() - started };
}

function blame(name: string, { shot, input }: { shot: number; input: Uint8Array }, cause: unknown): Error {
  const reason = cause instanceof Error ? cause.message : String(cause);
  const hex = Buffer.from(input.subarray(0, 1_300)).toString("hex");
  return new Error(`${name}, datagram ${shot} of ${input.length} bytes: ${reason}\n  ${hex}`, { cause });
}
