/**
 * What is said with UPnP Internet gateways: searches, descriptions of devices and calls of their services, without the sending.
 *
 * The documents of the UPnP Forum: Device Architecture 1.1 §1.3 (search), §2 (description), §3 (control); the services
 * WANIPConnection:1, WANIPConnection:2 and WANPPPConnection:1. All that is read is text from the network: it never throws, and
 * only addresses of the gateway itself come out of it.
 *
 * @module
 */
import { tags, textOf } from "./xml.ts";

/** A service of the gateway that can map ports. */
export interface IgdService {
  /** Its full type, which calls name. */
  readonly type: string;
  readonly version: 1 | 2;
  /** On the gateway itself. */
  readonly controlUrl: URL;
}

/** What a call brought: the answer's text, or the service's error. */
export type CallOutcome =
  | { readonly kind: "done"; readonly xml: string }
  | { readonly kind: "error"; readonly code: number | undefined; readonly reason: string };

// Specification

/** Device Architecture 1.1 §1.3.2: where searches go. */
export const SSDP_HOST = "239.255.255.250";
export const SSDP_PORT = 1900;

/** A device waits a random time up to this many seconds before it answers: the least that may be asked for. */
const SEARCH_SECONDS = 1;

/** What is searched for: gateways of version 2 answer to 1 as well, but some of version 1 know nothing else. */
const DEVICES: readonly string[] = [
  "urn:schemas-upnp-org:device:InternetGatewayDevice:1",
  "urn:schemas-upnp-org:device:InternetGatewayDevice:2",
];

const SERVICE = /^urn:schemas-upnp-org:service:(?:WANIPConnection:([12])|WANPPPConnection:1)$/;

// Implementation

/** Answers to searches are a few hundred bytes long. */
const MAX_SEARCH_ANSWER = 4_096;

/** Services considered of one device; routers with two kinds of uplink describe two or three. */
const MAX_SERVICES = 4;

/** Of what a gateway says in words, this much is shown. */
const MAX_REASON = 80;

/** The searches, each a datagram to `host:port`. */
export function searchRequests(host: string, port: number): readonly string[] {
  return DEVICES.map((device) =>
    [
      "M-SEARCH * HTTP/1.1",
      `HOST: ${host}:${port}`,
      'MAN: "ssdp:discover"',
      `MX: ${SEARCH_SECONDS}`,
      `ST: ${device}`,
      "",
      "",
    ].join("\r\n"),
  );
}

/** Where the device that answered a search describes itself; `undefined` unless that is on the gateway. */
export function readSearchAnswer(payload: Uint8Array, gatewayHost: string): URL | undefined {
  if (payload.length > MAX_SEARCH_ANSWER) return undefined;
  const [status = "", ...headers] = latin1(payload).split("\r\n");
  if (!/^HTTP\/1\.[01] 200(?: |$)/.test(status)) return undefined;
  const location = headers.find((line) => /^location:/i.test(line))?.slice("location:".length);
  return location === undefined ? undefined : gatewayUrl(location.trim(), gatewayHost);
}

/** The services of a described device that can map ports, the best first. */
export function readDescription(xml: string, location: URL, gatewayHost: string): readonly IgdService[] {
  const found: IgdService[] = [];
  let base = location.href;
  let type = "";
  let control = "";
  for (const { name, isEnd, text } of tags(xml)) {
    if (name === "URLBase" && !isEnd) base = gatewayUrl(text, gatewayHost)?.href ?? base;
    else if (name === "serviceType" && !isEnd) type = text;
    else if (name === "controlURL" && !isEnd) control = text;
    else if (name === "service") {
      const service = isEnd ? toService(type, control, { base, gatewayHost }) : undefined;
      if (service !== undefined && found.length < MAX_SERVICES) found.push(service);
      type = "";
      control = "";
    }
  }
  return found.sort((a, b) => b.version - a.version);
}

/** Body of a call; values are numbers, addresses and words of our own, which need no escaping. */
export function callBody(
  service: IgdService,
  action: string,
  values: Readonly<Record<string, string | number>>,
): string {
  const fields = Object.entries(values).map(([name, value]) => `<${name}>${value}</${name}>`);
  return [
    '<?xml version="1.0"?>',
    '<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"',
    ' s:encodingStyle="http://schemas.xmlsoap.org/soap/encoding/"><s:Body>',
    `<u:${action} xmlns:u="${service.type}">${fields.join("")}</u:${action}>`,
    "</s:Body></s:Envelope>",
  ].join("");
}

/** Reads the answer to a call. */
export function readCall(status: number, xml: string): CallOutcome {
  if (status === 200) return { kind: "done", xml };
  const code = readNumber(textOf(xml, "errorCode"));
  const words = printable(textOf(xml, "errorDescription") ?? "");
  const reason = code === undefined ? `HTTP status ${status}` : `error ${code}${words === "" ? "" : ` (${words})`}`;
  return { kind: "error", code, reason };
}

/** The number that an element of an answer holds, from 0 to 65,535. */
export function numberOf(xml: string, name: string): number | undefined {
  return readNumber(textOf(xml, name));
}

/** The IPv4 address that an element of an answer holds. */
export function hostOf(xml: string, name: string): string | undefined {
  const text = textOf(xml, name) ?? "";
  return /^\d{1,3}(?:\.\d{1,3}){3}$/.test(text) ? text : undefined;
}

/** An address that leads to the gateway by plain HTTP, and nowhere else. */
export function gatewayUrl(text: string, gatewayHost: string, base?: string): URL | undefined {
  let url: URL;
  try {
    url = new URL(text, base);
  } catch {
    return undefined;
  }
  const isOurs = url.protocol === "http:" && url.hostname === gatewayHost && url.port !== "0";
  return isOurs && url.username === "" && url.password === "" ? url : undefined;
}

function toService(
  type: string,
  control: string,
  { base, gatewayHost }: { readonly base: string; readonly gatewayHost: string },
): IgdService | undefined {
  const version = type.match(SERVICE)?.[1] === "2" ? 2 : 1;
  const controlUrl = control === "" ? undefined : gatewayUrl(control, gatewayHost, base);
  return SERVICE.test(type) && controlUrl !== undefined ? { type, version, controlUrl } : undefined;
}

function readNumber(text: string | undefined): number | undefined {
  return text !== undefined && /^\d{1,5}$/.test(text) && Number(text) <= 65_535 ? Number(text) : undefined;
}

/** What a gateway says may be shown on a terminal: no control characters, not too long. */
function printable(text: string): string {
  return text.replaceAll(/[^ -~]/g, "").slice(0, MAX_REASON);
}

function latin1(bytes: Uint8Array): string {
  let text = "";
  for (const byte of bytes) text += String.fromCharCode(byte);
  return text;
}
