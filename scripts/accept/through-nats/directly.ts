/**
 * Calls that need no punching: tickets with addresses that answer at once, and networks that let no UDP through.
 *
 * @module
 */
import { kind, rulesOf } from "../../../test/kernel/nat/kinds.ts";
import { BLACK_HOLE, type NatLab } from "../../../test/kernel/nat/lab.ts";
import { must, type Row } from "../row.ts";
import { type CallOptions, throughNats } from "./calls.ts";
import { DELAY } from "./matrix.ts";
import { lineOf, Tally } from "./tally.ts";

const RUNS = 5;

/** One way on the WAN link, in ms: long beside what two processes compute. */
const LONG_DELAY = 100;

/** A round trip for the handshake, half a one for the first byte, and what the processes compute, in ms. */
const COMPUTING = 80;

function directRow(
  head: Pick<Row, "name" | "claim">,
  { delay, arrange }: { readonly delay: number; arrange(lab: NatLab): Promise<CallOptions> },
): Row {
  const limit = 3 * delay + COMPUTING;
  return {
    name: head.name,
    claim: `${head.claim}: one round trip of ${2 * delay} ms before the first byte, ${limit} ms in all, ${RUNS} of ${RUNS}`,
    minutes: 1,
    run: (place) =>
      throughNats(place, { links: { delay } }, async (calls, lab) => {
        const tally = new Tally();
        for (let run = 0; run < RUNS; run++) {
          const outcome = await calls.call({ meeting: "addresses", ...(await arrange(lab)) });
          place.log(lineOf(head.name, outcome));
          tally.add(head.name, outcome);
        }
        tally.mustConnectWithin(limit, 1);
        return tally.figure;
      }),
  };
}

async function behindRouter(lab: NatLab): Promise<void> {
  await lab.install("na", rulesOf(kind("EIM/APDF")));
}

const toPublic = directRow(
  { name: "direct-public", claim: "a ticket with a public address" },
  {
    delay: LONG_DELAY,
    async arrange(lab) {
      await behindRouter(lab);
      return { connector: "ha", listener: "pub" };
    },
  },
);

const onLan = directRow(
  { name: "direct-lan", claim: "a ticket with an address of the same network" },
  {
    delay: 0,
    async arrange(lab) {
      await behindRouter(lab);
      return { connector: "ha", listener: "ha2" };
    },
  },
);

const besideBlocked = directRow(
  { name: "direct-blocked", claim: "a ticket with an address that never answers before the one that does" },
  {
    delay: LONG_DELAY,
    async arrange(lab) {
      await behindRouter(lab);
      const { address } = lab.host("pub");
      return { connector: "ha", listener: "pub", listenArgs: `--address ${BLACK_HOLE}:9 --address ${address}` };
    },
  },
);

const BLOCKED_TIMEOUT = 4000;

const udpBlocked: Row = {
  name: "udp-blocked",
  claim: `a network that lets no UDP out: connect says so within ${BLOCKED_TIMEOUT / 1000} s, ${RUNS} of ${RUNS}`,
  minutes: 1,
  run: (place) =>
    throughNats(place, { links: { delay: DELAY } }, async (calls, lab) => {
      const times: number[] = [];
      for (let run = 0; run < RUNS; run++) {
        await lab.install("na", { kind: "udp-blocked" });
        await lab.install("nb", rulesOf(kind("EIM/APDF")));
        const outcome = await calls.call({ connector: "ha", listener: "hb" });
        const line = lineOf("blocked", outcome);
        place.log(line);
        must(!outcome.isConnected, line);
        const words = `${outcome.code} ${outcome.message} ${outcome.hint}`;
        must(/UDP/i.test(words) && /block/i.test(words), `nothing is said of UDP that is blocked: ${words}`);
        must(outcome.ms <= BLOCKED_TIMEOUT, line);
        times.push(outcome.ms);
      }
      return `said so after ${Math.max(...times).toFixed(0)} ms at most`;
    }),
};

/** Rows about calls without punching. */
export const directRows: readonly Row[] = [toPublic, onLan, besideBlocked, udpBlocked];
