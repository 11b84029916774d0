const { buffer } = require("node:stream/consumers");
const { connect, listen, PunchlineError } = require("punchline");

async function main() {
  const sent = Buffer.alloc(1_000_000, "punchline");
  const listener = await listen({ host: "127.0.0.1" });
  listener.on("stream", async (stream) => stream.end(await buffer(stream)));
  const stream = await connect(String(listener.ticket));
  try {
    stream.end(sent);
    if (!sent.equals(await buffer(stream))) throw new Error("other bytes came back");
  } finally {
    await stream[Symbol.asyncDispose]();
    await listener.close();
  }
  const failure = await connect("not a ticket").catch((error) => error);
  if (!(failure instanceof PunchlineError) || failure.code !== "ERR_TICKET") throw failure;
  console.log(`delivered ${sent.length} bytes`);
}

main();
