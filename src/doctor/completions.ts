/**
 * All that one side may be, as far as a report leaves it open.
 *
 * @module
 */
import type { NatBehavior, PortAllocator } from "../wire/nat-profile.ts";
import type { FilterScope, Side } from "./odds.ts";
import type { NatReport, PortMappingReport } from "./report.ts";

// Implementation

const BEHAVIORS: readonly NatBehavior[] = ["endpoint-independent", "address-dependent", "address-and-port-dependent"];

/** A NAT whose allocator is unknown may be like any of these; blocks are what nobody counts on before they are proven. */
const ALLOCATORS: readonly PortAllocator[] = ["preserving", "sequential", "random"];

/** Tried for both, since no test tells them apart from outside. */
const SCOPES: readonly FilterScope[] = ["endpoint", "mapping"];

/** A side that a mapped port makes reachable for everybody. */
const MAPPED: Side = {
  mapping: "endpoint-independent",
  filtering: "endpoint-independent",
  allocator: "preserving",
  foreignFlows: 0,
  filterScope: "endpoint",
};

/**
 * All that the side may be; at most 3 × 3 × 3 × 2 sides, and a single one if everything is known.
 *
 * @param mapping How the router was asked for a port; only if the report is of the family that it maps.
 */
export function completionsOf(report: NatReport, mapping: PortMappingReport | undefined): readonly Side[] {
  if (mapping?.state === "available") return [MAPPED];
  return mappingsOf(report).flatMap((each) =>
    (report.filtering === "unknown" ? BEHAVIORS : [report.filtering]).flatMap((filtering) =>
      allocatorsOf(report, each).flatMap((allocator) =>
        scopesOf(each, filtering).map((filterScope) => ({
          mapping: each,
          filtering,
          allocator,
          foreignFlows: report.foreignFlows,
          filterScope,
        })),
      ),
    ),
  );
}

function mappingsOf(report: NatReport): readonly NatBehavior[] {
  if (report.translated === "no") return ["endpoint-independent"];
  return report.mapping === "unknown" ? BEHAVIORS : [report.mapping];
}

/**
 * Where all peers see one port, it does not matter how it was chosen. A NAT that keeps ports and yet showed two servers
 * different ones keeps them for the first peer of a socket only; or it could not keep this one.
 */
function allocatorsOf(report: NatReport, mapping: NatBehavior): readonly PortAllocator[] {
  if (mapping === "endpoint-independent") return ["preserving"];
  if (report.allocator === "unknown") return ALLOCATORS;
  return report.allocator === "preserving" ? ["preserving", "random"] : [report.allocator];
}

/** With one mapping an endpoint's state is the mapping's, and filters by port always go by the whole flow. */
function scopesOf(mapping: NatBehavior, filtering: NatBehavior): readonly FilterScope[] {
  if (mapping === "endpoint-independent" || filtering === "endpoint-independent") return ["endpoint"];
  return filtering === "address-dependent" ? SCOPES : ["mapping"];
}
