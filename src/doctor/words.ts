/**
 * One network in plain words: what its NAT does, what that means for being reached, and what would help.
 *
 * @module
 */
import type { NatBehavior } from "../wire/nat-profile.ts";
import type { PortMappingProtocol } from "./facts.ts";
import type { NatReport, NetworkReport } from "./report.ts";

// Implementation

/** Less than so much of the buffer that was asked for is worth a word. */
const MUCH_LESS = 0.5;

/** UDP payload with which paths that carry full Ethernet frames begin; below it some tunnel takes its share. */
const USUAL_MTU = 1_452;

/** Bindings that end sooner are worth a word, in seconds: RFC 4787 §4.3 asks for 120 at least. */
const SHORT_LIFETIME = 60;

const PROTOCOLS: Readonly<Record<PortMappingProtocol, string>> = { "nat-pmp": "NAT-PMP", pcp: "PCP", upnp: "UPnP" };

const FILTERS: Readonly<Record<NatBehavior, string>> = {
  "endpoint-independent": "It lets in packets from anybody at that port, so others can simply call.",
  "address-dependent":
    "It lets in packets only from addresses that this machine has sent to before, so both sides have to begin at the same moment; punchline does that.",
  "address-and-port-dependent":
    "It lets in packets only from where this machine has sent to before, port included, so both sides have to begin at the same moment; punchline does that.",
};

/** The report as one paragraph for people who know nothing of NATs. */
export function wordsOf(report: NetworkReport): string {
  const { udp, nat } = report;
  if (udp === "unknown")
    return "Nobody was asked how this network looks from outside, so nothing can be said about it.";
  if (udp === "blocked") {
    return "No server answered over UDP: this network, or the connection to the internet, blocks it. Nobody can connect directly, in either direction. Allow outgoing UDP in the firewall; until then only a relay helps.";
  }
  const ipv4 = nat.ipv4;
  const sentences = ipv4 === undefined ? ["This machine has no IPv4."] : ipv4Words(ipv4, report);
  sentences.push(...ipv6Words(nat.ipv6, ipv4));
  sentences.push(...systemWords(report));
  return sentences.join(" ");
}

function ipv4Words(nat: NatReport, report: NetworkReport): string[] {
  if (nat.udp === "blocked") return ["Over IPv4, UDP is blocked."];
  if (nat.udp === "unknown") return ["Nobody was asked about IPv4."];
  if (nat.translated === "no") return publicWords(nat);
  const isMapped = report.portMapping.state === "available";
  return [...mappingWords(nat, isMapped), ...layerWords(nat), ...portMappingWords(nat, report), ...lifetimeWords(nat)];
}

function publicWords({ filtering }: NatReport): string[] {
  if (filtering === "endpoint-independent") return ["This machine has a public address and can be reached by anybody."];
  const firewall = "This machine has a public address behind a firewall that lets in only answers.";
  return filtering === "unknown"
    ? ["This machine has a public address. Whether a firewall stands in front of it is not known."]
    : [`${firewall} Others reach it if both sides begin at the same moment; punchline does that.`];
}

function mappingWords(nat: NatReport, isMapped: boolean): string[] {
  const { mapping, filtering, allocator } = nat;
  if (mapping === "unknown") {
    return [
      "A router (NAT) stands in front of this machine. How it chooses its ports is not known; ask a server that has two addresses.",
    ];
  }
  if (mapping === "endpoint-independent") {
    const kind = "The router (NAT) shows this machine to everybody at one port, which others can be told.";
    const filter = filtering === "unknown" ? "Whom it lets in there is not known." : FILTERS[filtering];
    return [kind, filter, "Nearly every other network can connect with this one directly."];
  }
  const kind =
    "The router (NAT) shows this machine to each peer at another port, so a port that one knows is of no use to the next.";
  if (filtering === "endpoint-independent")
    return [kind, "But it lets in packets from anybody, which is enough for a direct connection."];
  if (isMapped) return [kind];
  return [kind, allocatorWords(allocator, filtering)];
}

function allocatorWords(allocator: NatReport["allocator"], filtering: NatReport["filtering"]): string {
  const others = "Networks that show one port to everybody can connect with it directly";
  const hard = "networks of the same kind can not, and need a relay";
  switch (allocator) {
    case "preserving":
      return "But it keeps the port of this machine wherever it can, so most networks can connect with it directly.";
    case "sequential":
      return "But it counts its ports up, so the next one can be foretold: most networks can connect with it directly.";
    case "block":
      return "It takes these ports from a small block, so they can be found by trying: most networks can connect with it directly, though some only after seconds.";
    case "random":
      return filtering === "address-dependent"
        ? "It takes these ports at random, but looks only at the address of who sends: others find one by trying, within seconds."
        : `It takes these ports at random. ${others} after a second or so of trying; ${hard}.`;
    case "unknown":
      return `${others}; with ${hard.replace("can not, and need a relay", "that may fail")}.`;
  }
}

function layerWords({ carrierGrade, doubleNat }: NatReport): string[] {
  if (carrierGrade === "yes")
    return ["Behind the router the internet provider has a NAT of its own, which cannot be changed from here."];
  return doubleNat === "yes" ? ["There are two routers (NATs) one behind the other; the outer one decides."] : [];
}

function portMappingWords(nat: NatReport, { portMapping }: NetworkReport): string[] {
  const { state, protocol } = portMapping;
  const by = protocol === undefined ? "" : ` (${PROTOCOLS[protocol]})`;
  const isEasy = nat.mapping === "endpoint-independent" && nat.filtering === "endpoint-independent";
  switch (state) {
    case "available":
      return [`The router opens a port when it is asked${by}, so others can simply call.`];
    case "useless":
      return [
        `The router opens ports when it is asked${by}, but they do not face the internet, so that does not help.`,
      ];
    case "unavailable":
      return isEasy
        ? []
        : [
            "The router opens no port when it is asked: switching on UPnP, NAT-PMP or PCP there, or forwarding a UDP port, would make this machine easier to reach.",
          ];
    case "not-asked":
      return [];
  }
}

function lifetimeWords({ bindingLifetime }: NatReport): string[] {
  if (bindingLifetime === undefined || bindingLifetime >= SHORT_LIFETIME) return [];
  return [
    `It forgets a silent connection after ${bindingLifetime} s, so idle ones have to send something more often than that.`,
  ];
}

function ipv6Words(nat: NatReport | undefined, ipv4: NatReport | undefined): string[] {
  if (nat === undefined) return ipv4 === undefined ? ["Nor has it IPv6."] : [];
  if (nat.udp === "blocked") return ["Over IPv6, UDP is blocked."];
  if (nat.udp === "unknown") return [];
  return nat.filtering === "endpoint-independent"
    ? ["Over IPv6 it can be reached by anybody who has IPv6 too."]
    : ["IPv6 works: whoever has it too can connect directly."];
}

function systemWords({ receiveBuffer, mtu }: NetworkReport): string[] {
  const words: string[] = [];
  if (receiveBuffer !== undefined && receiveBuffer.granted < MUCH_LESS * receiveBuffer.asked) {
    const [granted, asked] = [receiveBuffer.granted, receiveBuffer.asked].map(kibibytes);
    words.push(
      `The system grants ${granted} of the ${asked} of receive buffer that were asked for: fast transfers may lose packets now and then. Raise its limit (on Linux net.core.rmem_max).`,
    );
  }
  if (mtu !== undefined && mtu < USUAL_MTU) {
    words.push(
      `Packets of up to ${mtu} bytes get through, less than usual: probably a tunnel or VPN is in use. That costs a little speed.`,
    );
  }
  return words;
}

function kibibytes(bytes: number): string {
  return `${Math.round(bytes / 1_024)} KiB`;
}
