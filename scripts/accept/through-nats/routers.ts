/**
 * Routers with habits, hosts behind the same router, carriers, public hosts, and links of several sorts: whatever can be
 * connected is, five times of five.
 *
 * @module
 */
import { type Kind, kind, rulesOf } from "../../../test/kernel/nat/kinds.ts";
import type { LabOptions, NatLab } from "../../../test/kernel/nat/lab.ts";
import { installRules } from "../../../test/kernel/nat/pairs.ts";
import type { Rules } from "../../../test/kernel/nat/ruleset.ts";
import type { Row } from "../row.ts";
import { type CallOptions, throughNats } from "./calls.ts";
import { DELAY } from "./matrix.ts";
import { lineOf, Tally } from "./tally.ts";

const RUNS = 5;

/** One arrangement of routers. */
interface Scene {
  readonly name: string;
  /** Installs what is wanted, and says who calls whom. */
  arrange(lab: NatLab): Promise<CallOptions>;
}

/** A row that calls {@link RUNS} times in each of its scenes. */
function sceneRow(
  head: Pick<Row, "name" | "claim" | "minutes">,
  scenes: readonly Scene[],
  options: LabOptions = { links: { delay: DELAY } },
): Row {
  return {
    ...head,
    run: (place) =>
      throughNats(place, options, async (calls, lab) => {
        const tally = new Tally();
        for (const scene of scenes)
          for (let run = 0; run < RUNS; run++) {
            const outcome = await calls.call(await scene.arrange(lab));
            place.log(lineOf(scene.name, outcome));
            tally.add(scene.name, outcome);
          }
        tally.mustAllConnect();
        return tally.figure;
      }),
  };
}

/** Both homes have the same kind of router. */
function twice(name: string, rules: Rules): Scene {
  return {
    name,
    async arrange(lab) {
      const { a: connector, b: listener } = await installRules(lab, rules, rules);
      return { connector, listener };
    },
  };
}

/** Two neighbours behind one router. */
function neighbours(kinds: readonly string[], { hairpin }: { readonly hairpin: boolean }): Scene[] {
  return kinds.map((name) => ({
    name,
    async arrange(lab) {
      await lab.install("na", { ...rulesOf(kind(name))!, hairpin });
      return { connector: "ha", listener: "ha2" };
    },
  }));
}

/** The listener's home is behind a carrier's router as well. */
function behindCarrier(home: Kind, carrier: Kind): Scene {
  return {
    name: `${home.name} behind ${carrier.name}`,
    async arrange(lab) {
      await Promise.all([
        lab.install("na", rulesOf(kind("EIM/APDF"))),
        lab.install("nb", rulesOf(home)),
        lab.install("cb", rulesOf(carrier)),
      ]);
      return { connector: "ha", listener: "hb" };
    },
  };
}

/** One side is public, the other has the hardest kind of NAT, or a home's usual one. */
function onePublic(who: "connector" | "listener"): Scene[] {
  return ["EIM/APDF", "APDM/APDF"].map((name) => ({
    name: `the ${who} is public, the other ${name}`,
    async arrange(lab) {
      const nat = rulesOf(kind(name));
      const [a, b] = who === "connector" ? [undefined, nat] : [nat, undefined];
      const { a: connector, b: listener } = await installRules(lab, a, b);
      return { connector, listener };
    },
  }));
}

const port = rulesOf(kind("EIM/APDF"))!;
const usual = twice("EIM/APDF", port);
const CARRIED = ["EIM/EIF", "EIM/APDF", "APDM/APDF"].map(kind);

/** IPv4 does not get through, so that it is IPv6 that connects. */
const firewalls: Scene = {
  name: "firewalls",
  async arrange(lab) {
    for (const router of ["na", "nb"] as const) await lab.install(router, { kind: "udp-blocked" }, { firewall6: true });
    return { connector: "ha", listener: "hb" };
  },
};

/** Rows about routers and links. */
export const routerRows: readonly Row[] = [
  sceneRow(
    {
      name: "masquerade",
      claim: `plain masquerading routers that drop unsolicited datagrams: ${RUNS} of ${RUNS}`,
      minutes: 1,
    },
    [twice("masquerade", { kind: "masquerade", acceptsInput: false })],
  ),
  sceneRow(
    {
      name: "masquerade-trap",
      claim: `plain masquerading routers that take them for their own: ${RUNS} of ${RUNS}`,
      minutes: 1,
    },
    [twice("trap", { kind: "masquerade", acceptsInput: true })],
  ),
  sceneRow({ name: "blacklist", claim: `routers that shut out whoever sent unasked: ${RUNS} of ${RUNS}`, minutes: 1 }, [
    twice("blacklist", { ...port, unsolicited: "blacklist" }),
  ]),
  sceneRow(
    { name: "reject", claim: `routers that answer unsolicited datagrams with errors: ${RUNS} of ${RUNS}`, minutes: 1 },
    [twice("reject", { ...port, unsolicited: "reject" })],
  ),
  sceneRow(
    { name: "same-nat", claim: `both hosts behind one router without hairpin: ${RUNS} of ${RUNS} each`, minutes: 1 },
    neighbours(["EIM/APDF", "APDM/APDF"], { hairpin: false }),
  ),
  sceneRow(
    {
      name: "same-nat-hairpin",
      claim: `both hosts behind one router with hairpin: ${RUNS} of ${RUNS} each`,
      minutes: 1,
    },
    neighbours(["EIM/APDF", "APDM/APDF"], { hairpin: true }),
  ),
  sceneRow(
    { name: "carrier", claim: `carrier NAT over home NAT, 9 combinations: ${RUNS} of ${RUNS} each`, minutes: 4 },
    CARRIED.flatMap((home) => CARRIED.map((carrier) => behindCarrier(home, carrier))),
    { links: { delay: DELAY }, carrier: true },
  ),
  sceneRow({ name: "one-public", claim: `one side public: ${RUNS} of ${RUNS} each`, minutes: 1 }, [
    ...onePublic("connector"),
    ...onePublic("listener"),
  ]),
  sceneRow(
    { name: "ipv6-firewalls", claim: `IPv6 firewalls on both ends, no IPv4: ${RUNS} of ${RUNS}`, minutes: 1 },
    [firewalls],
    { links: { delay: DELAY }, ipv6: true },
  ),
  sceneRow({ name: "loss", claim: `10 % loss both ways on both WAN links: ${RUNS} of ${RUNS}`, minutes: 1 }, [usual], {
    links: { delay: DELAY, loss: 10 },
  }),
  sceneRow(
    { name: "long-way", claim: `280 ms round trip between each home and the server: ${RUNS} of ${RUNS}`, minutes: 1 },
    [usual],
    { links: { delay: 140 } },
  ),
];
