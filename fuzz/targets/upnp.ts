/**
 * UPnP: answers to searches, descriptions and calls of any text are read without a throw and in little time; no address comes
 * out of them that is not the gateway's; what is well formed is understood.
 *
 * @module
 */
import fc from "fast-check";
import { callBody, hostOf, numberOf, readCall, readDescription, readSearchAnswer } from "../../src/portmap/igd.ts";
import { tags } from "../../src/portmap/xml.ts";
import { assert } from "../../src/util/invariant.ts";
import { bytes } from "../arbitraries.ts";
import type { FuzzTarget } from "../target.ts";

const GATEWAY = "192.168.1.1";
const LOCATION = new URL(`http://${GATEWAY}:5000/desc.xml`);

/** Pieces of which descriptions and answers are made, put together at random. */
const piece = fc.oneof(
  fc.constantFrom(
    "<",
    ">",
    "</",
    "/>",
    "<!--",
    "-->",
    "<?xml?>",
    "&amp;",
    "&#0;",
    "<service>",
    "</service>",
    "<serviceType>",
    "urn:schemas-upnp-org:service:WANIPConnection:2",
    "urn:schemas-upnp-org:service:WANIPConnection:1",
    "<controlURL>",
    "</controlURL>",
    "<URLBase>",
    "http://192.168.1.1:80/",
    "http://192.168.1.2/",
    "//192.168.1.2/",
    "/ctl",
    "<errorCode>",
    "718",
    "<errorDescription>",
    "<NewExternalIPAddress>",
    "1.2.3.4",
    "<NewReservedPort>",
    "<u:x y='",
  ),
  fc.string({ maxLength: 10, unit: "binary" }),
);

const text = fc.array(piece, { maxLength: 80 }).map((pieces) => pieces.join(""));

/** A URL of any kind, most of them close to the gateway's. */
const place = fc.oneof(
  fc.webUrl(),
  fc.tuple(fc.constantFrom("http://", "https://", "//", "", "http:/"), text).map((parts) => parts.join("")),
  fc.tuple(fc.constantFrom("http://192.168.1.1", "http://192.168.1.1@"), text).map((parts) => parts.join("")),
);

const port = fc.integer({ min: 1, max: 65_535 });

export const target: FuzzTarget = {
  name: "upnp",
  property: () =>
    fc.property(bytes(5_000), text, place, port, fc.nat(65_535), (raw, xml, url, goodPort, number) => {
      checkPlace(readSearchAnswer(raw, GATEWAY));
      const answer = `HTTP/1.1 200 OK\r\nLOCATION: ${url}\r\n\r\n`;
      checkPlace(readSearchAnswer(new TextEncoder().encode(answer), GATEWAY));
      readAny(xml);
      readAny(`<service><serviceType>urn:schemas-upnp-org:service:WANIPConnection:1<controlURL>${url}</service>`);
      understand(goodPort, number);
    }),
};

function readAny(xml: string): void {
  let count = 0;
  for (const { name, text } of tags(xml)) {
    count += 1;
    assert(name.length > 0 && name.length <= 64 && text.length <= 1_024, "out of bounds");
  }
  assert(count <= xml.length, "tags without text");
  const services = readDescription(xml, LOCATION, GATEWAY);
  assert(services.length <= 4, "too many services");
  for (const { controlUrl } of services) checkPlace(controlUrl);
  for (const status of [200, 500]) {
    const outcome = readCall(status, xml);
    if (outcome.kind === "error") assert(/^[ -~]{1,110}$/.test(outcome.reason), `reason ${outcome.reason}`);
  }
  const number = numberOf(xml, "NewReservedPort");
  assert(number === undefined || (Number.isInteger(number) && number <= 65_535), "no port");
  const host = hostOf(xml, "NewExternalIPAddress");
  assert(host === undefined || /^[0-9.]{7,15}$/.test(host), "no address");
}

function checkPlace(url: URL | undefined): void {
  if (url === undefined) return;
  assert(url.protocol === "http:" && url.hostname === GATEWAY && url.port !== "0", `place ${url.href}`);
  assert(url.username === "" && url.password === "", `place ${url.href}`);
}

function understand(port: number, number: number): void {
  const [control, type] = [`http://${GATEWAY}:${port}/ctl`, "urn:schemas-upnp-org:service:WANIPConnection:2"];
  const xml = `<d><service><serviceType>${type}</serviceType><controlURL>${control}</controlURL></service></d>`;
  const [service] = readDescription(xml, LOCATION, GATEWAY);
  assert(service?.controlUrl.href === new URL(control).href && service.version === 2, "not understood");
  const body = callBody(service, "AddAnyPortMapping", { NewReservedPort: number });
  assert(numberOf(body, "NewReservedPort") === number, "not said");
}
