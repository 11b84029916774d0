/**
 * All patterns of the Noise framework (§7.4, §7.5, §18.1), as tables for the interpreter.
 *
 * The library itself needs one of them; the others show that the interpreter is right.
 *
 * @module
 */
import type { HandshakePattern, Role, Token } from "../../src/crypto/noise.ts";

/** Each pattern: known static keys, a bar if there are any, then the messages. */
const PATTERNS: Readonly<Record<string, string>> = {
  N: "r | e es",
  K: "i r | e es ss",
  X: "r | e es s ss",
  NN: "e / e ee",
  NK: "r | e es / e ee",
  NX: "e / e ee s es",
  KN: "i | e / e ee se",
  KK: "i r | e es ss / e ee se",
  KX: "i | e / e ee se s es",
  XN: "e / e ee / s se",
  XK: "r | e es / e ee / s se",
  XX: "e / e ee s es / s se",
  IN: "e s / e ee se",
  IK: "r | e es s ss / e ee se",
  IX: "e s / e ee se s es",
  NK1: "r | e / e ee es",
  NX1: "e / e ee s / es",
  X1N: "e / e ee / s / se",
  X1K: "r | e es / e ee / s / se",
  XK1: "r | e / e ee es / s se",
  X1K1: "r | e / e ee es / s / se",
  X1X: "e / e ee s es / s / se",
  XX1: "e / e ee s / es s se",
  X1X1: "e / e ee s / es s / se",
  K1N: "i | e / e ee / se",
  K1K: "i r | e es / e ee / se",
  KK1: "i r | e / e ee se es",
  K1K1: "i r | e / e ee es / se",
  K1X: "i | e / e ee s es / se",
  KX1: "i | e / e ee se s / es",
  K1X1: "i | e / e ee s / se es",
  I1N: "e s / e ee / se",
  I1K: "r | e es s / e ee / se",
  IK1: "r | e s / e ee se es",
  I1K1: "r | e s / e ee es / se",
  I1X: "e s / e ee s es / se",
  IX1: "e s / e ee se s / es",
  I1X1: "e s / e ee s / se es",
};

/**
 * The pattern of that name, modifiers included; `undefined` if it is none of the framework's. A modifier `psk0` puts a
 * psk before the first message's other tokens, `psk1` behind them, `psk2` behind those of the second (§9.4).
 */
export function patternNamed(name: string): HandshakePattern | undefined {
  const [, base = "", modifiers = ""] = /^([A-Z0-9]+?)((?:\+?psk[0-9])*)$/.exec(name) ?? [];
  const text = PATTERNS[base];
  if (text === undefined) return undefined;
  const [first = "", second] = text.split(" | ");
  const known = (second === undefined ? "" : first)
    .split(" ")
    .filter((letter) => letter !== "")
    .map((letter): Role => (letter === "i" ? "initiator" : "responder"));
  const messages = (second ?? first).split(" / ").map((message) => message.split(" ") as Token[]);
  for (const [, place] of modifiers.matchAll(/psk([0-9])/g)) {
    if (place === "0") messages[0]!.unshift("psk");
    else messages[Number(place) - 1]!.push("psk");
  }
  return { name, known, messages };
}
