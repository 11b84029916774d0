/**
 * Port mapping over real sockets: finds the gateway, runs the machine, and does UPnP's HTTP for it.
 *
 * It has sockets of its own, at ports that the system chooses; port 5350, where gateways announce themselves to all, stays free
 * for others. Nothing of it keeps the process alive except closing.
 *
 * @module
 */
import { randomBytes } from "../../crypto/primitives.ts";
import type { Mapping } from "../../portmap/mapping.ts";
import { GATEWAY_PORT } from "../../portmap/nat-pmp.ts";
import { type PortMapEvent, PortMapMachine } from "../../portmap/port-map-machine.ts";
import type { UpnpRequest } from "../../portmap/upnp-lane.ts";
import { BufferPool } from "../../util/buffer-pool.ts";
import { monotonicNow } from "../clock.ts";
import { Driver } from "../driver.ts";
import { UdpSocket } from "../udp-socket.ts";
import { findGateway, localHostTowards } from "./gateway.ts";
import { UpnpClient } from "./upnp-client.ts";

/** What a {@link PortMapper} tells. */
export type PortMapperEvent =
  | Exclude<PortMapEvent, { readonly type: "upnp" | "closed" }>
  /** There is nobody to ask; nothing else follows. */
  | { readonly type: "no-gateway"; readonly reason: string };

/** What to map, and whom to ask. */
export interface PortMapperOptions {
  /** The UDP port to be mapped; may be 0 for a probe. */
  readonly internalPort: number;
  readonly onEvent: (event: PortMapperEvent) => void;
  /** The gateway; this machine's default gateway if absent. */
  readonly gatewayHost?: string;
  /** Port of its PCP and NAT-PMP server; 5351 but in tests. */
  readonly gatewayPort?: number;
  /** Our address towards it; found out if absent. */
  readonly localHost?: string;
  /** `false` leaves UPnP alone. */
  readonly upnp?: boolean;
  /** Port of UPnP's search; 1900 but in tests. */
  readonly ssdpPort?: number;
}

/** What runs once the gateway is known. */
interface Running {
  readonly machine: PortMapMachine;
  readonly driver: Driver<PortMapEvent>;
  readonly socket: UdpSocket;
  readonly upnp: UpnpClient | undefined;
}

/** See the module. Its events never follow {@link PortMapper.close}. */
export class PortMapper {
  readonly #options: PortMapperOptions;
  #running: Running | undefined;
  #beginning: Promise<void> | undefined;
  #closing: Promise<void> | undefined;
  #onClosed: () => void = ignore;

  constructor(options: PortMapperOptions) {
    this.#options = options;
  }

  /** Command: get a mapping, and keep it until {@link close}. Once only. */
  start(): void {
    this.#beginning ??= this.#begin("map");
  }

  /** Command: find out which protocols the gateway speaks, and make no mapping. Once only. */
  probe(): void {
    this.#beginning ??= this.#begin("probe");
  }

  /** Command: there are signs that the gateway has restarted; make sure of the mapping. */
  renew(): void {
    this.#running?.machine.renew(monotonicNow());
    this.#running?.driver.wake();
  }

  /** Command: removes the mapping and closes the sockets, within about a second. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  /** The mapping at present. */
  get mapping(): Mapping | undefined {
    return this.#running?.machine.mapping;
  }

  async #begin(purpose: "map" | "probe"): Promise<void> {
    try {
      const gatewayHost = await this.#findGateway();
      const localHost = this.#options.localHost ?? (await localHostTowards(gatewayHost));
      if (localHost === undefined) throw new Error(`there is no way to the gateway ${gatewayHost}`);
      const socket = await UdpSocket.open({ id: 0, host: localHost, port: 0 });
      if (this.#closing !== undefined) {
        socket.close();
        return;
      }
      this.#run({ gatewayHost, localHost, socket });
      const { machine, driver } = this.#running!;
      if (purpose === "map") machine.start(monotonicNow());
      else machine.probe(monotonicNow());
      driver.wake();
    } catch (error) {
      this.#tell({ type: "no-gateway", reason: error instanceof Error ? error.message : String(error) });
    }
  }

  async #findGateway(): Promise<string> {
    if (this.#options.gatewayHost !== undefined) return this.#options.gatewayHost;
    const lookup = await findGateway();
    if (lookup.kind === "none") throw new Error(lookup.reason);
    return lookup.host;
  }

  #run({ gatewayHost, localHost, socket }: { gatewayHost: string; localHost: string; socket: UdpSocket }): void {
    const { internalPort, gatewayPort = GATEWAY_PORT, upnp: wantsUpnp = true, ssdpPort } = this.#options;
    const pool = new BufferPool();
    const upnp = wantsUpnp
      ? new UpnpClient({ gatewayHost, localHost, ...(ssdpPort === undefined ? {} : { ssdpPort }) })
      : undefined;
    const machine = new PortMapMachine({
      via: socket.id,
      gateway: { host: gatewayHost, port: gatewayPort, family: 4 },
      localHost,
      internalPort,
      random: randomBytes,
      pool,
      upnp: wantsUpnp,
    });
    const onEvent = (event: PortMapEvent): void => this.#onEvent(event);
    const driver = new Driver({ machine, sockets: [socket], pool, onEvent, onIdle: ignore });
    socket.unref();
    this.#running = { machine, driver, socket, upnp };
  }

  #onEvent(event: PortMapEvent): void {
    if (event.type === "upnp") this.#work(event.request);
    else if (event.type === "closed") this.#onClosed();
    else this.#tell(event);
  }

  #work(request: UpnpRequest): void {
    const running = this.#running;
    void running?.upnp?.work(request).then((result) => {
      running.machine.onUpnpResult(result, monotonicNow());
      running.driver.wake();
    });
  }

  async #close(): Promise<void> {
    await this.#beginning;
    const running = this.#running;
    if (running === undefined) return;
    const { machine, driver, socket, upnp } = running;
    // The timers of the driver keep nothing alive; the socket must until the gateway has answered.
    socket.ref();
    await new Promise<void>((resolve) => {
      this.#onClosed = resolve;
      machine.close(monotonicNow());
      driver.wake();
    });
    upnp?.close();
    await new Promise<void>((resolve) => driver.stop(resolve));
  }

  #tell(event: PortMapperEvent): void {
    if (this.#closing === undefined) this.#options.onEvent(event);
  }
}

function ignore(): void {}
