/**
 * The grammar of references: to RFCs, to our own requirements, and of deviations from either.
 *
 * @module
 */

/** RFCs that a newer one replaces. Only the newer one is cited. */
const OBSOLETE: Readonly<Record<string, string>> = {
  793: "9293",
  2460: "8200",
  2581: "5681",
  2988: "6298",
  3489: "8489",
  4960: "9260",
  5245: "8445",
  5389: "8489",
  5766: "8656",
  6824: "8684",
  7539: "8439",
  8312: "9438",
};

/** Where each kind of requirement is written down. */
export const REQUIREMENT_FILES: Readonly<Record<string, string>> = {
  INV: "spec/wire.md",
  WIRE: "spec/wire.md",
  HS: "spec/handshake.md",
  TKT: "spec/ticket.md",
  REC: "spec/recovery.md",
  STR: "spec/streams.md",
  CONN: "spec/connection.md",
  CLI: "spec/cli.md",
  ERR: "spec/errors.md",
  CC: "spec/congestion.md",
  MTU: "spec/mtu.md",
  QLOG: "spec/qlog.md",
  PATH: "spec/paths.md",
  DOC: "spec/doctor.md",
  STUN: "spec/stun.md",
  MAP: "spec/portmap.md",
  RDV: "spec/rendezvous.md",
  PASTE: "spec/paste.md",
};

const REQUIREMENT_ID = `(?:${Object.keys(REQUIREMENT_FILES).join("|")})-[0-9]+`;
const SECTION = "§(?:[0-9]+|[A-Z])(?:\\.[0-9]+)*";

/**
 * Mentions of an RFC that do not follow `RFC 9002 §5.3`, or name one that has been replaced. Further sections may follow
 * the first: `RFC 9000 §3.1, §3.2`.
 */
export function badCitations(path: string, text: string): string[] {
  const bad: string[] = [];
  // "RFC" before a placeholder or a plural ("RFCs") is prose, not a citation.
  for (const { index, 0: match } of text.matchAll(/\bRFC[\s-]*[0-9]+[^\n]{0,12}/g)) {
    const place = `${path}:${lineAt(text, index)}`;
    const number = match.match(/[0-9]+/)?.[0] ?? "";
    const replacement = OBSOLETE[number];
    if (replacement !== undefined) bad.push(`${place} cites RFC ${number}; RFC ${replacement} replaces it`);
    else if (!new RegExp(`^RFC [0-9]{4} ${SECTION}`).test(match))
      bad.push(`${place} "${match.trim()}" is not of the form "RFC 9002 §5.3"`);
  }
  return bad;
}

/** Sections that the comments of a source file say we do not follow: `Deviates from RFC 9000 §8.2: reason`. */
export function deviationsInSource(
  path: string,
  text: string,
): { readonly sections: string[]; readonly bad: string[] } {
  const sections: string[] = [];
  const bad: string[] = [];
  for (const { index, 0: match } of text.matchAll(/Deviates from[^\n]*/g)) {
    const parts = new RegExp(`^Deviates from (RFC [0-9]{4} ${SECTION}): \\S`).exec(match);
    if (parts?.[1] === undefined)
      bad.push(`${path}:${lineAt(text, index)} "${match}" is not of the form "Deviates from RFC 9000 §8.2: reason"`);
    else sections.push(parts[1]);
  }
  return { sections, bad };
}

/** First column of the table in spec/deviations.md, without its head. */
export function deviationsInTable(text: string): string[] {
  return text
    .split("\n")
    .filter((line) => line.startsWith("| RFC "))
    .map((line) => line.split("|")[1]?.trim() ?? "");
}

/** Ids of the requirements that a page of the specification states: `**WIRE-7.** …`. */
export function statedRequirements(text: string): string[] {
  return [...text.matchAll(new RegExp(`\\*\\*(${REQUIREMENT_ID})\\.\\*\\*`, "g"))].map((match) => match[1] ?? "");
}

/** Ids of all requirements that a text names. */
export function namedRequirements(text: string): string[] {
  return [...text.matchAll(new RegExp(`\\b${REQUIREMENT_ID}\\b`, "g"))].map((match) => match[0]);
}

/** Number of the line that holds the character at `index`, from 1. */
export function lineAt(text: string, index: number): number {
  return text.slice(0, index).split("\n").length;
}
