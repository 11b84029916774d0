/**
 * Rows that are long runs of the project's own scripts.
 *
 * @module
 */
import { must, type Row } from "../row.ts";
import { npmRun } from "../tools/npm.ts";

export const simulation: Row = {
  name: "sim-10000",
  claim: "10,000 seeds of the random simulation: 0 failures in at most 15 minutes",
  minutes: 2,
  async run(place) {
    const { seconds, lines } = await npmRun(place, ["sim", "--", "--seeds", "10000"]);
    must(seconds <= 900, `it took ${seconds.toFixed(0)} s`);
    return lines.at(-1) ?? "";
  },
};

export const hostile: Row = {
  name: "hostile",
  claim:
    "10^6 random, truncated and bit-flipped datagrams at each parser and at a live endpoint: no throw, no reply, no change",
  minutes: 2,
  async run(place) {
    const { lines } = await npmRun(place, ["hostile"]);
    return lines.at(-1) ?? "";
  },
};

export const benchmark: Row = {
  name: "bench",
  claim: "one bulk stream on loopback and on a veth pair, beside node:net and udx-native",
  minutes: 2,
  async run(place) {
    const { lines } = await npmRun(place, ["bench", "--", "bulk", "--mb", "256", "--runs", "3"]);
    const table = lines.filter((line) => /^(loopback|veth) +(punchline|node:net|udx-native) +(yes|no)/.test(line));
    must(table.length === 6, `${table.length} lines: ${lines.join(" / ")}`);
    for (const line of table) place.log(line);
    return table
      .map((line) =>
        line
          .split(/ +/)
          .slice(0, 4)
          .filter((word) => !/^(yes|no)$/.test(word))
          .join(" "),
      )
      .join(", ");
  },
};
