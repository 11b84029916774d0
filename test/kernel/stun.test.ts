/**
 * Real servers, real sockets, real NATs: Debian's coturn and stund, and our own answers.
 *
 * @module
 */
import { spawnSync } from "node:child_process";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Address } from "../../src/util/machine.ts";
import { RULESETS } from "./nat/kinds.ts";
import { NatLab, OUTER_ADDRESSES, SERVER_ADDRESSES, SERVER_ADDRESSES6 } from "./nat/lab.ts";
import { Explorer, PORTS, Server, type ServerName } from "./stun/programs.ts";

const at = (host: string, port: number): Address => ({ host, port, family: host.includes(":") ? 6 : 4 });
const [FIRST, SECOND] = SERVER_ADDRESSES;
const PRIMARY = at(FIRST, PORTS.primary);
const OTHER = at(SECOND, PORTS.other);

/** By its whole path, because an npm package has a program of this name. */
const CLASSIC_CLIENT = "/usr/bin/stun";

/** What a client waits for at most, so that a test fails before it times out. */
const TIMING = { rto: 100, requests: 4, lastWait: 4 };

let lab: NatLab;
let inner: Explorer;
let outer: Explorer;

beforeAll(async () => {
  lab = await NatLab.create({ ipv6: true });
  inner = new Explorer(lab.host("ha").prefix);
  outer = new Explorer(lab.host("pub").prefix);
});

afterAll(async () => {
  await inner?.stop();
  await outer?.stop();
  await lab?.close();
});

/** A server at both addresses, for all tests of a block. */
function withServer(name: ServerName, hosts: readonly [string, string] = [FIRST, SECOND]): void {
  let server: Server;
  beforeAll(async () => {
    server = await Server.start(name, lab.host("srv").prefix, hosts);
  });
  afterAll(() => server?.stop());
}

describe.each(["coturn", "stund", "own with diagnostics"] as const)("%s", (name) => {
  withServer(name);

  test("answers and names its other address (RFC 5780 §4.3, STUN-8)", async () => {
    const { event } = await outer.obey({ order: "ask", request: { server: PRIMARY, timing: TIMING }, responds: false });
    expect(event).toMatchObject({ type: "answered", origin: PRIMARY, other: OTHER });
    expect(event).toMatchObject({ mapped: { host: lab.host("pub").address, family: 4 } });
  });

  test.each([
    { address: false, port: true, from: at(FIRST, PORTS.other) },
    { address: true, port: false, from: at(SECOND, PORTS.primary) },
    { address: true, port: true, from: OTHER },
  ])("answers from $from.host:$from.port if asked to (RFC 5780 §7.2, STUN-8)", async (change) => {
    const request = { server: PRIMARY, change, timing: TIMING };
    const { event } = await outer.obey({ order: "ask", request, responds: false });
    expect(event).toMatchObject({ type: "answered" });
  });

  test("sees a public host for what it is (STUN-11, STUN-12, STUN-13)", async () => {
    const order = { order: "discover", family: 4, servers: [{ address: PRIMARY }] } as const;
    const { profile, ms } = await outer.obey(order);
    expect(profile).toMatchObject({
      mapping: "endpoint-independent",
      filtering: "endpoint-independent",
      allocator: "preserving",
    });
    expect(ms).toBeLessThan(2000);
  });
});

describe.each(["coturn", "own with diagnostics"] as const)("%s", (name) => {
  withServer(name);

  test("answers to another port if asked to (RFC 5780 §7.5, STUN-8)", async () => {
    const { event } = await outer.obey({ order: "ask", request: { server: PRIMARY, timing: TIMING }, responds: true });
    expect(event).toMatchObject({ type: "answered" });
  });

  test.each(RULESETS)(
    "sees $name as configured, in less than 3 s (STUN-11, STUN-12, STUN-13, STUN-14)",
    async (each) => {
      const { rules, seenMapping } = each;
      await lab.install("na", rules);
      const order = { order: "discover", family: 4, servers: [{ address: PRIMARY }] } as const;
      const { profile, reflexive, ms } = await inner.obey(order);
      expect(profile).toMatchObject({
        mapping: seenMapping,
        filtering: rules.filtering,
        allocator: rules.allocator.kind,
        hairpin: rules.hairpin,
        step: rules.allocator.kind === "sequential" ? 1 : 0,
      });
      expect(reflexive[0]?.host).toBe(OUTER_ADDRESSES.a);
      expect(ms).toBeLessThan(3000);
    },
  );
});

describe("own answers to strangers", () => {
  withServer("own");

  test("tell mapping if both addresses are known, and refuse the rest (STUN-5, STUN-11)", async () => {
    const { rules } = RULESETS.find((each) => each.name === "ADM/ADF random")!;
    await lab.install("na", rules);
    const server = { address: PRIMARY, other: OTHER };
    const { profile } = await inner.obey({ order: "discover", family: 4, servers: [server] });
    expect(profile).toMatchObject({ mapping: "address-dependent", allocator: "random" });
    expect(profile.filtering).toBeUndefined();
    const change = { address: true, port: true, from: OTHER };
    const request = { server: PRIMARY, change, timing: TIMING };
    const { event } = await outer.obey({ order: "ask", request, responds: false });
    expect(event).toMatchObject({ type: "refused", errorCode: 420 });
  });

  test("a block of 1,024 ports is found (STUN-13)", async () => {
    const allocator = { kind: "random", first: 40_000, size: 1024 } as const;
    const dependent = "address-and-port-dependent";
    await lab.install("na", { kind: "translation", mapping: dependent, filtering: dependent, allocator });
    const server = { address: PRIMARY, other: OTHER };
    const { profile } = await inner.obey({ order: "discover", family: 4, servers: [server] });
    expect(profile).toMatchObject({ mapping: dependent, allocator: "block", poolSize: 1024 });
    expect(Math.abs(profile.poolFirst - 40_000)).toBeLessThan(200);
  });

  test("UDP that is blocked is seen to be, after 3 s (STUN-10)", async () => {
    await lab.install("na", { kind: "udp-blocked" });
    const { answered, ms } = await inner.obey({ order: "discover", family: 4, servers: [{ address: PRIMARY }] });
    expect(answered).toBe(false);
    expect(ms).toBeGreaterThan(2900);
    expect(ms).toBeLessThan(3500);
  });
});

describe("IPv6", () => {
  const [first6, second6] = SERVER_ADDRESSES6;
  withServer("own with diagnostics", [first6, second6]);

  test("a firewall filters and translates nothing (STUN-11, STUN-12)", async () => {
    await lab.install("na", undefined, { firewall6: true });
    const servers = [{ address: at(first6, PORTS.primary) }];
    const { profile, reflexive } = await inner.obey({ order: "discover", family: 6, servers });
    expect(profile).toMatchObject({
      mapping: "endpoint-independent",
      filtering: "address-and-port-dependent",
      allocator: "preserving",
    });
    expect(reflexive[0]?.host).toBe(lab.host("ha").address6);
  });
});

describe("other clients of our own answers", () => {
  withServer("own with diagnostics");

  /** What a program says on a host, and its exit code. */
  function run(
    host: "ha" | "pub",
    ...words: readonly string[]
  ): { readonly text: string; readonly code: number | null } {
    const [command = "", ...rest] = [...lab.host(host).prefix, ...words];
    const { stdout, stderr, status } = spawnSync(command, rest, { encoding: "utf8", timeout: 60_000 });
    return { text: `${stdout}${stderr}`, code: status };
  }

  test("Debian's classic client names NATs as it does with stund (STUN-4, STUN-6)", async () => {
    expect(run("pub", CLASSIC_CLIENT, `${FIRST}:${PORTS.primary}`).text).toMatch(/Primary: Open/);
    const named = {
      "EIM/EIF random": /Independent Mapping, Independent Filter/,
      "EIM/ADF random": /Address Dependent Filter/,
    };
    for (const [name, expected] of Object.entries(named)) {
      await lab.install("na", RULESETS.find((each) => each.name === name)!.rules);
      expect(run("ha", CLASSIC_CLIENT, `${FIRST}:${PORTS.primary}`).text).toMatch(expected);
    }
  });

  test("coturn's client is content (STUN-4, STUN-6)", () => {
    const { text, code } = run("pub", "turnutils_stunclient", "-p", `${PORTS.primary}`, FIRST);
    expect(text).toMatch(new RegExp(`reflexive addr: ${lab.host("pub").address}`));
    expect(code).toBe(0);
  });
});
