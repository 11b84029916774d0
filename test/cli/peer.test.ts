/**
 * The command against peers that are not the command: each way to break the rules has its own end.
 *
 * @module
 */
import { once } from "node:events";
import { describe, expect, onTestFinished, test } from "vitest";
import { encodeControl } from "../../src/cli/control-codec.ts";
import { listen as answer, connect as dial, type PeerStream } from "../../src/index.ts";
import { listen, type Process, pause, run, start } from "./processes.ts";

const KIND = 0x43;

/** A library peer of a listening command. */
async function peerOf(listener: Process): Promise<PeerStream> {
  const stream = await dial(await listener.ticket());
  onTestFinished(() => stream.connection.close());
  return stream;
}

/** The verdict of the command, as the bytes of its control stream. */
async function verdictFrom(stream: PeerStream): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const control of stream.connection.streams()) {
    for await (const chunk of control) chunks.push(chunk as Buffer);
    break;
  }
  return Buffer.concat(chunks);
}

async function sendControl(stream: PeerStream, ...parts: readonly Uint8Array[]): Promise<PeerStream> {
  const control = await stream.connection.openStream({ direction: "uni" });
  control.write(Buffer.concat([Uint8Array.of(KIND), ...parts]));
  return control;
}

describe("verdicts", () => {
  test("a peer that plays by the rules gets DELIVERED with the count, and then the end (CLI-9, CLI-11)", async () => {
    const listener = listen([], { stdin: "12345" });
    const stream = await peerOf(listener);
    stream.end("abc");
    stream.resume();
    await once(stream, "end");
    const control = await sendControl(stream, encodeControl({ type: "delivered", bytes: 5 }));
    const verdict = verdictFrom(stream);
    // The command ends its control stream once it has read ours, and waits for the end of ours.
    expect(await verdict).toEqual(Buffer.concat([Uint8Array.of(KIND), encodeControl({ type: "delivered", bytes: 3 })]));
    await pause(300);
    expect(listener.child.exitCode).toBe(null);
    control.end();
    const end = await listener.ended;
    expect([end.code, end.stdout]).toEqual([0, "abc"]);
  });

  test("no DELIVERED is sent before the output has taken the last byte (CLI-9)", async () => {
    const size = 4_000_000;
    const listener = listen([], { stdin: "" });
    // Nobody reads what the command writes.
    listener.child.stdout!.pause();
    const stream = await peerOf(listener);
    stream.resume();
    stream.end(Buffer.alloc(size));
    await once(stream, "end");
    await sendControl(stream, encodeControl({ type: "delivered", bytes: 0 }));
    let verdict: Buffer | undefined;
    void verdictFrom(stream).then((bytes) => {
      verdict = bytes;
    });
    await pause(1_000);
    expect(verdict).toBeUndefined();
    listener.child.stdout!.resume();
    await listener.received(size);
    await pause(500);
    expect(verdict?.subarray(1)).toEqual(encodeControl({ type: "delivered", bytes: size }));
  });

  test.each([
    { what: "a wrong count", parts: [encodeControl({ type: "delivered", bytes: 6 })] },
    { what: "a count of the wrong size", parts: [Uint8Array.of(1, 0, 2, 0, 5)] },
    { what: "a body that is too long", parts: [Uint8Array.of(1, 0x04, 0x01)] },
    { what: "FAILED without a code", parts: [Uint8Array.of(2, 0, 1, 0)] },
  ])("$what: exit 6 (CLI-10, CLI-14)", async ({ parts }) => {
    const listener = listen([], { stdin: "12345" });
    const stream = await peerOf(listener);
    stream.resume();
    stream.end();
    await once(stream, "end");
    await sendControl(stream, ...parts);
    const end = await listener.ended;
    expect(end.code).toBe(6);
    expect(end.events.find((event) => event.event === "error")).toMatchObject({ code: "ERR_INTEGRITY" });
  });

  test("DELIVERED before we have ended: exit 6 (CLI-10)", async () => {
    const listener = listen([], { stdin: "open" });
    const stream = await peerOf(listener);
    stream.write("x");
    await sendControl(stream, encodeControl({ type: "delivered", bytes: 0 }));
    expect((await listener.ended).code).toBe(6);
  });

  test("messages and streams of unknown kinds are skipped (CLI-14)", async () => {
    const listener = listen([], { stdin: "12345" });
    const stream = await peerOf(listener);
    stream.end("abc");
    stream.resume();
    const other = await stream.connection.openStream();
    other.end("something else");
    await once(stream, "end");
    const unknown = Uint8Array.of(77, 0, 3, 1, 2, 3);
    const control = await sendControl(stream, unknown, encodeControl({ type: "delivered", bytes: 5 }), unknown);
    control.end();
    expect((await listener.ended).code).toBe(0);
  });

  test("what a peer says is stripped of control characters (CLI-3)", async () => {
    const listener = listen([], { stdin: "open" });
    const stream = await peerOf(listener);
    stream.write("x");
    await sendControl(stream, encodeControl({ type: "failed", code: 0x101, reason: "no\x1b[2J\nspace\u202e" }));
    const end = await listener.ended;
    expect(end.code).toBe(5);
    expect(end.events.find((event) => event.event === "error")).toMatchObject({
      code: "ERR_PEER_FAILED",
      message: "the other side stopped: no [2J space",
    });
  });
});

describe("peers without verdicts", () => {
  test("one that hangs up: exit 5 (CLI-13)", async () => {
    const listener = listen([], { stdin: "open" });
    const stream = await peerOf(listener);
    stream.write("abc");
    await listener.received(3);
    void stream.connection.close();
    const end = await listener.ended;
    expect([end.code, end.events.find((event) => event.event === "error")?.code]).toEqual([5, "ERR_UNCONFIRMED"]);
  });

  test("one that resets the stream: exit 5", async () => {
    const listener = listen([], { stdin: "open" });
    const stream = await peerOf(listener);
    stream.write("abc");
    await listener.received(3);
    stream.destroy(new Error("enough"));
    expect((await listener.ended).code).toBe(5);
  });

  test("one that takes everything but has no control stream: exit 5 after a while (CLI-13)", async () => {
    const listener = await answer({ host: "127.0.0.1" });
    onTestFinished(() => listener.close({ connections: true }));
    const ended = run(["connect", String(listener.ticket)], { stdin: "payload" });
    for await (const stream of listener) {
      stream.end();
      stream.resume();
      break;
    }
    const end = await ended;
    expect(end.code).toBe(5);
    expect(end.stderr).toMatch(/does not say what became of them\n {2}hint: /);
    expect(end.after).toBeGreaterThan(4_500);
  });
});

test("a second peer with the same ticket is turned away (CLI-8)", async () => {
  const listener = listen(["--uses", "2"], { stdin: "open" });
  const ticket = await listener.ticket();
  const first = start(["connect", ticket, "--json"], { stdin: "open" });
  await first.event("connected");
  const second = await run(["connect", ticket]);
  expect(second.code).toBe(5);
  expect(second.stderr).toMatch(/serves another peer/);
  first.child.stdin!.end("still here");
  listener.child.stdin!.end();
  expect([(await first.ended).code, (await listener.ended).stdout]).toEqual([0, "still here"]);
});
