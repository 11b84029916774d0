/**
 * Verdicts on a pair in plain words.
 *
 * @module
 */
import type { Technique } from "./odds.ts";
import type { AssumptionCode, HelpCode, Note, PairNames, PairSide, PairVerdict, ReasonCode } from "./pair-verdict.ts";

// Implementation

const HOW: Readonly<Record<Technique, string>> = {
  host: "both are in the same local network",
  ipv6: "over IPv6, where both sides only have to open their firewalls from inside",
  "port-mapping": "a router opens a port when it is asked",
  "simple-open": "both sides send at the same moment, and their NATs let the answers in",
  prediction: "one NAT counts its ports up, so the next one can be foretold",
  strides: "both NATs count their ports up, so the next ones can be foretold",
  birthday: "one NAT draws its ports at random, so many are opened there and tried from the other side until one fits",
  "block-sweep": "both NATs draw their ports from small blocks, which are searched from both sides",
};

const REASONS: Readonly<Record<ReasonCode, (whose: string) => string>> = {
  "udp-blocked": (whose) => `UDP does not get out of ${whose}`,
  "no-common-family": () => "the two networks have neither working IPv4 nor working IPv6 in common",
  "same-nat": () => "both are behind one NAT, which does not let them reach each other by its outer address",
  "unpredictable-ports": () =>
    "each NAT takes another port for each peer, which cannot be foretold, and lets in nothing from unknown ports",
  "busy-nat": () => "others use the NATs so much that the next ports cannot be foretold",
  chance: () => "the right ports have to be found by trying, and that may take too long",
  unknown: (whose) => `not all is known about ${whose}`,
};

const HELP: Readonly<Record<HelpCode, (whose: string) => string>> = {
  "allow-udp": (whose) => `allow outgoing UDP in ${whose}`,
  "port-mapping": (whose) => `switch on UPnP, NAT-PMP or PCP in the router of ${whose}, or forward a UDP port there`,
  ipv6: () => "use IPv6 on both sides",
  measure: (whose) => `run punchline doctor in ${whose} with a server that has two addresses`,
  relay: () => "connect through a relay",
};

const ASSUMPTIONS: Readonly<Record<AssumptionCode, string>> = {
  "filter-scope":
    "How soon depends on what the filters remember: by RFC 4787 §5 that is for the inner endpoint, but some NATs do it for each mapping. The times cover both.",
  rtt: "The distance to the server was not measured; 40 ms there and back are assumed.",
  neighbours: "Neighbours are assumed to reach each other; guest networks may forbid that.",
};

/** Why it fails or may fail. */
export function reasonNote(code: ReasonCode, side: PairSide | undefined, names: PairNames): Note<ReasonCode> {
  return { code, ...(side === undefined ? {} : { side }), text: REASONS[code](whose(side, names)) };
}

/** What would help. */
export function helpNote(code: HelpCode, side: PairSide | undefined, names: PairNames): Note<HelpCode> {
  return { code, ...(side === undefined ? {} : { side }), text: HELP[code](whose(side, names)) };
}

/** What was taken for granted. */
export function assumptionNote(code: AssumptionCode): Note<AssumptionCode> {
  return { code, text: ASSUMPTIONS[code] };
}

/** A verdict as one paragraph. */
export function verdictWords(verdict: Omit<PairVerdict, "words">): string {
  const { direct, how, ms, reasons, help, assumptions } = verdict;
  const sentences: string[] = [];
  const ways = how.map((each) => HOW[each]).join("; or ");
  const time = ms === undefined ? "" : ` Expect ${span(ms.least, ms.most)} until the first byte.`;
  switch (direct) {
    case "yes":
      sentences.push(`A direct connection is expected: ${ways}.${time}`);
      break;
    case "likely":
      sentences.push(`A direct connection is likely: ${ways}.${time}`);
      break;
    case "possible":
      sentences.push(`A direct connection is possible: ${ways}.${time}`);
      break;
    case "no":
      sentences.push("A direct connection is not possible.");
  }
  const why = reasons.map(({ text }) => text).join("; ");
  if (reasons.length > 0) sentences.push(`${direct === "no" ? "Why" : "What may prevent it"}: ${why}.`);
  sentences.push(...assumptions.map(({ text }) => text));
  if (help.length > 0) sentences.push(`What helps: ${help.map(({ text }) => text).join("; or ")}.`);
  return sentences.join(" ");
}

function span(least: number, most: number): string {
  const [low, high] = [seconds(least), seconds(most)];
  return low === high ? `about ${low}` : `${low} to ${high}`;
}

/** As exact as an expectation can be. */
function seconds(ms: number): string {
  return ms < 1_000 ? `${Math.max(10 * Math.round(ms / 10), 10)} ms` : `${(ms / 1_000).toFixed(1)} s`;
}

function whose(side: PairSide | undefined, names: PairNames): string {
  return side === undefined ? "either network" : names[side];
}
