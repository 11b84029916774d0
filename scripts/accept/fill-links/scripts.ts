/**
 * Rows that are runs of the project's own scripts and tests.
 *
 * @module
 */
import { DEFAULT_CONFIG } from "../../../src/connection/config.ts";
import { must, type Row, type Workplace } from "../row.ts";
import { npmRun, run } from "../tools/npm.ts";

/** Runs test files; returns the line that counts them. */
async function tests(place: Workplace, files: readonly string[], config: readonly string[] = []): Promise<string> {
  const { lines, seconds } = await run(place, ["npx", "vitest", "run", "--no-color", ...config, ...files]);
  const count = lines.find((line) => line.startsWith("Tests "));
  return `${count?.replace(/ +/g, " ") ?? "no count"}, ${seconds.toFixed(0)} s`;
}

export const networkCases: Row = {
  name: "network-cases",
  claim: "the QUIC interop runner's network cases, and links that change, on our stack in the simulator",
  minutes: 2,
  run: (place) => tests(place, ["test/sim/interop", "test/sim/changes.test.ts", "test/sim/links.test.ts"]),
};

export const controllers: Row = {
  name: "controllers",
  claim: "each controller against its formulas, and BBR's behaviours by the names of its draft",
  minutes: 2,
  run: (place) => tests(place, ["test/congestion"]),
};

export const mtu: Row = {
  name: "mtu",
  claim: "a black hole above 1280 after a minute costs less than 2 s; loopback carries datagrams of 16 KiB or more",
  minutes: 2,
  run: (place) => tests(place, ["test/sim/mtu.test.ts", "test/io/mtu.test.ts", "test/path"]),
};

export const mtuOnKernel: Row = {
  name: "mtu-kernel",
  claim: "the size of packets behind interfaces and routers of the kernel",
  minutes: 2,
  run: (place) => tests(place, ["test/kernel/mtu.test.ts"], ["--config", "vitest.kernel.config.ts"]),
};

export const windows: Row = {
  name: "window-memory",
  claim: "1 Gbit/s and 300 ms in the simulator: within the memory of a connection on both sides",
  minutes: 2,
  async run(place) {
    const { lines } = await run(place, ["npx", "tsx", "test/sim/budget.ts"]);
    const { finalRate, meanRate, receiveBuffered, sendBuffered } = JSON.parse(lines.at(-1) ?? "{}");
    const mib = (bytes: number): string => `${(bytes / 2 ** 20).toFixed(1)} MiB`;
    const figure =
      `${meanRate.toFixed(0)} Mbit/s in the mean, ${finalRate.toFixed(0)} in the last second; ` +
      `at most ${mib(receiveBuffered)} wait at the receiver, ${mib(sendBuffered)} at the sender`;
    must(Math.max(receiveBuffered, sendBuffered) <= DEFAULT_CONFIG.memoryBudget, figure);
    return figure;
  },
};

/** Bulk speed on a veth pair relative to udx-native's, at least. */
const UDX_SHARE = 0.45;

/** Long enough that the first second, in which everybody's programs are compiled, does not decide. */
const MEGABYTES = 1000;

/**
 * A folder with the programs of other stacks (see bench/bulk/program.ts), which are more than this project wants to install.
 * Without it only udx-native is measured against.
 */
const PEERS = process.env.PUNCHLINE_PEERS;
const PEER_PROGRAMS = { "libp2p-quic": "p2pquic.mjs", webrtc: "dc.cjs" };

export const throughput: Row = {
  name: "throughput",
  claim:
    `one encrypted stream of ${MEGABYTES} MB on a veth pair of MTU 1500: ${UDX_SHARE} of udx-native at least, medians of 5 in turns; ` +
    "with PUNCHLINE_PEERS=DIR also 1.0 of libp2p-quic's and WebRTC's",
  minutes: 6,
  async run(place) {
    const programs = Object.entries(PEERS === undefined ? {} : PEER_PROGRAMS);
    const words = [
      "--link",
      "veth",
      "--stack",
      "punchline",
      "--stack",
      "udx-native",
      "--runs",
      "5",
      "--mb",
      `${MEGABYTES}`,
    ];
    for (const [name, file] of programs) words.push("--program", `${name}=${PEERS}/${file}`);
    const { lines } = await npmRun(place, ["bench", "--", "bulk", ...words]);
    const names = ["punchline", "udx-native", ...programs.map(([name]) => name)];
    const figures = names.map((stack) => figureOf(lines, stack));
    const [ours, udx, ...others] = figures;
    const figure = figures
      .map(({ stack, rate, send, receive }) => `${stack} ${rate} MB/s (CPU ${send} and ${receive} s/GB)`)
      .join(", ");
    const share = ours!.rate / udx!.rate;
    must(share >= UDX_SHARE, `${share.toFixed(2)} of udx-native: ${figure}`);
    for (const { stack, rate } of others) must(ours!.rate >= rate, `slower than ${stack}: ${figure}`);
    return `${share.toFixed(2)} of udx-native: ${figure}`;
  },
};

/** A stack's line in the table, which comes after a line for each run. */
function figureOf(lines: readonly string[], stack: string) {
  const line = lines.findLast((each) => each.startsWith("veth ") && each.includes(` ${stack} `));
  const cells = line?.split(/ +/) ?? [];
  must(cells.length >= 6, `the benchmark says nothing of ${stack}`);
  return { stack, rate: Number(cells[3]), send: Number(cells[4]), receive: Number(cells[5]) };
}
