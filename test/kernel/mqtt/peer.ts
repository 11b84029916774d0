/**
 * A peer that finds the other one by a topic of an MQTT broker; for tests in namespaces.
 *
 * `listen` prints its ticket, and answers whatever comes with the same; `connect` sends 256 KiB and prints the hashes of both ways.
 * Arguments: role, broker, STUN server, topic, and the ticket for `connect`.
 *
 * @module
 */
import { createHash, randomBytes } from "node:crypto";
import { buffer } from "node:stream/consumers";
import { connect, listen } from "../../../src/index.ts";
import { MqttChannel } from "./client.ts";

const [role = "", broker = "", stun = "", topic = "", ticket = ""] = process.argv.slice(2);
const [host = "", port = ""] = broker.split(":");
const clientId = `${role}-${process.pid}`;
const channel = await MqttChannel.open({ host, port: Number(port), topic, clientId });
// Neither the router's ports nor the addresses of this machine: holes are punched.
const options = { signalling: channel, stun: [stun], portMapping: false };

if (role === "listen") {
  const listener = await listen(options);
  process.stdout.write(`${listener.ticket}\n`);
  for await (const stream of listener) stream.pipe(stream);
} else {
  const startedAt = performance.now();
  const stream = await connect(ticket, options);
  const ms = Math.round(performance.now() - startedAt);
  const { remote } = stream.connection.paths()[0]!;
  const sent = randomBytes(256 * 1024);
  stream.end(sent);
  const [there, back] = [sent, await buffer(stream)].map((bytes) => createHash("sha256").update(bytes).digest("hex"));
  process.stdout.write(`${JSON.stringify({ ms, remote: remote.host, there, back })}\n`);
  channel.close();
}
