/**
 * What attackers can do to two agents that look for each other, and how it is measured.
 *
 * @module
 */
import { AgentMachine } from "../../src/agent/agent.ts";
import { DEFAULT_CONFIG } from "../../src/connection/config.ts";
import { ATTRIBUTE, MESSAGE_TYPE, transactionIdOf } from "../../src/stun/message.ts";
import { type Address, address, type Host, type Rng } from "../../src/testing/index.ts";
import { Lab, type LabOptions, type Who } from "../agent/lab.ts";
import { attribute, message, xorAddressValue } from "../stun/messages.ts";
import { HostileServer } from "./hostile-server.ts";
import { kind } from "./punch-pair.ts";

/** Somebody who has nothing to do with any of it. */
export const VICTIM = address("198.51.100.99", 53_000);

/** An attacker's own address. */
export const ATTACKER = address("198.51.100.66", 6_666);

export const HOME = { nat: kind("endpoint-independent", "address-and-port-dependent") };
export const RANDOM = { nat: kind("address-and-port-dependent", "address-and-port-dependent") };

/** A datagram comes to a peer's socket, whatever lies in front of it: attackers are lucky. */
export function deliver(lab: Lab, who: Who, datagram: { via?: number; from: Address; payload: Uint8Array }): void {
  const { via = 0, from, payload } = datagram;
  lab[who].machine.receive({ via, from, payload: payload.slice(), segmentSize: payload.length }, lab.world.now);
  lab.world.wake(lab[who]);
}

/** Watches all that a peer sends, from the link's beginning on. */
export function watch(
  lab: Lab,
  who: Who,
  see: (packet: { to: Address; from: Address; payload: Uint8Array }) => void,
): void {
  const { up } = lab[who].link;
  const { filter } = up;
  up.filter = (packet) => {
    see(packet);
    return filter?.(packet) ?? "pass";
  };
}

/** Counts the bytes that both peers send to a host, those that never arrive included. */
export function bytesTo(lab: Lab, host: string): () => number {
  let bytes = 0;
  for (const who of ["dialer", "listener"] as const) {
    watch(lab, who, ({ to, payload }) => {
      if (to.host === host) bytes += payload.length;
    });
  }
  return () => bytes;
}

/** An answer to a request of STUN that says this. */
export function stunAnswer(request: Uint8Array, mapped: Address, id = transactionIdOf(request).slice()): Uint8Array {
  return message(MESSAGE_TYPE.RESPONSE, id, [attribute(ATTRIBUTE.XOR_MAPPED_ADDRESS, xorAddressValue(mapped, id))]);
}

/** Two agents whose server lies as the test says; it is honest until then. */
export function hostileLab(options: LabOptions = {}): { readonly lab: Lab; readonly server: HostileServer } {
  const lab = new Lab({ dialer: HOME, listener: HOME, ...options, warmUp: 0 });
  const { identity, places, link } = lab.serverParts();
  lab.stopServer();
  const { world } = lab;
  const server = new HostileServer({
    ...{ identity, pool: world.pool, sockets: places.length },
    random: world.rng.fork("hostile").random,
    unixMillis: () => 1_800_000_000_000 + world.now,
  });
  world.addHost({ name: "hostile server", machine: server, addresses: places, link });
  lab.listen();
  world.run({ for: options.warmUp ?? 3_000 });
  return { lab, server };
}

/** Somebody else with an agent of his own, without a NAT. */
export function addAgent(lab: Lab, index: number, options: { readonly port?: number } = {}): Host<AgentMachine> {
  const { world } = lab;
  const { port = 4_433 } = options;
  const host = `198.51.101.${index}`;
  const name = `agent ${index}`;
  let lastPort = port;
  const machine = new AgentMachine({
    random: world.rng.fork(name).random,
    unixTime: world.unixTime,
    pool: world.pool,
    sockets: [{ id: 0, family: 4, port }],
    identity: lab.newKey(),
    config: DEFAULT_CONFIG,
    acceptHook: false,
  });
  return world.addHost({
    ...{ name, machine },
    addresses: [address(host, port)],
    link: { delay: 10 },
    onEvent: (event, peer) => {
      if (event.type === "sockets-unwanted") for (const via of event.sockets) peer.unbind(via);
      if (event.type !== "sockets-wanted") return;
      const sockets = Array.from({ length: event.count }, () => {
        lastPort += 1;
        return { via: peer.bind(address(host, lastPort)), localPort: lastPort };
      });
      machine.onSockets(event.request, sockets, world.now);
    },
  });
}

/** Bytes that look like something: every first byte, and lengths from none to a full datagram. */
export function garbage(rng: Rng): Uint8Array {
  const bytes = rng.random(1 + rng.integer(0, rng.chance(0.5) ? 64 : 1_300));
  bytes[0] = rng.integer(0, 256);
  return bytes;
}

/** The same with a bit flipped, a part cut off, or more behind it. */
export function mutated(bytes: Uint8Array, rng: Rng): Uint8Array {
  const copy = bytes.slice(0, rng.chance(0.3) ? rng.integer(1, bytes.length + 1) : bytes.length);
  copy[rng.integer(0, copy.length)]! ^= 1 << rng.integer(0, 8);
  return rng.chance(0.2) ? Uint8Array.of(...copy, ...rng.random(rng.integer(1, 40))) : copy;
}
