/**
 * One HTTP request to a device of the local network that need not be friendly.
 *
 * Answers are bounded in size and time, redirects are not followed, and no connection outlives its request.
 *
 * @module
 */
import { type IncomingMessage, request } from "node:http";

/** What to ask. */
export interface HttpRequest {
  readonly url: URL;
  readonly method: "GET" | "POST";
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  /** Our address, where the machine has several. */
  readonly localHost: string;
  /** Gives up early. */
  readonly signal: AbortSignal;
}

/** What came back. */
export interface HttpAnswer {
  readonly status: number;
  readonly body: string;
}

// Implementation

/** Descriptions of devices are 2 to 20 KiB long. */
export const MAX_BODY_BYTES = 64 * 1024;

const MAX_HEADER_BYTES = 8 * 1024;

/** From the beginning to the last byte, in ms: routers are slow, but not slower than that. */
const TIME_LIMIT = 2_000;

/**
 * Sends a request and reads the answer.
 *
 * @throws Error if none came in time, or one that is too long.
 */
export function exchange({
  url,
  method,
  headers = {},
  body = "",
  localHost,
  signal,
}: HttpRequest): Promise<HttpAnswer> {
  return new Promise((resolve, reject) => {
    const outgoing = request(url, {
      method,
      headers: { ...headers, connection: "close", "content-length": String(Buffer.byteLength(body)) },
      agent: false,
      localAddress: localHost,
      maxHeaderSize: MAX_HEADER_BYTES,
      signal: AbortSignal.any([signal, AbortSignal.timeout(TIME_LIMIT)]),
    });
    // Also told after the answer is complete, when a promise no longer listens.
    outgoing.on("error", reject);
    outgoing.once("response", (response) => {
      readBody(response).then((text) => resolve({ status: response.statusCode ?? 0, body: text }), reject);
    });
    outgoing.end(body);
  });
}

async function readBody(response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    length += chunk.length;
    // Leaving the loop destroys the connection.
    if (length > MAX_BODY_BYTES) throw new Error("the answer is too long");
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString("utf8");
}
