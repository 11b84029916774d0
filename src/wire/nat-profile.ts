/**
 * What one side knows of the NATs in front of it, so that both sides can make the same plan (spec/paths.md#profile).
 *
 * ```
 * +-------------+---------------+----------------+------------+-----------+
 * | mapping (2) | filtering (2) | allocator (3)  | hairpin (1)| flags (8) |
 * +-------------+---------------+----------------+------------+-----------+
 * | step (16, signed) | pool: first port (16) | pool: ports (16)          |
 * +-------------------+-----------------------+---------------------------+
 * | foreign flows per second (8) | binding lifetime in units of 10 s (8)  |
 * +------------------------------+----------------------------------------+
 * ```
 *
 * @module
 */
import type { Reader } from "./reader.ts";
import type { Writer } from "./writer.ts";

// Specification

/** Bytes of a profile. */
export const NAT_PROFILE_SIZE = 10;

/** What mapping or filtering of a NAT depends on (RFC 4787 §4.1, §5). */
export type NatBehavior = "endpoint-independent" | "address-dependent" | "address-and-port-dependent";

/**
 * How a NAT chooses the ports of new mappings (RFC 4787 §4.2): the inner port if it is free; the last one plus a constant; any
 * out of nearly all; any out of a block that belongs to the subscriber.
 */
export type PortAllocator = "preserving" | "sequential" | "random" | "block";

const BEHAVIORS: readonly (NatBehavior | undefined)[] = [
  undefined,
  "endpoint-independent",
  "address-dependent",
  "address-and-port-dependent",
];

const ALLOCATORS: readonly (PortAllocator | undefined)[] = [undefined, "preserving", "sequential", "random", "block"];

const FLAG = { CARRIER_GRADE: 1, DOUBLE_NAT: 2, IPV6_BLOCKED: 4 } as const;

const LIFETIME_UNIT = 10;

/** See the module. What is unknown is `undefined`, and the plan assumes the worst. */
export interface NatProfile {
  readonly mapping: NatBehavior | undefined;
  readonly filtering: NatBehavior | undefined;
  readonly allocator: PortAllocator | undefined;
  /** Whether neighbours behind the same NAT reach each other by their outer addresses (RFC 4787 §6). */
  readonly hairpin: boolean;
  readonly isCarrierGrade: boolean;
  readonly isDoubleNat: boolean;
  /** UDP over IPv6 does not get through. */
  readonly isIpv6Blocked: boolean;
  /** Difference of one mapping's port to the next one's, −32,768 to 32,767; 0 unless the allocator is sequential. */
  readonly step: number;
  /** Lowest port that mappings get, and how many there are; both 0 if unknown. */
  readonly poolFirst: number;
  readonly poolSize: number;
  /** New mappings that others behind the same NAT make in a second, 0 to 255. */
  readonly foreignFlows: number;
  /** Least time for which a mapping lives without traffic, in seconds, a multiple of 10 up to 2,550; 0 if unknown. */
  readonly bindingLifetime: number;
}

/** Nothing is known. */
export const UNKNOWN_NAT: NatProfile = {
  mapping: undefined,
  filtering: undefined,
  allocator: undefined,
  hairpin: false,
  isCarrierGrade: false,
  isDoubleNat: false,
  isIpv6Blocked: false,
  step: 0,
  poolFirst: 0,
  poolSize: 0,
  foreignFlows: 0,
  bindingLifetime: 0,
};

/** Reads a profile; allocators that are not known count as unknown, and so do unknown flags. */
export function readNatProfile(reader: Reader): NatProfile {
  const head = reader.u8();
  const flags = reader.u8();
  const step = (reader.u16() << 16) >> 16;
  return {
    mapping: BEHAVIORS[head >>> 6],
    filtering: BEHAVIORS[(head >>> 4) & 3],
    allocator: ALLOCATORS[(head >>> 1) & 7],
    hairpin: (head & 1) === 1,
    isCarrierGrade: (flags & FLAG.CARRIER_GRADE) !== 0,
    isDoubleNat: (flags & FLAG.DOUBLE_NAT) !== 0,
    isIpv6Blocked: (flags & FLAG.IPV6_BLOCKED) !== 0,
    step,
    poolFirst: reader.u16(),
    poolSize: reader.u16(),
    foreignFlows: reader.u8(),
    bindingLifetime: reader.u8() * LIFETIME_UNIT,
  };
}

/** Writes a profile; numbers beyond their range become the nearest ones within it. */
export function writeNatProfile(writer: Writer, profile: NatProfile): void {
  const { mapping, filtering, allocator } = profile;
  const head = (BEHAVIORS.indexOf(mapping) << 6) | (BEHAVIORS.indexOf(filtering) << 4);
  writer.u8(head | (ALLOCATORS.indexOf(allocator) << 1) | (profile.hairpin ? 1 : 0));
  writer.u8(
    (profile.isCarrierGrade ? FLAG.CARRIER_GRADE : 0) |
      (profile.isDoubleNat ? FLAG.DOUBLE_NAT : 0) |
      (profile.isIpv6Blocked ? FLAG.IPV6_BLOCKED : 0),
  );
  writer.u16(within(profile.step, -0x8000, 0x7fff) & 0xffff);
  writer.u16(within(profile.poolFirst, 0, 0xffff));
  writer.u16(within(profile.poolSize, 0, 0xffff));
  writer.u8(within(profile.foreignFlows, 0, 0xff));
  writer.u8(within(profile.bindingLifetime / LIFETIME_UNIT, 0, 0xff));
}

function within(value: number, least: number, most: number): number {
  return Math.min(Math.max(Math.floor(value), least), most);
}
