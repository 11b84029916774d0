/**
 * Names for addresses that must not be shown.
 *
 * A label says whose address it was and of which family, and numbers them: `peer-v4-1`. Equal addresses have equal
 * labels wherever they appear, so that a reader can still follow what went where; a further port of an address is
 * numbered behind it: `peer-v4-1.2`, and `peer-v4-1.*` stands for any, which port 0 says.
 *
 * @module
 */
import type { Address } from "../util/machine.ts";

/** Whose address it is. */
export type AddressOwner = "own" | "peer" | "server" | "other";

/** Anything that may be a literal address: IPv6 in brackets or not, with a zone or a port, or IPv4 with or without one. */
const LITERAL =
  /\[?[0-9a-f]{0,4}(?::[0-9a-f]{0,4}){2,9}(?:\.\d{1,3}){0,3}(?:%[\w.-]+)?\]?(?::\d{1,5})?|\d{1,3}(?:\.\d{1,3}){3}(?::\d{1,5})?/gi;

/** Colons from which on a row of digits is no time of day. */
const COLONS_OF_AN_ADDRESS = 4;

interface Labelled {
  readonly label: string;
  readonly ports: number[];
}

/** Labels for the addresses of one explanation. */
export class Redaction {
  readonly #hosts = new Map<string, Labelled>();
  readonly #counts = new Map<string, number>();

  /** Command: the label of an address. Whoever is named first is taken for the owner. */
  label({ host, port, family }: Address, owner: AddressOwner): string {
    const { label, ports } = this.#hosts.get(host) ?? this.#add(host, `${owner}-v${family}`);
    if (port === 0) return `${label}.*`;
    if (!ports.includes(port)) ports.push(port);
    const index = ports.indexOf(port);
    return index === 0 ? label : `${label}.${index + 1}`;
  }

  /** Command: the text with a label in the place of everything that looks like an address. */
  scrub(text: string): string {
    return text.replace(LITERAL, (literal) => {
      const isIpv6 = literal.includes("::") || literal.split(":").length > COLONS_OF_AN_ADDRESS;
      if (!isIpv6 && !literal.includes(".")) return literal;
      const [, host = literal] = isIpv6
        ? (/^\[?([0-9a-f:.]*)/i.exec(literal) ?? [])
        : (/^([0-9.]*)/.exec(literal) ?? []);
      return (this.#hosts.get(host) ?? this.#add(host, `other-v${isIpv6 ? 6 : 4}`)).label;
    });
  }

  #add(host: string, prefix: string): Labelled {
    const count = (this.#counts.get(prefix) ?? 0) + 1;
    this.#counts.set(prefix, count);
    const labelled = { label: `${prefix}-${count}`, ports: [] };
    this.#hosts.set(host, labelled);
    return labelled;
  }
}
