/**
 * Whether the kernel cut a datagram into fragments.
 *
 * A probe for the path's MTU proves something only if it stays in one piece. Linux cuts what is larger than the MTU that
 * it believes a path to have, from the interface or from a router's complaint, and Node cannot forbid that. But the kernel
 * counts the fragments that it makes, and it makes them while the datagram is being handed over; so if the count has
 * changed across that moment, the probe is taken to be among them. Where some other program's datagram was, one probe is
 * sent for nothing. Elsewhere than on Linux nothing is counted where we could see it.
 *
 * @module
 */
import { readSmallFile } from "./interface-mtu.ts";

/** Fragments of this family's packets that this machine has made; `undefined` if nobody tells. */
export function fragmentsMade(
  family: 4 | 6,
  read: (path: string) => string | undefined = readSmallFile,
): number | undefined {
  return family === 4 ? made4(read("/proc/net/snmp")) : made6(read("/proc/net/snmp6"));
}

/** Two lines that begin with `Ip:`, one of names and one of values. */
function made4(text: string | undefined): number | undefined {
  const [names, values] = (text ?? "").split("\n").filter((line) => line.startsWith("Ip: "));
  const column = names?.split(" ").indexOf("FragCreates") ?? -1;
  return column < 0 ? undefined : toCount(values?.split(" ")[column]);
}

/** One line each of a name and a value. */
function made6(text: string | undefined): number | undefined {
  return toCount(/^Ip6FragCreates\s+([0-9]+)\s*$/m.exec(text ?? "")?.[1]);
}

function toCount(text: string | undefined): number | undefined {
  const count = Number(text ?? Number.NaN);
  return Number.isNaN(count) ? undefined : count;
}
