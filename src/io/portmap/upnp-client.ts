/**
 * UPnP with one gateway: finds its service, adds and removes mappings.
 *
 * Theory of operation. The search goes to the multicast group of the local network and to the gateway itself, in case the
 * group is filtered; only answers from the gateway's own address count, and only addresses on it are asked further. Each
 * device that answers is asked for its description, and each service in it for the external address, until one has one that
 * is good for something.
 *
 * @module
 */
import { createSocket, type Socket } from "node:dgram";
import {
  type CallOutcome,
  callBody,
  hostOf,
  type IgdService,
  numberOf,
  readCall,
  readDescription,
  readSearchAnswer,
  SSDP_HOST,
  SSDP_PORT,
  searchRequests,
} from "../../portmap/igd.ts";
import { reachOf } from "../../portmap/mapping.ts";
import type { UpnpRequest, UpnpResult } from "../../portmap/upnp-lane.ts";
import { exchange } from "./http.ts";

/** What a {@link UpnpClient} works with. */
export interface UpnpClientOptions {
  readonly gatewayHost: string;
  readonly localHost: string;
  /** Where devices listen for searches; 1900 but in tests. */
  readonly ssdpPort?: number;
  /** How long answers to a search are waited for, in ms; {@link SEARCH_LIMIT} but in tests. */
  readonly searchLimit?: number;
}

/** A service, and the external address that it has told. */
interface Found {
  readonly service: IgdService;
  readonly externalHost: string;
}

// Specification

/** Device Architecture 1.1 §1.1: how far searches go at most. */
const SEARCH_TTL = 2;

/** Error of a service that does not know an action (§3.2.6 there), or has it as an option only. */
const UNKNOWN_ACTION: ReadonlySet<number | undefined> = new Set([401, 602]);

// Implementation

/** When searches are sent, in ms: datagrams get lost, and the answer may take 1 s. */
const SEARCH_TIMES: readonly number[] = [0, 250, 700];

/** How long answers are waited for, in ms: until those to the last search are there, and less than others wait for a mapping. */
const SEARCH_LIMIT = 1_800;

/** Descriptions read in one search: a gateway answers once for each search and each of its devices. */
const MAX_DESCRIPTIONS = 4;

/** How the mapping is called in the router's list. */
const DESCRIPTION = "punchline";

/** See the module. */
export class UpnpClient {
  readonly #options: Required<UpnpClientOptions>;
  readonly #abort = new AbortController();
  #service: IgdService | undefined;

  constructor(options: UpnpClientOptions) {
    this.#options = { ssdpPort: SSDP_PORT, searchLimit: SEARCH_LIMIT, ...options };
  }

  /** Does a piece of work; failures are results, too. */
  async work(request: UpnpRequest): Promise<UpnpResult> {
    const { id } = request;
    try {
      if (request.kind === "discover") return await this.#discover(id);
      const service = this.#service;
      if (service === undefined) return { kind: "failed", id, reason: "no gateway found", code: undefined };
      if (request.kind === "add") return await this.#add(service, request);
      return await this.#remove(service, request);
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      return { kind: "failed", id, reason, code: undefined };
    }
  }

  /** Command: ends all work under way, which then fails. */
  close(): void {
    this.#abort.abort(new Error("closed"));
  }

  async #discover(id: number): Promise<UpnpResult> {
    const found = await this.#search();
    if (typeof found === "string") return { kind: "failed", id, reason: found, code: undefined };
    this.#service = found.service;
    return { kind: "found", id, externalHost: found.externalHost };
  }

  async #add(service: IgdService, request: UpnpRequest & { kind: "add" }): Promise<UpnpResult> {
    const { id, internalPort, externalPort, lifetime } = request;
    const values = {
      NewRemoteHost: "",
      NewExternalPort: externalPort,
      NewProtocol: "UDP",
      NewInternalPort: internalPort,
      NewInternalClient: this.#options.localHost,
      NewEnabled: 1,
      NewPortMappingDescription: DESCRIPTION,
      NewLeaseDuration: lifetime,
    };
    let granted = externalPort;
    let outcome: CallOutcome | undefined;
    if (service.version === 2) {
      outcome = await this.#call(service, "AddAnyPortMapping", values);
      if (outcome.kind === "done") granted = numberOf(outcome.xml, "NewReservedPort") ?? externalPort;
    }
    if (outcome === undefined || (outcome.kind === "error" && UNKNOWN_ACTION.has(outcome.code)))
      outcome = await this.#call(service, "AddPortMapping", values);
    if (outcome.kind === "error") return { kind: "failed", id, reason: outcome.reason, code: outcome.code };
    const externalHost = (await this.#externalHost(service)) ?? "0.0.0.0";
    return { kind: "added", id, externalHost, externalPort: granted };
  }

  async #remove(service: IgdService, { id, externalPort }: UpnpRequest & { kind: "remove" }): Promise<UpnpResult> {
    const values = { NewRemoteHost: "", NewExternalPort: externalPort, NewProtocol: "UDP" };
    const outcome = await this.#call(service, "DeletePortMapping", values);
    return outcome.kind === "done" ? { kind: "removed", id } : { ...outcome, kind: "failed", id };
  }

  async #externalHost(service: IgdService): Promise<string | undefined> {
    const outcome = await this.#call(service, "GetExternalIPAddress", {});
    return outcome.kind === "done" ? hostOf(outcome.xml, "NewExternalIPAddress") : undefined;
  }

  async #call(
    service: IgdService,
    action: string,
    values: Readonly<Record<string, string | number>>,
  ): Promise<CallOutcome> {
    const { status, body } = await exchange({
      url: service.controlUrl,
      method: "POST",
      headers: { "content-type": 'text/xml; charset="utf-8"', soapaction: `"${service.type}#${action}"` },
      body: callBody(service, action, values),
      localHost: this.#options.localHost,
      signal: this.#abort.signal,
    });
    return readCall(status, body);
  }

  /** The first service that answers with a usable external address, or why there is none. */
  #search(): Promise<Found | string> {
    const { gatewayHost, localHost, searchLimit } = this.#options;
    const { signal } = this.#abort;
    const socket = createSocket("udp4");
    const timers: NodeJS.Timeout[] = [];
    const seen = new Set<string>();
    let reason = "no gateway found";
    return new Promise<Found | string>((resolve, reject) => {
      const later = (action: () => void, at: number): void => void timers.push(setTimeout(action, at).unref());
      signal.throwIfAborted();
      signal.addEventListener("abort", () => reject(signal.reason), { once: true });
      socket.on("error", reject);
      socket.on("message", (payload, from) => {
        if (from.address !== gatewayHost || seen.size >= MAX_DESCRIPTIONS) return;
        const location = readSearchAnswer(payload, gatewayHost);
        if (location === undefined || seen.has(location.href)) return;
        seen.add(location.href);
        this.#inspect(location).then((found) => {
          if (typeof found === "string") reason = found;
          else resolve(found);
        }, ignore);
      });
      socket.bind({ address: localHost, port: 0 }, () => {
        allowMulticast(socket, localHost);
        for (const at of SEARCH_TIMES) later(() => this.#sendSearches(socket), at);
        later(() => resolve(reason), searchLimit);
      });
      // The caller decides whether the process lives.
      socket.unref();
    }).finally(() => {
      for (const timer of timers) clearTimeout(timer);
      socket.close();
    });
  }

  #sendSearches(socket: Socket): void {
    const { gatewayHost, ssdpPort } = this.#options;
    for (const host of [SSDP_HOST, gatewayHost]) {
      // A search that cannot be sent is a lost one.
      for (const text of searchRequests(host, ssdpPort)) socket.send(text, ssdpPort, host, ignore);
    }
  }

  async #inspect(location: URL): Promise<Found | string> {
    const { gatewayHost, localHost } = this.#options;
    const { status, body } = await exchange({ url: location, method: "GET", localHost, signal: this.#abort.signal });
    const services = status === 200 ? readDescription(body, location, gatewayHost) : [];
    for (const service of services) {
      const externalHost = await this.#externalHost(service);
      if (externalHost !== undefined && reachOf(externalHost) !== undefined) return { service, externalHost };
    }
    return services.length === 0 ? "the gateway maps no ports" : "the gateway has no usable external address";
  }
}

function allowMulticast(socket: Socket, localHost: string): void {
  try {
    socket.setMulticastTTL(SEARCH_TTL);
    socket.setMulticastInterface(localHost);
  } catch {
    // The gateway is also searched by its own address.
  }
}

function ignore(): void {}
