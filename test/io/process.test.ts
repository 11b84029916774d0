/**
 * What is left of a process when its connections are over: nothing.
 *
 * @module
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { describe, expect, test } from "vitest";
import { connect, listen } from "../../src/index.ts";
import { errorOf, sleep } from "./pair.ts";

const index = JSON.stringify(new URL("../../src/index.ts", import.meta.url).href);

/** Runs a program to its end. Fails if it does not end within `patience` ms of printing "last". */
async function run(program: string, patience: number): Promise<{ output: string; code: number; lag: number }> {
  const child = spawn(
    process.execPath,
    ["--unhandled-rejections=strict", "--import", "tsx", "--input-type=module", "-e", program],
    { stdio: ["ignore", "pipe", "pipe"] },
  );
  let output = "";
  let lastAt: number | undefined;
  child.stdout.on("data", (chunk) => {
    output += chunk;
    if (!output.includes("last") || lastAt !== undefined) return;
    lastAt = performance.now();
    setTimeout(() => child.kill("SIGKILL"), patience).unref();
  });
  child.stderr.on("data", (chunk) => {
    output += chunk;
  });
  const [code, signal] = await once(child, "exit");
  if (signal !== null) throw new Error(`did not end by itself:\n${output}`);
  return { output, code, lag: performance.now() - (lastAt ?? 0) };
}

describe("a process", () => {
  test("ends by itself after `await using` at both ends of the program", async () => {
    const { output, code } = await run(
      `import { connect, listen } from ${index};
       const listener = await listen({ host: "127.0.0.1" });
       const serving = (async () => { for await (const stream of listener) stream.pipe(stream); })();
       const stream = await connect(listener.ticket, { signal: AbortSignal.timeout(20_000) });
       stream.end("hello");
       for await (const chunk of stream) console.log(String(chunk));
       await stream[Symbol.asyncDispose]();
       await listener[Symbol.asyncDispose]();
       await serving;
       console.log("last");`,
      1_000,
    );
    expect([code, output]).toEqual([0, "hello\nlast\n"]);
  });

  test("ends by itself though a handler of `closed` threw, if it survives that", async () => {
    const { code, output } = await run(
      `import { connect, listen } from ${index};
       process.on("uncaughtException", (error) => console.log(error.message));
       const listener = await listen({ host: "127.0.0.1" });
       const stream = await connect(listener.ticket);
       stream.connection.on("closed", () => { throw new Error("oops"); });
       await listener.close();
       await stream.connection.close();
       console.log("last");`,
      1_500,
    );
    expect([code, output]).toEqual([0, "oops\nlast\n"]);
  });

  test("ends by itself after `destroy()`, with a listener that has closed", async () => {
    const { code } = await run(
      `import { connect, listen } from ${index};
       const listener = await listen({ host: "127.0.0.1" });
       const stream = await connect(listener.ticket);
       await listener.close();
       stream.destroy();
       console.log("last");`,
      8_000,
    );
    expect(code).toBe(0);
  });

  test("ends by itself after a connection that never came about", async () => {
    const { output, code } = await run(
      `import { connect, listen } from ${index};
       const listener = await listen({ host: "127.0.0.1" });
       await listener.close();
       await connect(listener.ticket, { timeout: 200 }).catch((error) => console.log(error.code));
       await connect(listener.ticket, { signal: AbortSignal.timeout(200) }).catch((error) => console.log(error.name));
       console.log("last");`,
      1_000,
    );
    expect([code, output]).toEqual([0, "ERR_UNREACHABLE\nTimeoutError\nlast\n"]);
  });

  test("is kept alive by a listener, and by a connection", async () => {
    const { output } = await run(
      `import { connect, listen } from ${index};
       const listener = await listen({ host: "127.0.0.1" });
       setTimeout(async () => {
         const stream = await connect(listener.ticket);
         stream.on("data", () => { stream.end(); console.log("last"); });
       }, 300).unref();
       listener.on("stream", (stream) => {
         listener.close();
         setTimeout(() => { stream.end("x"); stream.resume(); }, 300).unref();
       });`,
      2_000,
    );
    expect(output).toBe("last\n");
  });

  test("survives a peer that resets a stream nobody listens to (ERR-11)", async () => {
    const { output, code } = await run(
      `import { connect, listen } from ${index};
       const listener = await listen({ host: "127.0.0.1" });
       listener.on("stream", (stream) => { globalThis.kept = stream; });
       const stream = await connect(listener.ticket);
       stream.write("x");
       await new Promise((resolve) => setTimeout(resolve, 50));
       stream.destroy(new Error("crash"));
       await new Promise((resolve) => setTimeout(resolve, 100));
       console.log(globalThis.kept.errored.code);
       await listener.close();
       console.log("last");`,
      2_000,
    );
    expect([code, output]).toEqual([0, "ERR_STREAM_RESET\nlast\n"]);
  });
});

describe("a peer that is killed", () => {
  test("is lost after `linger`: stalled first, then every stream fails with ERR_PEER_LOST", async () => {
    const program = `
      import { listen } from ${index};
      const listener = await listen({ host: "127.0.0.1" });
      listener.on("stream", (stream) => stream.resume());
      console.log(String(listener.ticket));`;
    const child = spawn(process.execPath, ["--import", "tsx", "--input-type=module", "-e", program], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    const [ticket] = await once(child.stdout, "data");
    const stream = await connect(String(ticket).trim(), { linger: 2_500 });
    const { connection } = stream;
    const second = await connection.openStream();
    let stalls = 0;
    connection.on("stalled", () => stalls++);
    stream.write("x");
    await sleep(100);
    child.kill("SIGKILL");
    const startedAt = performance.now();
    stream.write("y");
    const errors = await Promise.all([errorOf(stream), errorOf(second)]);
    const elapsed = performance.now() - startedAt;
    expect(errors).toMatchObject([
      { code: "ERR_PEER_LOST", origin: "network" },
      { code: "ERR_PEER_LOST", origin: "network" },
    ]);
    expect(elapsed).toBeGreaterThan(2_000);
    expect(elapsed).toBeLessThan(4_500);
    expect(stalls).toBe(1);
    expect(connection.closeReason).toMatchObject({ kind: "lost" });
    await expect(connection.openStream()).rejects.toMatchObject({ code: "ERR_PEER_LOST" });
  });
});

describe("handles", () => {
  test("none is left one second after the last close", async () => {
    const { output } = await run(
      `import { connect, listen } from ${index};
       const listener = await listen();
       await new Promise((resolve) => setTimeout(resolve, 1));
       const others = process.getActiveResourcesInfo().filter((each) => !each.startsWith("UDP")).concat("Timeout");
       const serving = (async () => { for await (const stream of listener) stream.pipe(stream); })();
       for (let i = 0; i < 5; i++) {
         const stream = await connect(listener.ticket);
         stream.end("x");
         stream.resume();
         await new Promise((resolve) => stream.once("close", resolve));
       }
       await listener.close();
       await serving;
       setTimeout(() => {
         const left = process.getActiveResourcesInfo();
         for (const each of others) if (left.includes(each)) left.splice(left.indexOf(each), 1);
         console.log("left", JSON.stringify(left));
         console.log("last");
       }, 1_000);`,
      1_000,
    );
    expect(output).toBe("left []\nlast\n");
  });

  test("the shared dialling endpoint is made again after its last connection", async () => {
    await using listener = await listen({ host: "127.0.0.1" });
    const ports: number[] = [];
    for (let i = 0; i < 3; i++) {
      const stream = await connect(listener.ticket);
      ports.push(stream.connection.paths()[0]!.local.port);
      await stream.connection.close();
      await sleep(20);
    }
    expect(new Set(ports).size).toBe(3);
    const together = await Promise.all([connect(listener.ticket), connect(listener.ticket)]);
    expect(new Set(together.map((stream) => stream.connection.paths()[0]!.local.port)).size).toBe(1);
    await Promise.all(together.map((stream) => stream.connection.close()));
    await listener.close({ connections: true });
  });
});
