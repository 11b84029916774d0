/**
 * UDP sockets on the hosts of the laboratory, used from the process of the test.
 *
 * @module
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { BLACK_HOLE, type LabHost } from "./lab.ts";
import type { HostPort, Order, Report } from "./station-program.ts";

/** A datagram that has come. */
export interface Arrival {
  readonly from: HostPort;
  readonly text: string;
}

/** A program on one host that opens sockets there. */
export class Station {
  readonly host: LabHost;
  readonly #program: ChildProcess;
  readonly #sockets = new Map<number, StationSocket>();
  #serial = 0;

  /** Starts the program; it takes about half a second. */
  static async start(host: LabHost): Promise<Station> {
    const path = fileURLToPath(new URL("station-program.ts", import.meta.url));
    const [command = "", ...words] = [...host.prefix, process.execPath, "--import", "tsx", path];
    const program = spawn(command, words, { stdio: ["pipe", "pipe", "inherit"] });
    const lines = createInterface({ input: program.stdout });
    const [first] = await Promise.race([once(lines, "line"), once(program, "close")]);
    if (typeof first !== "string") throw new Error(`the program on ${host.name} did not start`);
    const station = new Station(host, program);
    lines.on("line", (line) => station.#onReport(JSON.parse(line)));
    return station;
  }

  private constructor(host: LabHost, program: ChildProcess) {
    this.host = host;
    this.#program = program;
    // The program has ended: tests that wait for something say so themselves.
    program.stdin!.on("error", () => {});
  }

  /** Opens a socket, by default at the host's own address and any free port. */
  async open({ host = this.host.address, port = 0 }: Partial<HostPort> = {}): Promise<StationSocket> {
    this.#serial += 1;
    const number = this.#serial;
    const socket = new StationSocket((order) => this.#order({ ...order, socket: number } as Order));
    this.#sockets.set(number, socket);
    this.#order({ order: "open", socket: number, host, port });
    await socket.opened;
    return socket;
  }

  /** Makes new mappings at the router: this many a second in the mean, until told otherwise. */
  makeFlows(perSecond: number): void {
    this.#order({ order: "flows", perSecond, to: { host: BLACK_HOLE, port: 9 } });
  }

  /** Ends the program, and its sockets with it. */
  async stop(): Promise<void> {
    if (this.#program.exitCode !== null || this.#program.signalCode !== null) return;
    this.#program.stdin!.end();
    await once(this.#program, "close");
  }

  #order(order: Order): void {
    this.#program.stdin!.write(`${JSON.stringify(order)}\n`);
  }

  #onReport(report: Report): void {
    if (report.report !== "ready") this.#sockets.get(report.socket)?.onReport(report);
  }
}

type SocketOrder = Order extends infer Each ? (Each extends { socket: number } ? Omit<Each, "socket"> : never) : never;

/** A socket of a {@link Station}. */
export class StationSocket {
  /** All that has come so far, in order. */
  readonly arrivals: Arrival[] = [];
  /** Codes of errors that were reported. */
  readonly errors: string[] = [];
  /** Resolves when the socket is bound. */
  readonly opened: Promise<void>;
  readonly #order: (order: SocketOrder) => void;
  readonly #listeners = new Set<(arrival: Arrival) => void>();
  #address: HostPort | undefined;
  #onOpen: () => void = () => {};

  constructor(order: (order: SocketOrder) => void) {
    this.#order = order;
    this.opened = new Promise((resolve) => {
      this.#onOpen = resolve;
    });
  }

  /** For the station only. */
  onReport(report: Exclude<Report, { report: "ready" }>): void {
    switch (report.report) {
      case "open":
        this.#address = report.address;
        this.#onOpen();
        return;
      case "error":
        this.errors.push(report.code);
        return;
      case "datagram": {
        const arrival = { from: report.from, text: report.text };
        this.arrivals.push(arrival);
        for (const listener of this.#listeners) listener(arrival);
        return;
      }
    }
  }

  /** Sends a datagram; without `to`, to the address that the socket is connected with. */
  send(text: string, to?: HostPort, { ttl }: { readonly ttl?: number } = {}): void {
    this.#order({ order: "send", to, text, ttl });
  }

  /** From now on the socket talks with this address only, and ICMP errors from there are among its errors. */
  connect(to: HostPort): void {
    this.#order({ order: "connect", to });
  }

  /** Calls `listener` for each datagram from now on. */
  onArrival(listener: (arrival: Arrival) => void): void {
    this.#listeners.add(listener);
  }

  /** The first datagram with this text, of those that have come or will come within `patience` ms; else `undefined`. */
  async arrival(text: string, patience = 2000): Promise<Arrival | undefined> {
    const found = this.arrivals.find((each) => each.text === text);
    if (found !== undefined) return found;
    return new Promise((resolve) => {
      const finish = (arrival: Arrival | undefined): void => {
        clearTimeout(timer);
        this.#listeners.delete(listener);
        resolve(arrival);
      };
      const listener = (arrival: Arrival): void => {
        if (arrival.text === text) finish(arrival);
      };
      const timer = setTimeout(finish, patience, undefined);
      this.#listeners.add(listener);
    });
  }

  close(): void {
    this.#order({ order: "close" });
  }

  /** Where the socket is bound. */
  get address(): HostPort {
    if (this.#address === undefined) throw new Error("the socket is not bound yet");
    return this.#address;
  }
}
