/**
 * The tags of an XML text one after the other, for answers that name a few plain values.
 *
 * This is no XML parser: it knows no attributes, no nesting and no entities but the five that every document has. One pass, and
 * nothing is kept, so hostile text costs no more than its length.
 *
 * @module
 */

/** A tag and the text that follows it. */
export interface Tag {
  /** Without the prefix of its namespace. */
  readonly name: string;
  readonly isEnd: boolean;
  /** Up to the next tag, without space around it. */
  readonly text: string;
}

// Implementation

/** Longer names and texts are none that anybody here looks for. */
const MAX_NAME = 64;
const MAX_TEXT = 1_024;

const ENTITIES: Readonly<Record<string, string>> = { amp: "&", lt: "<", gt: ">", quot: '"', apos: "'" };

/** All tags in order; comments, declarations and what is longer than the limits are passed over. */
export function* tags(xml: string): Generator<Tag> {
  let start = xml.indexOf("<");
  while (start !== -1) {
    const close = endOfMarkup(xml, start);
    if (close === -1) return;
    const next = xml.indexOf("<", close);
    const tag = readTag(xml.slice(start + 1, Math.min(close - 1, start + MAX_NAME + 2)));
    const end = next === -1 ? xml.length : next;
    if (tag !== undefined && end - close <= MAX_TEXT) yield { ...tag, text: decode(xml.slice(close, end).trim()) };
    start = next;
  }
}

/** The text of the first element of that name. */
export function textOf(xml: string, name: string): string | undefined {
  for (const tag of tags(xml)) if (tag.name === name && !tag.isEnd) return tag.text;
  return undefined;
}

/** Where the markup that begins at `start` is over, -1 if nowhere. */
function endOfMarkup(xml: string, start: number): number {
  const [terminator, length] = xml.startsWith("<!--", start) ? ["-->", 3] : [">", 1];
  const at = xml.indexOf(terminator, start);
  return at === -1 ? -1 : at + length;
}

function readTag(text: string): Pick<Tag, "name" | "isEnd"> | undefined {
  const match = /^(\/?)(?:[\w.-]+:)?([\w.-]+)(?=[\s/]|$)/.exec(text);
  const name = match?.[2];
  return name === undefined || name.length > MAX_NAME ? undefined : { name, isEnd: match?.[1] === "/" };
}

function decode(text: string): string {
  return text.replaceAll(/&(amp|lt|gt|quot|apos);/g, (_match, name: string) => ENTITIES[name] ?? "");
}
