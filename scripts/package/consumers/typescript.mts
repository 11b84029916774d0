import type { Duplex } from "node:stream";
import { type Connection, connect, type ErrorCode, listen, type PeerStream, PunchlineError, Ticket } from "punchline";

const sent: Uint8Array = new Uint8Array(1_000_000).fill(7);

async function count(stream: Duplex): Promise<number> {
  let bytes = 0;
  for await (const chunk of stream as AsyncIterable<Uint8Array>) bytes += chunk.length;
  return bytes;
}

async function exchange(): Promise<number> {
  await using listener = await listen({ host: "127.0.0.1" });
  const ticket: Ticket = Ticket.parse(listener.ticket.toString());
  const received = (async (): Promise<number> => {
    for await (const stream of listener) {
      const bytes = await count(stream);
      stream.end();
      return bytes;
    }
    return 0;
  })();
  {
    await using stream: PeerStream = await connect(ticket, { signal: AbortSignal.timeout(20_000) });
    const connection: Connection = stream.connection;
    stream.write(sent);
    void connection.stats();
  }
  return received;
}

const bytes = await exchange();
const failure: unknown = await connect("not a ticket").catch((error: unknown) => error);
const code: ErrorCode | undefined = failure instanceof PunchlineError ? failure.code : undefined;
if (code !== "ERR_TICKET") throw failure;
console.log(`delivered ${bytes} bytes`);
