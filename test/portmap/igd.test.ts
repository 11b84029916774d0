import { describe, expect, test } from "vitest";
import {
  callBody,
  gatewayUrl,
  hostOf,
  numberOf,
  readCall,
  readDescription,
  readSearchAnswer,
  searchRequests,
} from "../../src/portmap/igd.ts";
import { tags, textOf } from "../../src/portmap/xml.ts";

const GATEWAY = "192.168.1.1";
const LOCATION = new URL(`http://${GATEWAY}:5000/rootDesc.xml`);
const ascii = (text: string): Uint8Array => new TextEncoder().encode(text);

function service(type: string, control: string): string {
  return `<service><serviceType>urn:schemas-upnp-org:service:${type}</serviceType><controlURL>${control}</controlURL></service>`;
}

describe("tags", () => {
  test("names without prefixes, and the text after each", () => {
    const xml = '<?xml version="1.0"?>\n<a:root x="1"><!-- <no/> --><b> one &amp;&lt;two </b><c/></a:root>';
    expect([...tags(xml)]).toEqual([
      { name: "root", isEnd: false, text: "" },
      { name: "b", isEnd: false, text: "one &<two" },
      { name: "b", isEnd: true, text: "" },
      { name: "c", isEnd: false, text: "" },
      { name: "root", isEnd: true, text: "" },
    ]);
    expect(textOf(xml, "b")).toBe("one &<two");
    expect(textOf(xml, "d")).toBeUndefined();
  });

  test("each entity is decoded once", () => {
    expect(textOf("<a>&amp;lt;</a>", "a")).toBe("&lt;");
  });

  test.each([
    ["unclosed tags", "<".repeat(65_536)],
    ["unclosed comments", "<!--".repeat(16_384)],
    ["names without an end", `<${"a".repeat(65_536)}`],
    ["many prefixes", `<${"a:".repeat(32_768)}>`],
    ["closed tags", "<a>".repeat(21_000)],
    ["entities", `<a>${"&amp;".repeat(13_000)}</a>`],
  ])("hostile text takes linear time: %s", (_name, xml) => {
    const before = performance.now();
    for (const _tag of tags(xml));
    expect(performance.now() - before).toBeLessThan(500);
  });
});

describe("MAP-11: only the gateway is asked", () => {
  test.each([
    ["another host", "http://192.168.1.2:5000/x"],
    ["this machine", "http://127.0.0.1/x"],
    ["a name", "http://router/x"],
    ["a name that begins alike", `http://${GATEWAY}.example.com/x`],
    ["a user whose name looks alike", `http://${GATEWAY}@192.168.1.2/x`],
    ["a user", `http://a:b@${GATEWAY}/x`],
    ["another scheme", `https://${GATEWAY}/x`],
    ["a file", "file:///etc/passwd"],
    ["port 0", `http://${GATEWAY}:0/x`],
    ["no URL", "http://"],
    ["nothing", ""],
  ])("%s is refused", (_name, text) => {
    expect(gatewayUrl(text, GATEWAY)).toBeUndefined();
    expect(readSearchAnswer(ascii(`HTTP/1.1 200 OK\r\nLOCATION: ${text}\r\n\r\n`), GATEWAY)).toBeUndefined();
    expect(readDescription(service("WANIPConnection:1", text), LOCATION, GATEWAY)).toEqual([]);
  });

  test("a base elsewhere does not count", () => {
    const xml = `<URLBase>http://192.168.1.2/</URLBase>${service("WANIPConnection:1", "/ctl")}`;
    expect(readDescription(xml, LOCATION, GATEWAY)[0]?.controlUrl.href).toBe(`http://${GATEWAY}:5000/ctl`);
  });
});

describe("searching", () => {
  test("asks for gateways of both versions", () => {
    const [one, two] = searchRequests("239.255.255.250", 1900);
    expect(one).toBe(
      'M-SEARCH * HTTP/1.1\r\nHOST: 239.255.255.250:1900\r\nMAN: "ssdp:discover"\r\nMX: 1\r\n' +
        "ST: urn:schemas-upnp-org:device:InternetGatewayDevice:1\r\n\r\n",
    );
    expect(two).toContain("InternetGatewayDevice:2");
  });

  test("reads where the device describes itself", () => {
    const answer = `HTTP/1.1 200 OK\r\nCACHE-CONTROL: max-age=120\r\nLocation:  ${LOCATION.href} \r\n\r\n`;
    expect(readSearchAnswer(ascii(answer), GATEWAY)?.href).toBe(LOCATION.href);
  });

  test.each([
    ["a notification", `NOTIFY * HTTP/1.1\r\nLOCATION: ${LOCATION.href}\r\n\r\n`],
    ["an error", `HTTP/1.1 404 Not Found\r\nLOCATION: ${LOCATION.href}\r\n\r\n`],
    ["an answer without a place", "HTTP/1.1 200 OK\r\n\r\n"],
    ["too much", `HTTP/1.1 200 OK\r\nLOCATION: ${LOCATION.href}\r\n${"x".repeat(4_096)}`],
    ["noise", "\0\xff".repeat(100)],
  ])("%s is passed over", (_name, text) => {
    expect(readSearchAnswer(ascii(text), GATEWAY)).toBeUndefined();
  });
});

describe("descriptions", () => {
  test("services that map ports, version 2 first, others left out", () => {
    const xml = [
      "<d><device><serviceList>",
      service("Layer3Forwarding:1", "/l3f"),
      service("WANPPPConnection:1", "/ppp"),
      service("WANIPConnection:1", "ctl/ip1"),
      service("WANIPConnection:2", `http://${GATEWAY}:6000/ip2`),
      service("WANIPConnection:3", "/ip3"),
      "</serviceList></device></scpd>",
    ].join("\n");
    expect(
      readDescription(xml, LOCATION, GATEWAY).map(({ version, controlUrl }) => [version, controlUrl.href]),
    ).toEqual([
      [2, `http://${GATEWAY}:6000/ip2`],
      [1, `http://${GATEWAY}:5000/ppp`],
      [1, `http://${GATEWAY}:5000/ctl/ip1`],
    ]);
  });

  test("four services at most", () => {
    expect(readDescription(service("WANIPConnection:1", "/x").repeat(300), LOCATION, GATEWAY)).toHaveLength(4);
  });
});

describe("calls", () => {
  const [found] = readDescription(service("WANIPConnection:1", "/ctl"), LOCATION, GATEWAY);

  test("bodies", () => {
    const body = callBody(found!, "DeletePortMapping", { NewRemoteHost: "", NewExternalPort: 7, NewProtocol: "UDP" });
    expect(body).toContain(
      '<u:DeletePortMapping xmlns:u="urn:schemas-upnp-org:service:WANIPConnection:1"><NewRemoteHost></NewRemoteHost>' +
        "<NewExternalPort>7</NewExternalPort><NewProtocol>UDP</NewProtocol></u:DeletePortMapping>",
    );
    expect([...tags(body)].map(({ name }) => name).filter((name) => name === "DeletePortMapping")).toHaveLength(2);
  });

  test("answers", () => {
    const xml =
      "<s:Envelope><u:R><NewReservedPort>4711</NewReservedPort><NewExternalIPAddress>5.6.7.8</NewExternalIPAddress></u:R>";
    expect(readCall(200, xml)).toEqual({ kind: "done", xml });
    expect(numberOf(xml, "NewReservedPort")).toBe(4711);
    expect(hostOf(xml, "NewExternalIPAddress")).toBe("5.6.7.8");
    for (const text of ["", "-1", "65536", "1e3", "0x10", "999999"])
      expect(numberOf(`<NewReservedPort>${text}</NewReservedPort>`, "NewReservedPort"), text).toBeUndefined();
    for (const text of ["", "router", "1.2.3", "::1"]) expect(hostOf(`<a>${text}</a>`, "a"), text).toBeUndefined();
  });

  test("errors, with words that a terminal can show", () => {
    const fault = (words: string): string =>
      `<s:Fault><detail><UPnPError><errorCode>718</errorCode><errorDescription>${words}</errorDescription></UPnPError>`;
    expect(readCall(500, fault("ConflictInMappingEntry"))).toEqual({
      kind: "error",
      code: 718,
      reason: "error 718 (ConflictInMappingEntry)",
    });
    const hostile = readCall(500, fault(`\u001b[2J${"x".repeat(500)}`));
    expect(hostile).toMatchObject({ code: 718, reason: expect.stringMatching(/^error 718 \(\[2Jx{77}\)$/) });
    expect(readCall(404, "<html>")).toEqual({ kind: "error", code: undefined, reason: "HTTP status 404" });
  });
});
