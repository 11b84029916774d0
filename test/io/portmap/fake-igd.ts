/**
 * A UPnP gateway on the loopback: search, description and calls.
 *
 * @module
 */
import { createSocket } from "node:dgram";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

/** How the gateway behaves. */
export interface IgdOptions {
  readonly version?: 1 | 2;
  readonly externalHost?: string;
  /** What the answer to a search says, instead of the right place. */
  readonly location?: string;
  /** What serves the description, instead of the right one. */
  readonly describe?: (response: ServerResponse) => void;
  /** Error codes by action. */
  readonly errors?: Readonly<Record<string, number>>;
}

/** A running one. */
export interface FakeIgd {
  readonly ssdpPort: number;
  readonly httpPort: number;
  /** Actions called, with their values. */
  readonly calls: { readonly action: string; readonly body: string }[];
  readonly requests: string[];
  close(): Promise<void>;
}

const HOST = "127.0.0.1";

/** Starts a gateway at ports that are free. */
export async function startIgd(options: IgdOptions = {}): Promise<FakeIgd> {
  const calls: FakeIgd["calls"] = [];
  const requests: string[] = [];
  const server = createServer((request, response) => {
    requests.push(request.url ?? "");
    if (request.url === "/desc.xml") describe(options, response);
    else void control(options, { request, response, calls });
  });
  await new Promise<void>((resolve) => server.listen(0, HOST, resolve));
  const httpPort = (server.address() as AddressInfo).port;
  const socket = createSocket("udp4");
  socket.on("message", (payload, from) => {
    if (!payload.toString("latin1").startsWith("M-SEARCH")) return;
    const location = options.location ?? `http://${HOST}:${httpPort}/desc.xml`;
    socket.send(`HTTP/1.1 200 OK\r\nST: x\r\nLOCATION: ${location}\r\n\r\n`, from.port, from.address);
  });
  await new Promise<void>((resolve) => socket.bind(0, HOST, resolve));
  return {
    ssdpPort: socket.address().port,
    httpPort,
    calls,
    requests,
    async close() {
      socket.close();
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

function describe({ version = 1, describe: own }: IgdOptions, response: ServerResponse): void {
  if (own !== undefined) {
    own(response);
    return;
  }
  const type = `urn:schemas-upnp-org:service:WANIPConnection:${version}`;
  response.end(`<scpd><service><serviceType>${type}</serviceType><controlURL>/ctl</controlURL></service></scpd>`);
}

async function control(
  { externalHost = "5.6.7.8", errors = {} }: IgdOptions,
  {
    request,
    response,
    calls,
  }: { readonly request: IncomingMessage; readonly response: ServerResponse; readonly calls: FakeIgd["calls"] },
): Promise<void> {
  let body = "";
  for await (const chunk of request) body += chunk;
  const action = String(request.headers.soapaction).replace(/^"[^#]*#|"$/g, "");
  calls.push({ action, body });
  const code = errors[action];
  if (code !== undefined) {
    response.statusCode = 500;
    response.end(`<s:Fault><errorCode>${code}</errorCode><errorDescription>no</errorDescription></s:Fault>`);
    return;
  }
  const port = /<NewExternalPort>(\d+)</.exec(body)?.[1];
  response.end(
    `<u:R><NewExternalIPAddress>${externalHost}</NewExternalIPAddress><NewReservedPort>${port}</NewReservedPort></u:R>`,
  );
}
