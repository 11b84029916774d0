/**
 * What was found out about one network, before anybody draws conclusions.
 *
 * Whoever asks the servers, the router and the system fills this in; what was not asked stays `undefined`.
 *
 * @module
 */
import type { Address } from "../util/machine.ts";
import type { Duration } from "../util/time.ts";
import type { NatProfile } from "../wire/nat-profile.ts";

/** Protocols by which a router is asked for a port (RFC 6886 §3, RFC 6887 §11, and UPnP's Internet gateway device). */
export type PortMappingProtocol = "nat-pmp" | "pcp" | "upnp";

/** What one family of addresses offers. */
export interface FamilyFacts {
  /** What the behaviour tests found. */
  readonly nat: NatProfile;
  /** Own addresses of this family, the one that leads to the internet first. */
  readonly hosts: readonly Address[];
  /** The main socket as servers saw it, in the order of the answers. */
  readonly reflexive: readonly Address[];
  /** Whether at least one server answered; `undefined` if none was asked. */
  readonly answered: boolean | undefined;
  /** Whether hairpinning was tried, so that a profile without it means that there is none. */
  readonly hairpinTried: boolean;
  /** Round-trip times to servers. */
  readonly rtts: readonly Duration[];
}

/** What came of asking the router for a port. A mapping may hide its outer address. */
export type PortMappingFacts =
  | { readonly state: "mapped"; readonly protocol: PortMappingProtocol; readonly external: Address | undefined }
  | { readonly state: "unavailable" }
  | { readonly state: "not-asked" };

/** Bytes of socket buffer that were asked for, and that the system granted. */
export interface BufferFacts {
  readonly asked: number;
  readonly granted: number;
}

/** One of our own servers that was asked. */
export interface ServerFacts {
  /** Its main place, as it was named. */
  readonly host: string;
  readonly port: number;
  /** Whether it has answered STUN at one of its places. */
  readonly hasAnswered: boolean;
  /** Whether it has opened a session. */
  readonly hasSession: boolean;
}

/** See the module. */
export interface NetworkFacts {
  /** `undefined` if the machine has no such address. */
  readonly ipv4: FamilyFacts | undefined;
  readonly ipv6: FamilyFacts | undefined;
  readonly portMapping: PortMappingFacts;
  /** Whether the router itself said that it lies behind another one (RFC 6887 §7.4: ADDRESS_MISMATCH). */
  readonly secondNat: boolean | undefined;
  readonly receiveBuffer: BufferFacts | undefined;
  /** Largest UDP payload that was seen to arrive, in bytes. */
  readonly mtu: number | undefined;
  /** Our own servers, in the order in which they were named. */
  readonly servers: readonly ServerFacts[];
}
