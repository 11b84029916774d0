/**
 * Stands in for the command where its callers are tested: `server`, `listen` and `connect` as far as these use them, with the
 * simplest way of punching, and a transfer that asks for what is missing until all is there.
 *
 * @module
 */
import { createSocket } from "node:dgram";
import { writeFileSync, writeSync } from "node:fs";
import { parseArgs } from "node:util";

const SERVER_PORT = 3478;
const CHUNK_SIZE = 1024;
const CHUNKS_PER_TICK = 4;
/** Chunks that are asked for at once. */
const MISSING = 32;
const KNOCKS = 30;
const KNOCK_PAUSE = 50;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    host: { type: "string", multiple: true },
    "address-file": { type: "string" },
    server: { type: "string" },
    path: { type: "string" },
    timeout: { type: "string" },
    json: { type: "boolean" },
  },
});
const [command, ticket] = positionals;
const socket = createSocket("udp4");

function report(event) {
  writeSync(2, `${JSON.stringify({ v: 1, time: Date.now(), ...event })}\n`);
}

function say(message, { host, port }) {
  socket.send(JSON.stringify(message), port, host);
}

function serve() {
  const listeners = new Map();
  socket.on("message", (bytes, { address: host, port }) => {
    const { type, id } = JSON.parse(bytes);
    if (type === "register") {
      listeners.set(id, { host, port });
      say({ type: "registered" }, { host, port });
      return;
    }
    const listener = listeners.get(id);
    say({ type: "peer", peer: listener }, { host, port });
    say({ type: "peer", peer: { host, port } }, listener);
  });
  const [host] = values.host;
  socket.bind(SERVER_PORT, host, () => writeFileSync(values["address-file"], `${host}:${SERVER_PORT}\n`));
}

/** Begins on the listener's or connector's side; `greeting` is for the server. */
function meet(server, greeting) {
  const [host, port] = server.split(":");
  socket.on("message", (bytes, { address, port: from }) => onMessage(bytes, { host: address, port: from }));
  socket.bind(0, () => say(greeting, { host, port: Number(port) }));
}

let peer;
let payload;
const chunks = [];
let firstByteAt;
let isDone = false;
let peerIsDone = false;

function onMessage(bytes, from) {
  if (bytes[0] !== "{".charCodeAt(0)) {
    firstByteAt ??= Date.now();
    chunks[bytes.readUInt32BE(1)] = bytes.subarray(5);
    if (bytes.readUInt32BE(1) === 0) writeSync(1, chunks[0]);
    return;
  }
  const message = JSON.parse(bytes);
  switch (message.type) {
    case "registered":
      report({ event: "listening", ticket: `${values.server}/${greeting.id}` });
      return;
    case "peer":
      void knock(message.peer);
      return;
    case "knock":
      say({ type: "answer" }, from);
      if (peer === undefined) say({ type: "knock" }, from);
      return;
    case "answer":
      if (peer !== undefined) return;
      peer = from;
      report({ event: "connected" });
      void sendAll();
      return;
    case "missing":
      for (const number of message.numbers) sendChunk(number);
      return;
    case "end": {
      const numbers = Array.from({ length: message.count }, (_, number) => number).filter(
        (number) => !(number in chunks),
      );
      if (numbers.length > 0) say({ type: "missing", numbers: numbers.slice(0, MISSING) }, from);
      else if (!isDone) {
        isDone = true;
        writeSync(1, Buffer.concat(chunks.slice(1)));
      }
      if (isDone) say({ type: "done" }, from);
      return;
    }
    case "done":
      peerIsDone = true;
      return;
  }
}

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

async function knock(to) {
  for (let count = 0; count < KNOCKS && peer === undefined; count++) {
    say({ type: "knock" }, to);
    await pause(KNOCK_PAUSE);
  }
  if (peer !== undefined) return;
  report({ event: "error", code: "ERR_STAND_IN", message: "no answer", hint: "" });
  process.exit(3);
}

function sendChunk(number) {
  const head = Buffer.alloc(5);
  head.writeUInt32BE(number, 1);
  const chunk = payload.subarray(number * CHUNK_SIZE, (number + 1) * CHUNK_SIZE);
  socket.send(Buffer.concat([head, chunk]), peer.port, peer.host);
}

async function sendAll() {
  const pieces = [];
  for await (const piece of process.stdin) pieces.push(piece);
  payload = Buffer.concat(pieces);
  const count = Math.ceil(payload.length / CHUNK_SIZE);
  for (let number = 0; number < count; number++) {
    sendChunk(number);
    if (number % CHUNKS_PER_TICK === 0) await pause(1);
  }
  // The other side may still have to read what it sends.
  for (let turn = 0; turn < 100 && !(isDone && peerIsDone); turn++) {
    say({ type: "end", count }, peer);
    await pause(KNOCK_PAUSE);
  }
  for (let turn = 0; turn < 3 && isDone; turn++) say({ type: "done" }, peer);
  report({ event: "summary", firstByteAt, path: "direct" });
  await pause(KNOCK_PAUSE);
  process.exit(isDone && peerIsDone ? 0 : 5);
}

const greeting = { type: command === "listen" ? "register" : "call", id: ticket?.split("/")[1] ?? String(process.pid) };
if (command === "server") serve();
else if (command === "listen") meet(values.server, greeting);
else {
  report({ event: "connecting" });
  meet(ticket.split("/")[0], greeting);
}
