/**
 * Calls between two hosts of the NAT laboratory: `punchline server` on the server's host, `listen` on one, `connect` on the
 * other, 256 KiB each way. Every call has fresh processes, the server included.
 *
 * @module
 */
import { existsSync } from "node:fs";
import { readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import {
  type HostName,
  type LabOptions,
  NatLab,
  SERVER_ADDRESSES,
  SERVER_ADDRESSES6,
} from "../../../test/kernel/nat/lab.ts";
import { must, type Workplace } from "../row.ts";
import { hashOf, makeFile } from "../tools/files.ts";
import { exitOf } from "../tools/pair.ts";
import { Side, type SideEvent } from "../tools/side.ts";

/** Payload in each direction, in bytes. */
export const PAYLOAD = 256 * 1024;

/** What `connect` gets to connect, and then everything to transfer and to end, in s. */
const CONNECT_TIMEOUT = 20;
const TRANSFER_TIMEOUT = 30;

/** A listener, or a server, that takes longer to start than this many ms has failed. */
const LISTEN_TIMEOUT = 15_000;
const SERVER_TIMEOUT = 5000;
const GLANCE = 10;

/** Files of a call, in the workplace's folder. */
const FILES = {
  forth: "forth",
  back: "back",
  forthCopy: "forth-copy",
  backCopy: "back-copy",
  server: "server-address",
};

/** How a call is made. */
export interface CallOptions {
  readonly connector: HostName;
  readonly listener: HostName;
  /** More arguments for `connect`, and for `listen`. */
  readonly connectArgs?: string;
  readonly listenArgs?: string;
  /** How the two find each other: by a server of this call (the default), by one that runs, or by addresses in the ticket. */
  readonly meeting?: "fresh server" | { readonly server: string } | "addresses";
}

/** A server that runs. */
export interface Server {
  readonly side: Side;
  /** What its clients are given. */
  readonly address: string;
}

/** What came of a call. */
export type Outcome = Connected | Failed;

export interface Connected {
  readonly isConnected: true;
  /** From the call of `connect()` to the first byte that the listener read, in ms. */
  readonly ms: number;
}

export interface Failed {
  readonly isConnected: false;
  /** From the call of `connect()` to its failure, in ms. */
  readonly ms: number;
  /** What the `error` event says. */
  readonly code: string;
  readonly message: string;
  readonly hint: string;
}

/** Makes a laboratory, lets `use` make calls in it, and removes it. */
export async function throughNats<Result>(
  place: Workplace,
  options: LabOptions,
  use: (calls: Calls, lab: NatLab) => Promise<Result>,
): Promise<Result> {
  const lab = await NatLab.create(options);
  try {
    return await use(await Calls.prepare(place, lab, options), lab);
  } finally {
    await lab.close();
  }
}

/** Makes calls, one after the other. */
export class Calls {
  readonly #place: Workplace;
  readonly #lab: NatLab;
  readonly #serverHosts: readonly string[];
  readonly #hashes: Readonly<Record<"forth" | "back", string>>;

  /** Makes the files that calls transfer. */
  static async prepare(place: Workplace, lab: NatLab, { ipv6 = false }: LabOptions = {}): Promise<Calls> {
    const forth = await makeFile(place.folder, FILES.forth, PAYLOAD);
    // Another size makes other bytes, so that a side cannot pass by sending back what it got.
    const back = await makeFile(place.folder, FILES.back, PAYLOAD + 1);
    const hosts = [...SERVER_ADDRESSES, ...(ipv6 ? SERVER_ADDRESSES6 : [])];
    return new Calls(place, lab, hosts, { forth, back });
  }

  private constructor(
    place: Workplace,
    lab: NatLab,
    serverHosts: readonly string[],
    hashes: Readonly<Record<"forth" | "back", string>>,
  ) {
    this.#place = place;
    this.#lab = lab;
    this.#serverHosts = serverHosts;
    this.#hashes = hashes;
  }

  /** Makes one call. Throws if it goes wrong in another way than that the two do not connect. */
  async call(options: CallOptions): Promise<Outcome> {
    for (const file of [FILES.forthCopy, FILES.backCopy]) await rm(join(this.#place.folder, file), { force: true });
    const { meeting = "fresh server" } = options;
    const server = meeting === "fresh server" ? await this.startServer() : undefined;
    try {
      const listener = this.#listen(options, typeof meeting === "object" ? meeting.server : server?.address);
      try {
        // Known, the command itself is ended with its shell.
        await listener.pid();
        const { ticket } = await listening(listener);
        return await this.#connect(options, String(ticket), listener);
      } finally {
        listener.stop();
      }
    } finally {
      server?.side.stop();
    }
  }

  /** Starts a server, its command behind `prefix`, and waits until it can be reached. The caller stops it. */
  async startServer(args = "", prefix: readonly string[] = []): Promise<Server> {
    const path = join(this.#place.folder, FILES.server);
    await rm(path, { force: true });
    const hosts = this.#serverHosts.map((host) => `--host ${host}`).join(" ");
    const words = `server ${hosts} --address-file ${FILES.server} ${args}`;
    const { prefix: entry } = this.#lab.host("srv");
    const side = new Side("server", { args: words, prefix: [...entry, ...prefix] }, this.#place);
    const deadline = performance.now() + SERVER_TIMEOUT;
    while (!existsSync(path)) {
      must(!side.hasExited, `the server has ended: ${side.summary()}`);
      if (performance.now() > deadline) {
        side.stop();
        throw new Error(`the server has not started in ${SERVER_TIMEOUT} ms: ${side.summary()}`);
      }
      await sleep(GLANCE);
    }
    await side.pid();
    return { side, address: (await readFile(path, "utf8")).trim() };
  }

  #listen({ listener, listenArgs = "" }: CallOptions, server: string | undefined): Side {
    const { prefix } = this.#lab.host(listener);
    const meeting = server === undefined ? "" : `--server ${server}`;
    return new Side(
      "listener",
      {
        args: `listen --json --path direct ${meeting} ${listenArgs}`,
        before: afterFirstByte(FILES.forthCopy, FILES.back),
        redirect: `> ${FILES.forthCopy}`,
        prefix,
      },
      this.#place,
    );
  }

  async #connect({ connector, connectArgs = "" }: CallOptions, ticket: string, listener: Side): Promise<Outcome> {
    const { prefix } = this.#lab.host(connector);
    const args = `connect ${ticket} --json --path direct --timeout ${CONNECT_TIMEOUT} ${connectArgs}`;
    const side = new Side("connector", { args, redirect: `< ${FILES.forth} > ${FILES.backCopy}`, prefix }, this.#place);
    try {
      await side.pid();
      const { code } = await exitOf(side, CONNECT_TIMEOUT + TRANSFER_TIMEOUT);
      if (code !== 0 && side.latest("connected") === undefined) return failureOf(side);
      must(code === 0, `connector: exit ${code}, ${side.summary()}`);
      const listened = await exitOf(listener, TRANSFER_TIMEOUT);
      must(listened.code === 0, `listener: exit ${listened.code}, ${listener.summary()}`);
      await this.#checkPayload();
      const path = side.latest("summary")?.path;
      must(path === "direct", `the path was to be direct and is ${path}`);
      return { isConnected: true, ms: firstByteAfter(side, listener) };
    } finally {
      side.stop();
    }
  }

  async #checkPayload(): Promise<void> {
    const { folder } = this.#place;
    must((await hashOf(folder, FILES.forthCopy)) === this.#hashes.forth, "what the listener got is not what was sent");
    must((await hashOf(folder, FILES.backCopy)) === this.#hashes.back, "what the connector got is not what was sent");
  }
}

/**
 * Shell that passes on `source` once there is something in `file`. So the first byte that moves at the listener is one that it
 * reads, and its summary says when. Gives up waiting after half a minute, when nobody needs it any more.
 */
function afterFirstByte(file: string, source: string): string {
  const isMissing = `! test -s ${file} && test $((turns+=1)) -lt 600`;
  return `{ turns=0; while ${isMissing}; do sleep 0.05; done; cat ${source}; }`;
}

/** The event that says that a listener can be reached. */
async function listening(listener: Side): Promise<SideEvent> {
  const timer = setTimeout(() => listener.stop(), LISTEN_TIMEOUT);
  try {
    return await listener.next("listening");
  } finally {
    clearTimeout(timer);
  }
}

function failureOf(side: Side): Failed {
  const [error, connecting] = [side.latest("error"), side.latest("connecting")];
  if (error === undefined || connecting === undefined)
    throw new Error(`connector: ended without saying why: ${side.summary()}`);
  must(!side.showsStackTrace, `connector shows a stack trace: ${side.said}`);
  const { code, message, hint = "" } = error;
  return {
    isConnected: false,
    ms: error.time - connecting.time,
    code: String(code),
    message: String(message),
    hint: String(hint),
  };
}

function firstByteAfter(connector: Side, listener: Side): number {
  const calledAt = connector.latest("connecting")?.time ?? Number.NaN;
  const firstByteAt = Number(listener.latest("summary")?.firstByteAt ?? Number.NaN);
  const ms = firstByteAt - calledAt;
  must(Number.isFinite(ms), "the events do not say when the first byte was read");
  return ms;
}
