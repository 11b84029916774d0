import { describe, expect, test } from "vitest";
import type { UpnpRequest, UpnpResult } from "../../src/portmap/upnp-lane.ts";
import { Bench, INTERNAL_PORT } from "./bench.ts";
import { FakeGateway } from "./fake-gateway.ts";

const HOUR = 3_600_000;

/** A service that finds, adds and removes, and keeps what it has. */
function upnpService(ports: Set<number> = new Set()): (request: UpnpRequest) => UpnpResult {
  return (request) => {
    const { id } = request;
    if (request.kind === "discover") return { kind: "found", id, externalHost: "5.6.7.8" };
    if (request.kind === "remove") {
      ports.delete(request.externalPort);
      return { kind: "removed", id };
    }
    ports.add(request.externalPort);
    return { kind: "added", id, externalHost: "5.6.7.8", externalPort: request.externalPort };
  };
}

describe("getting a mapping", () => {
  test.each([
    ["pcp", 2],
    ["nat-pmp", 4],
  ] as const)("%s alone gives a mapping after %i ms", (protocol, ms) => {
    const bench = new Bench(new FakeGateway({ speaks: [protocol] }));
    bench.machine.start(bench.at);
    bench.run(3_000);
    expect(bench.of("mapped")).toEqual([
      expect.objectContaining({
        at: ms,
        mapping: {
          protocol,
          external: { host: "5.6.7.8", port: bench.gateway.mappings[0]!.externalPort, family: 4 },
          reach: "public",
          lifetime: 7200,
        },
      }),
    ]);
    expect(bench.events).toHaveLength(1);
    expect(bench.gateway.mappings).toMatchObject([{ by: protocol, internalPort: INTERNAL_PORT }]);
  });

  test("MAP-1: with a gateway of both kinds the first to answer wins, and the other makes no mapping", () => {
    const bench = new Bench(new FakeGateway(), { upnp: upnpService() });
    bench.machine.start(bench.at);
    bench.run(10_000);
    expect(bench.of("mapped")).toMatchObject([{ mapping: { protocol: "pcp" } }]);
    expect(bench.gateway.mappings).toHaveLength(1);
    expect(bench.sent).toHaveLength(2);
    // UPnP's search had begun; nothing followed it.
    expect(bench.upnpRequests.map(({ kind }) => kind)).toEqual(["discover"]);
  });

  test("MAP-1: UPnP gives a mapping where nothing else does", () => {
    const ports = new Set<number>();
    const bench = new Bench(new FakeGateway({ speaks: [] }), { upnp: upnpService(ports) });
    bench.machine.start(bench.at);
    bench.run(1_000);
    expect(bench.of("mapped")).toMatchObject([{ at: 200, mapping: { protocol: "upnp", lifetime: 7200 } }]);
    expect([...ports]).toEqual([bench.machine.mapping!.external.port]);
  });

  test("MAP-1: a second mapping that comes all the same is removed", () => {
    const gateway = new FakeGateway({ choosesPorts: true });
    // The answer to PCP's request is lost on the way; by its next request NAT-PMP has won.
    let lost: Uint8Array | undefined;
    const bench = new Bench(gateway, {
      loses: (bytes) => {
        if (lost !== undefined || bytes[0] !== 2) return false;
        lost = gateway.answer(bytes, bench.at);
        return true;
      },
    });
    bench.machine.start(bench.at);
    bench.run(100);
    expect(bench.of("mapped")).toMatchObject([{ mapping: { protocol: "nat-pmp" } }]);
    expect(gateway.mappings).toHaveLength(2);
    bench.deliver(lost!);
    bench.run(100);
    expect(gateway.mappings).toMatchObject([{ by: "nat-pmp" }]);
    expect(bench.of("mapped")).toHaveLength(1);
  });

  test("MAP-1: a mapping that protocols share is left alone", () => {
    const gateway = new FakeGateway({ shares: true });
    let lost: Uint8Array | undefined;
    const bench = new Bench(gateway, {
      loses: (bytes) => {
        if (lost !== undefined || bytes[0] !== 2) return false;
        lost = gateway.answer(bytes, bench.at);
        return true;
      },
    });
    bench.machine.start(bench.at);
    bench.run(100);
    bench.deliver(lost!);
    bench.run(1_000);
    expect(gateway.mappings).toHaveLength(1);
    bench.machine.close(bench.at);
    bench.run(1_000);
    expect(gateway.mappings).toHaveLength(0);
  });

  test("MAP-6: the port that is suggested is random, from 1024 on, and the same for all protocols", () => {
    const ports = new Set<number>();
    for (let seed = 1; seed <= 50; seed++) {
      const bench = new Bench(new FakeGateway({ speaks: [] }), { seed, upnp: upnpService() });
      bench.machine.start(bench.at);
      bench.run(2_000);
      const pcp = bench.sent.find(({ bytes }) => bytes[0] === 2)!.bytes;
      const port = new DataView(pcp.buffer).getUint16(42);
      expect(bench.upnpRequests).toMatchObject([{ kind: "discover" }, { kind: "add", externalPort: port }]);
      expect(port).toBeGreaterThanOrEqual(1024);
      ports.add(port);
    }
    expect(ports.size).toBeGreaterThan(45);
  });

  test.each([
    ["5.6.7.8", "public"],
    ["100.64.0.1", "carrier"],
    ["100.127.255.254", "carrier"],
    ["100.128.0.1", "public"],
    ["10.0.0.7", "private"],
    ["172.31.0.7", "private"],
    ["172.32.0.7", "public"],
    ["192.168.178.2", "private"],
    ["192.0.0.2", "private"],
  ])("MAP-9: the external address %s counts as %s", (externalHost, reach) => {
    for (const protocol of ["pcp", "nat-pmp"] as const) {
      const bench = new Bench(new FakeGateway({ externalHost, speaks: [protocol] }));
      bench.machine.start(bench.at);
      bench.run(100);
      expect(bench.machine.mapping?.reach).toBe(reach);
    }
  });

  test.each(["0.0.0.0", "127.0.0.1", "169.254.1.1", "224.0.0.1", "255.255.255.255"])(
    "MAP-9: %s is no external address, and the mapping is refused",
    (externalHost) => {
      const bench = new Bench(new FakeGateway({ externalHost, speaks: ["pcp"] }));
      bench.machine.start(bench.at);
      bench.run(2_000);
      expect(bench.of("mapped")).toEqual([]);
      expect(bench.of("unavailable")[0]!.lanes[0]).toMatchObject({ state: "refused", reason: /external address/ });
      bench.machine.close(bench.at);
      bench.run(1_000);
      expect(bench.gateway.mappings).toEqual([]);
    },
  );
});

describe("limits", () => {
  test("MAP-8: without an answer it is pending after 250 ms and unavailable after 2 s", () => {
    const bench = new Bench(new FakeGateway({ speaks: [] }));
    bench.machine.start(bench.at);
    bench.run(300_000);
    expect(bench.events.map(({ type, at }) => [type, at])).toEqual([
      ["pending", 250],
      ["unavailable", 2_000],
    ]);
    expect(bench.of("unavailable")[0]!.lanes).toEqual([
      { protocol: "pcp", state: "asking", reason: "no answer" },
      { protocol: "nat-pmp", state: "asking", reason: "no answer" },
    ]);
  });

  test("MAP-8: when all have refused it is unavailable at once, and says why", () => {
    const bench = new Bench(new FakeGateway({ refuses: 2 }));
    bench.machine.start(bench.at);
    bench.run(3_000);
    expect(bench.events).toMatchObject([
      {
        type: "unavailable",
        at: 4,
        lanes: [
          { protocol: "pcp", state: "refused", reason: "not authorized" },
          { protocol: "nat-pmp", state: "refused", reason: "not authorized" },
        ],
      },
    ]);
  });

  test("MAP-3: NAT-PMP asks nine times, after 250 ms, 500 ms and so on (RFC 6886 §3.1)", () => {
    const bench = new Bench(new FakeGateway({ speaks: [] }));
    bench.machine.start(bench.at);
    bench.run(200_000);
    expect(bench.sentAt(0)).toEqual([0, 250, 750, 1_750, 3_750, 7_750, 15_750, 31_750, 63_750]);
  });

  test("MAP-3: PCP asks after 3 s, then twice as long each time, up to 1024 s, by a tenth more or less (RFC 6887 §8.1.1)", () => {
    const bench = new Bench(new FakeGateway({ speaks: [] }));
    bench.machine.start(bench.at);
    bench.run(3 * HOUR);
    const times = bench.sentAt(2);
    const gaps = times.slice(1).map((at, i) => at - times[i]!);
    expect(gaps[0]).toBeGreaterThanOrEqual(2_700);
    expect(gaps[0]).toBeLessThanOrEqual(3_300);
    for (const [i, gap] of gaps.slice(1).entries()) {
      const base = Math.min(2 * gaps[i]!, 1_024_000);
      expect(Math.abs(gap - base)).toBeLessThanOrEqual(base * 0.1 + 1);
    }
    expect(gaps.at(-1)).toBeGreaterThan(900_000);
  });

  test("a gateway that appears later is found, and refusals are asked again after 1024 s", () => {
    const bench = new Bench(new FakeGateway({ speaks: ["nat-pmp"], refuses: 4 }));
    bench.machine.start(bench.at);
    bench.run(10_000);
    expect(bench.of("unavailable")).toHaveLength(1);
    bench.gateway.options = { speaks: ["nat-pmp"] };
    bench.run(1_010_000);
    expect(bench.of("mapped")).toEqual([]);
    bench.run(10_000);
    expect(bench.of("mapped")).toHaveLength(1);
  });
});

describe("keeping a mapping", () => {
  test.each(["pcp", "nat-pmp"] as const)(
    "MAP-4: %s renews between a half and five eighths of what was granted",
    (protocol) => {
      const bench = new Bench(new FakeGateway({ speaks: [protocol], lifetime: 1_000 }));
      bench.machine.start(bench.at);
      bench.run(100);
      expect(bench.machine.mapping?.lifetime).toBe(1_000);
      bench.sent.length = 0;
      bench.run(24 * HOUR);
      const times = bench.sent.filter(({ bytes }) => bytes.length > 2).map(({ at }) => at);
      const gaps = times.slice(1).map((at, i) => at - times[i]!);
      expect(Math.min(...gaps)).toBeGreaterThanOrEqual(500_000);
      expect(Math.max(...gaps)).toBeLessThanOrEqual(625_010);
      // Jitter: they are not all the same.
      expect(Math.max(...gaps) - Math.min(...gaps)).toBeGreaterThan(50_000);
      expect(bench.events).toHaveLength(1);
    },
  );

  test("MAP-4: unanswered renewals come halfway through the rest each time, at least 4 s apart; then the mapping is lost", () => {
    const bench = new Bench(new FakeGateway({ speaks: ["pcp"] }));
    bench.machine.start(bench.at);
    bench.run(100);
    bench.gateway.options = { speaks: [] };
    bench.sent.length = 0;
    bench.run(7_200_002);
    const renewals = bench.sent.map(({ at }) => at).filter((at) => at < 7_200_002);
    expect(renewals[0]).toBeGreaterThan(0.5 * 7_200_000);
    expect(renewals[0]).toBeLessThan(0.626 * 7_200_000);
    expect(renewals.length).toBeLessThan(14);
    const gaps = renewals.slice(1).map((at, i) => at - renewals[i]!);
    expect(Math.min(...gaps)).toBeGreaterThanOrEqual(4_000);
    expect(bench.of("lost")).toMatchObject([{ at: 7_200_002 }]);
    expect(bench.machine.mapping).toBeUndefined();
  });

  test("MAP-10: a lost mapping is asked for anew, with the same limits", () => {
    const bench = new Bench(new FakeGateway({ speaks: ["pcp"], lifetime: 100 }));
    bench.machine.start(bench.at);
    bench.run(100);
    bench.gateway.options = { speaks: [] };
    bench.run(110_000);
    expect(bench.events.map(({ type }) => type)).toEqual(["mapped", "lost", "pending", "unavailable"]);
    bench.gateway.options = { speaks: ["nat-pmp"] };
    bench.run(60_000);
    expect(bench.of("mapped").at(-1)).toMatchObject({ mapping: { protocol: "nat-pmp" } });
  });

  test("MAP-4: lifetimes above a day count as a day, and below 8 s as a refusal", () => {
    const long = new Bench(new FakeGateway({ speaks: ["pcp"] }));
    long.machine.start(long.at);
    const answer = long.gateway.answer(long.machine.pollTransmit(long.at)!.payload, long.at)!;
    new DataView(answer.buffer).setUint32(4, 0xffff_ffff);
    long.deliver(answer);
    expect(long.machine.mapping?.lifetime).toBe(86_400);
    const short = new Bench(new FakeGateway({ lifetime: 7 }));
    short.machine.start(short.at);
    short.run(1_000);
    expect(short.of("mapped")).toEqual([]);
    expect(short.of("unavailable")).toHaveLength(1);
    expect(short.sent.length).toBeLessThan(6);
  });

  test.each(["pcp", "nat-pmp"] as const)(
    "MAP-5: %s notices at a renewal that the gateway restarted, and has the mapping back",
    (protocol) => {
      const bench = new Bench(new FakeGateway({ speaks: [protocol] }));
      bench.machine.start(bench.at);
      bench.run(100);
      const port = bench.machine.mapping!.external.port;
      bench.gateway.restart(bench.at);
      bench.machine.renew(bench.at);
      bench.run(100);
      expect(bench.gateway.mappings).toMatchObject([{ externalPort: port }]);
      expect(bench.of("lost")).toEqual([]);
    },
  );

  test("MAP-5: an announcement with a count that went back makes PCP ask again, but not more than once in 4 s", () => {
    const bench = new Bench(new FakeGateway({ speaks: ["pcp"] }));
    bench.machine.start(bench.at);
    bench.run(10_000);
    bench.sent.length = 0;
    bench.deliver(bench.gateway.announce(bench.at));
    bench.run(100);
    expect(bench.sent).toEqual([]);
    // Restarts less than 3 s apart cannot be told from a coarse clock (RFC 6887 §8.5).
    for (let i = 0; i < 20; i++) {
      bench.gateway.restart(bench.at);
      bench.deliver(bench.gateway.announce(bench.at));
      bench.run(3_100);
    }
    const gaps = bench.sent.slice(1).map(({ at }, i) => at - bench.sent[i]!.at);
    expect(gaps.length).toBeGreaterThan(5);
    expect(Math.min(...gaps)).toBeGreaterThanOrEqual(4_000);
    bench.run(4_000);
    expect(bench.gateway.mappings).toHaveLength(1);
  });

  test("MAP-5: a gateway that restarted and refuses has lost the mapping", () => {
    const bench = new Bench(new FakeGateway({ speaks: ["pcp"] }));
    bench.machine.start(bench.at);
    bench.run(100);
    bench.gateway.options = { speaks: ["pcp"], refuses: 2 };
    bench.machine.renew(bench.at);
    bench.run(100);
    expect(bench.of("lost")).toEqual([]);
    bench.run(10_000);
    bench.gateway.restart(bench.at);
    bench.machine.renew(bench.at);
    bench.run(100);
    expect(bench.of("lost")).toHaveLength(1);
  });

  test("a new external address is told", () => {
    const bench = new Bench(new FakeGateway({ speaks: ["nat-pmp"] }));
    bench.machine.start(bench.at);
    bench.run(100);
    bench.gateway.options = { speaks: ["nat-pmp"], externalHost: "9.9.9.9" };
    bench.run(5_000_000);
    expect(bench.of("mapped").map(({ mapping }) => mapping.external.host)).toEqual(["5.6.7.8", "9.9.9.9"]);
  });
});

describe("closing", () => {
  test.each(["pcp", "nat-pmp"] as const)("MAP-7: %s removes the mapping", (protocol) => {
    const bench = new Bench(new FakeGateway({ speaks: [protocol] }));
    bench.machine.start(bench.at);
    bench.run(100);
    bench.machine.close(bench.at);
    bench.run(2);
    expect(bench.gateway.mappings).toEqual([]);
    expect(bench.of("closed")).toHaveLength(1);
    expect(bench.machine.nextTimeout()).toBeUndefined();
  });

  test("MAP-7: the removal is repeated after 250 ms and 500 ms, and closing takes 1 s at most", () => {
    const bench = new Bench(new FakeGateway({ speaks: ["pcp"] }));
    bench.machine.start(bench.at);
    bench.run(1_000);
    bench.gateway.options = { speaks: [] };
    bench.sent.length = 0;
    bench.machine.close(bench.at);
    bench.run(10_000);
    expect(bench.sent.map(({ at }) => at)).toEqual([1_000, 1_250, 1_750]);
    expect(bench.of("closed")).toMatchObject([{ at: 2_000 }]);
  });

  test("MAP-7: what may have been made without our knowledge is removed as well", () => {
    const gateway = new FakeGateway({ speaks: ["pcp"] });
    const bench = new Bench(gateway, {
      loses: (bytes, now) => {
        if (now === 0) gateway.answer(bytes, bench.at);
        return now === 0;
      },
    });
    bench.machine.start(bench.at);
    bench.run(100);
    expect(gateway.mappings).toHaveLength(1);
    bench.machine.close(bench.at);
    bench.run(100);
    expect(gateway.mappings).toEqual([]);
    expect(bench.of("closed")).toHaveLength(1);
  });

  test("closing before anything was asked for is over at once", () => {
    const bench = new Bench(new FakeGateway());
    bench.machine.close(bench.at);
    bench.run(10);
    expect(bench.events.map(({ type }) => type)).toEqual(["closed"]);
    expect(bench.sent).toEqual([]);
  });
});

test("MAP-13: a probe tells which protocols are spoken, and makes no mapping", () => {
  const ports = new Set<number>();
  const bench = new Bench(new FakeGateway(), { upnp: upnpService(ports) });
  bench.machine.probe(bench.at);
  bench.run(10_000);
  expect(bench.of("available").map(({ protocol, externalHost }) => [protocol, externalHost])).toEqual([
    ["pcp", undefined],
    ["nat-pmp", "5.6.7.8"],
    ["upnp", "5.6.7.8"],
  ]);
  expect(bench.gateway.mappings).toEqual([]);
  expect(ports.size).toBe(0);
  bench.machine.close(bench.at);
  bench.run(10);
  expect(bench.of("closed")).toHaveLength(1);
  expect(bench.sent).toHaveLength(2);
});
