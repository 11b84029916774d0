/**
 * `garbage.mjs HOST FIRST_PORT LAST_PORT BYTES PER_SECOND`: sends datagrams that look like something, to each of the ports in
 * turn: random bytes, answers of STUN with addresses that nobody has, and what begins like each kind of our packets.
 *
 * @module
 */
import { randomBytes, randomInt } from "node:crypto";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";

const [host, ...numbers] = process.argv.slice(2);
const [first, last, bytes, perSecond] = numbers.map(Number);

const PER_TURN = 16;
const MAX_SIZE = 1200;
const STUN_COOKIE = 0x2112a442;

/** RFC 8489 §5, §14.2: a success with XOR-MAPPED-ADDRESS. */
function stunAnswer() {
  const message = randomBytes(32);
  message.writeUInt16BE(0x0101, 0);
  message.writeUInt16BE(12, 2);
  message.writeUInt32BE(STUN_COOKIE, 4);
  message.writeUInt16BE(0x0020, 20);
  message.writeUInt16BE(8, 22);
  message.writeUInt16BE(0x0001, 24);
  return message;
}

/** First bytes from 0x80 on are ours. */
function packetLike() {
  const message = randomBytes(randomInt(1, MAX_SIZE + 1));
  message[0] |= 0x80;
  return message;
}

const KINDS = [() => randomBytes(MAX_SIZE), stunAnswer, packetLike];

const socket = createSocket("udp4");
socket.bind();
await once(socket, "listening");
const startedAt = performance.now();
let sent = 0;
let count = 0;
while (sent < bytes) {
  for (let turn = 0; turn < PER_TURN; turn++) {
    const message = KINDS[count % KINDS.length]();
    socket.send(message, first + (count % (last - first + 1)), host);
    sent += message.length;
    count += 1;
  }
  await sleep(Math.max(1, startedAt + (count / perSecond) * 1000 - performance.now()));
}
socket.close();
