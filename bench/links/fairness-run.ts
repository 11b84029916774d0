/**
 * `npm run bench -- fairness [--congestion NAME]… [--runs N] [--tcp cubic|bbr] [--case tcp|two|late]…`: how flows share
 * a link between two hosts of this machine's kernel, as root. See `fairness.ts`.
 *
 * @module
 */
import { parseArgs } from "node:util";
import { DEFAULT_CONFIG } from "../../src/connection/config.ts";
import { shareOfLate, shareOfTwo, shareWithTcp } from "./fairness.ts";
import { median } from "./statistics.ts";
import { whyNoTestbed } from "./testbed.ts";

/** Runs the benchmark with the arguments after its name. */
export async function fairness(args: readonly string[]): Promise<void> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      congestion: { type: "string", multiple: true, default: [DEFAULT_CONFIG.congestion] },
      runs: { type: "string", default: "5" },
      tcp: { type: "string", default: "cubic" },
      case: { type: "string", multiple: true, default: ["tcp", "two", "late"] },
    },
  });
  const reason = whyNoTestbed();
  if (reason !== undefined) throw new Error(reason);
  for (const congestion of values.congestion) {
    for (const name of values.case) {
      const shares: number[] = [];
      for (let seed = 1; seed <= Number(values.runs); seed++) {
        const { share, line } = await once(name, { seed, congestion, tcp: values.tcp });
        shares.push(share);
        console.log(`${congestion}, ${name}: ${line}`);
      }
      console.log(`${congestion}, ${name}: median ${(median(shares) * 100).toFixed(1)} %`);
    }
  }
}

async function once(
  name: string,
  { seed, congestion, tcp }: { readonly seed: number; readonly congestion: string; readonly tcp: string },
): Promise<{ readonly share: number; readonly line: string }> {
  if (name === "tcp") {
    const { ours, tcp: theirs, share, tailDrops } = await shareWithTcp(tcp, { seed, congestion });
    const line = `ours ${ours.toFixed(2)}, TCP ${tcp} ${theirs.toFixed(2)} MB/s`;
    return { share, line: `${line}, share ${(share * 100).toFixed(1)} %, ${tailDrops} tail drops` };
  }
  const run = name === "two" ? shareOfTwo : shareOfLate;
  const { rates, jain, share, tailDrops } = await run({ seed, congestion });
  const line = `${rates.map((rate) => rate.toFixed(2)).join(" and ")} MB/s, Jain ${jain.toFixed(3)}`;
  return { share, line: `${line}, share of the second ${(share * 100).toFixed(1)} %, ${tailDrops} tail drops` };
}
