import { createHash, randomBytes } from "node:crypto";
import { buffer } from "node:stream/consumers";
import { connect, listen } from "punchline";

const sent = randomBytes(1_000_000);
const listener = await listen({ host: "127.0.0.1" });
const received = listener[Symbol.asyncIterator]()
  .next()
  .then(async ({ value }) => {
    const bytes = await buffer(value);
    value.end();
    return bytes;
  });
const stream = await connect(String(listener.ticket));
try {
  stream.end(sent);
  const hash = (bytes) => createHash("sha256").update(bytes).digest("hex");
  if (hash(await received) !== hash(sent)) throw new Error("other bytes arrived");
} finally {
  await stream[Symbol.asyncDispose]();
  await listener.close();
}
console.log(`delivered ${sent.length} bytes`);
