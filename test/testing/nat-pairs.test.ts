/**
 * Two hosts behind any two NATs send to each other's mapped address and answer to where packets really come from: who
 * meets whom. The table is known from real kernels, so it checks the model of mapping and filtering as a whole.
 *
 * @module
 */
import { describe, expect, test } from "vitest";
import {
  type Address,
  address,
  BEHAVIORS,
  type Behavior,
  formatAddress,
  type NatOptions,
  World,
} from "../../src/testing/index.ts";
import { Prober, texts } from "./machines.ts";

/** No NAT, then the nine combinations: mapping, filtering. */
const KINDS: readonly (readonly [Behavior, Behavior] | undefined)[] = [
  undefined,
  ...BEHAVIORS.flatMap((mapping) => BEHAVIORS.map((filtering) => [mapping, filtering] as const)),
];

/**
 * Upper triangle, rows and columns as in `KINDS`. `o` they meet, `.` never, `m` only if permissions belong to the
 * internal endpoint rather than to one mapping.
 */
const EXPECTED: readonly string[] = [
  "oooooooooo",
  " ooooooooo",
  "  oooooooo",
  "   oom.om.",
  "    oooooo",
  "     mmomm",
  "      .om.",
  "       ooo",
  "        mm",
  "         .",
];

function meet(
  kinds: readonly (readonly [Behavior, Behavior] | undefined)[],
  filterScope: "endpoint" | "mapping",
): boolean {
  const world = new World({ seed: 1 });
  const server = world.addHost({
    name: "server",
    machine: new Prober(world.pool),
    addresses: [address("192.0.2.9", 1)],
  });
  /** Where each peer sends its probes: what it was told, and where probes came from. */
  const targets = kinds.map(() => new Map<string, Address>());
  const peers = kinds.map((kind, index) => {
    const options: NatOptions = {
      name: `nat ${index}`,
      address: `203.0.113.${index + 1}`,
      ports: { kind: "random" },
      filterScope,
      replyAffinity: true,
    };
    const behind = kind && world.addNat({ ...options, mapping: kind[0], filtering: kind[1] });
    const own = address(kind === undefined ? `198.51.100.${index + 1}` : "192.168.0.2", 5000);
    return world.addHost({
      name: `peer ${index}`,
      machine: new Prober(world.pool),
      addresses: [own],
      ...(behind && { behind }),
      link: { delay: 5 },
      onEvent: (event, host) => {
        if (texts([event])[0] !== "probe") return;
        host.machine.send(event.from, "answer");
        targets[index]!.set(formatAddress(event.from), event.from);
      },
    });
  });
  peers.forEach((peer, index) => {
    peer.machine.send(server.address(), "hello");
    world.run();
    targets[1 - index]!.set("mapped", server.events[index]!.from);
  });
  const probe = () => {
    peers.forEach((peer, index) => {
      for (const target of targets[index]!.values()) peer.machine.send(target, "probe");
    });
  };
  for (let at = 0; at < 1000; at += 50) world.after(at, probe);
  world.run();
  return peers.every((peer) => texts(peer.events).includes("answer"));
}

describe("pairs of NATs", () => {
  test.each([
    { scope: "endpoint", marks: "om", pairs: 50 },
    { scope: "mapping", marks: "o", pairs: 41 },
  ] as const)("with permissions by $scope, $pairs of 55 meet", ({ scope, marks, pairs }) => {
    const table = KINDS.map((a, row) =>
      KINDS.map((b, column) => (column < row ? " " : meet([a, b], scope) ? "o" : ".")).join(""),
    );
    expect(table).toEqual(EXPECTED.map((line) => line.replace(/[om]/g, (mark) => (marks.includes(mark) ? "o" : "."))));
    expect(table.join("").replaceAll(/[^o]/g, "")).toHaveLength(pairs);
  });
});
