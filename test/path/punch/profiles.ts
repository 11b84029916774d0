/**
 * NAT profiles, short to write.
 *
 * @module
 */
import { type NatBehavior, type NatProfile, type PortAllocator, UNKNOWN_NAT } from "../../../src/wire/nat-profile.ts";

const BEHAVIORS: Readonly<Record<string, NatBehavior | undefined>> = {
  "?": undefined,
  ei: "endpoint-independent",
  ad: "address-dependent",
  apd: "address-and-port-dependent",
};

const ALLOCATORS: Readonly<Record<string, Partial<NatProfile>>> = {
  "?": {},
  preserving: { allocator: "preserving" },
  sequential: { allocator: "sequential", step: 1 },
  random: { allocator: "random" },
  block: { allocator: "block", poolFirst: 20_480, poolSize: 1024 },
};

/** A profile by three words, such as `"apd ad random"`: mapping, filtering, allocator. `?` is unknown. */
export function profile(words: string, more: Partial<NatProfile> = {}): NatProfile {
  const [mapping = "?", filtering = "?", allocator = "?"] = words.split(" ");
  const allocation = ALLOCATORS[allocator] as { allocator?: PortAllocator };
  return { ...UNKNOWN_NAT, mapping: BEHAVIORS[mapping], filtering: BEHAVIORS[filtering], ...allocation, ...more };
}

/** Every combination of the words above. */
export const ALL_PROFILES: readonly string[] = Object.keys(BEHAVIORS).flatMap((mapping) =>
  Object.keys(BEHAVIORS).flatMap((filtering) =>
    Object.keys(ALLOCATORS).map((allocator) => `${mapping} ${filtering} ${allocator}`),
  ),
);
