/**
 * Anonymous clients of a server, who know no more of it than its pin.
 *
 * @module
 */
import { describe, expect, test } from "vitest";
import { DEFAULT_CONFIG } from "../../src/connection/config.ts";
import { EndpointMachine } from "../../src/connection/endpoint.ts";
import { keyPairFromSeed } from "../../src/crypto/primitives.ts";
import { deriveServerKeys, serverPin } from "../../src/crypto/server-keys.ts";
import { address, type Host, World } from "../../src/testing/index.ts";

const DELAY = 10;

/** A server and one who calls it. */
function setUp(options: { readonly pin?: Uint8Array } = {}) {
  const world = new World({ seed: 1 });
  const keys = world.rng.fork("keys");
  const identity = keyPairFromSeed(keys.random(32));
  const serverKeys = deriveServerKeys(serverPin(identity.publicKey));
  const addEndpoint = (name: string, host: string, isServer: boolean): Host<EndpointMachine> =>
    world.addHost({
      name,
      addresses: [address(host, 3_478)],
      link: { delay: DELAY / 2 },
      machine: new EndpointMachine({
        random: world.rng.fork(name).random,
        unixTime: world.unixTime,
        pool: world.pool,
        sockets: [{ id: 0, family: 4 }],
        identity: isServer ? identity : keyPairFromSeed(keys.random(32)),
        config: DEFAULT_CONFIG,
        acceptHook: false,
        server: isServer ? serverKeys : undefined,
      }),
      onEvent: (event) => events.push({ name, type: event.type }),
    });
  const events: { readonly name: string; readonly type: string }[] = [];
  const server = addEndpoint("server", "192.0.2.1", true);
  const client = addEndpoint("client", "198.51.100.7", false);
  const connection = client.machine.connectServer(
    {
      keys: options.pin === undefined ? serverKeys : deriveServerKeys(options.pin),
      addresses: [server.address()],
      timeout: 3_000,
    },
    world.now,
  );
  world.wake(client);
  return { world, server, client, connection, identity, events };
}

describe("a session with a server (RDV-1)", () => {
  test("is there after a round trip; the client learns the server's key, the server nothing of the client", () => {
    const { world, connection, identity, events } = setUp();
    world.run({ until: () => connection.state === "open", for: 5_000 });
    expect(world.now).toBeLessThanOrEqual(2 * DELAY + 1);
    world.run({ until: () => events.some(({ type }) => type === "client"), for: 1_000 });
    expect(connection.peerKey).toEqual(identity.publicKey);
    expect(connection.handshakeHash).toHaveLength(32);
    expect(events.filter(({ name }) => name === "server").map(({ type }) => type)).toContain("client");
  });

  test("who has another pin meets silence", () => {
    const { world, server, connection } = setUp({ pin: new Uint8Array(12) });
    world.run({ for: 5_000 });
    expect(connection.state).toBe("closed");
    expect(server.machine.stats.dropped["no-ticket"]).toBeGreaterThan(0);
    expect(server.machine.stats.sent).toBe(0);
  });
});
