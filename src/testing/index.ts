/**
 * `punchline/testing`: a deterministic network in which protocol machines meet.
 *
 * A {@link World} drives any number of {@link Machine}s by their contract, without sockets, clocks or real time. Between
 * them it puts links with rate, queue, delay and faults, and NATs of every kind. One seed determines a run completely;
 * `world.traceHash` proves it, and every failure prints it.
 *
 * ```ts
 * import { address, World } from "punchline/testing";
 *
 * const world = new World({ seed: 1 });
 * const home = world.addNat({ name: "home", address: "203.0.113.1", filtering: "address-and-port-dependent" });
 * const alice = world.addHost({
 *   name: "alice",
 *   machine: makeMachine(world.rng.fork("alice").random, world.pool),
 *   addresses: [address("192.168.1.2", 4433)],
 *   behind: home,
 *   link: { delay: 20, bitsPerSecond: 50e6, loss: 0.01, reordering: { probability: 0.02, minDelay: 5, maxDelay: 15 } },
 *   onEvent: (event, host) => {
 *     if (event.type === "connected") host.machine.write(0, bytes);
 *   },
 * });
 * const bob = world.addHost({ name: "bob", machine: …, addresses: [address("198.51.100.2", 7)] });
 *
 * alice.machine.connect(bob.address(), world.now);
 * world.at(5_000, () => home.reboot());
 * world.run({ until: () => bob.events.some((event) => event.type === "finished"), for: 60_000 });
 * alice.link.up.counters.lost; // what it cost
 * world.traceHash; // the same for the same seed
 * ```
 *
 * @module
 */
export { BufferPool } from "../util/buffer-pool.ts";
export type { Address, Datagram, Machine, SocketId, Transmit } from "../util/machine.ts";
export { formatAddress, sameAddress } from "../util/machine.ts";
export type { Duration, Instant } from "../util/time.ts";
export { address } from "./address.ts";
export type { Coalescing } from "./coalescing.ts";
export type { EventOf, Host, HostOptions } from "./host.ts";
export type { Link, LinkCounters, Verdict } from "./link.ts";
export type {
  Blackout,
  DuplexLinkOptions,
  GilbertElliott,
  LinkConditions,
  LinkOptions,
  Reordering,
} from "./link-options.ts";
export type { Nat } from "./nat.ts";
export { BEHAVIORS, type Behavior, type NatCounters, type NatMapping, type NatOptions } from "./nat-options.ts";
export type { Network } from "./network.ts";
export type { Packet } from "./packet.ts";
export type { PortAllocation } from "./port-allocator.ts";
export type { ProcessorOptions } from "./processor.ts";
export { Rng } from "./rng.ts";
export { SimulationError, type SimulationFailure } from "./simulation-error.ts";
export { simulationSeed, simulationSeeds, type Variables } from "./simulation-seed.ts";
export type { Trace, TraceEntry, TraceKind } from "./trace.ts";
export { type RunOptions, World, type WorldOptions } from "./world.ts";
