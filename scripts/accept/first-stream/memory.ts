/**
 * Ten gibibytes through it, and resident memory stays where it was at the first gigabyte.
 *
 * @module
 */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { must, type Row } from "../row.ts";
import { bothSucceed, DIRECTIONS, startFlow } from "../tools/pair.ts";
import type { Side } from "../tools/side.ts";

const TEN_GIBIBYTES = 10 * 2 ** 30;
const FIRST = 1e9;
const LIMIT = 64 * 2 ** 20;

/** Between two looks at the memory of a process, in ms; each progress event is a further one. */
const INTERVAL = 100;

/** Watches the resident memory of one side from its first gigabyte on. */
class MemoryWatch {
  readonly #side: Side;
  readonly #timer: NodeJS.Timeout;
  #first: number | undefined;
  #largest = 0;

  constructor(side: Side) {
    this.#side = side;
    side.onEvent((event) => {
      if (event.event === "progress" && Number(event.sent) + Number(event.received) >= FIRST) this.#look();
    });
    this.#timer = setInterval(() => this.#first !== undefined && this.#look(), INTERVAL);
  }

  /** How much it has grown at most, in bytes. */
  finish(): number {
    clearInterval(this.#timer);
    must(this.#first !== undefined, `${this.#side.name} never reported its first gigabyte`);
    return this.#largest - this.#first;
  }

  #look(): void {
    const bytes = this.#side.residentBytes();
    if (bytes === 0) return;
    this.#first ??= bytes;
    this.#largest = Math.max(this.#largest, bytes);
  }
}

export const memory: Row = {
  name: "memory-10g",
  claim:
    "`yes | head -c 10G` through it: resident memory grows by less than 64 MiB after the first GB, both sides, both directions",
  minutes: 12,
  async run(place) {
    const figures: string[] = [];
    for (const direction of DIRECTIONS) {
      const flow = await startFlow(place, direction, {
        sender: { before: "yes | head -c 10G" },
        receiver: { after: "wc -c > count" },
      });
      await Promise.all([flow.sender.pid(), flow.receiver.pid()]);
      const watches = [flow.sender, flow.receiver].map((side) => new MemoryWatch(side));
      await bothSucceed(flow, 1200);
      const count = Number(await readFile(join(place.folder, "count"), "utf8"));
      must(count === TEN_GIBIBYTES, `${count} bytes arrived`);
      const growth = watches.map((watch) => watch.finish());
      const figure = `${direction}: sender ${mebibytes(growth[0]!)}, receiver ${mebibytes(growth[1]!)}`;
      must(Math.max(...growth) < LIMIT, figure);
      place.log(`${figure}, ${Number(flow.receiver.latest("summary")?.seconds).toFixed(0)} s`);
      figures.push(figure);
    }
    return figures.join("; ");
  },
};

function mebibytes(bytes: number): string {
  return `${(bytes / 2 ** 20).toFixed(1)} MiB`;
}
