/**
 * `listen --server` and `connect`, on loopback.
 *
 * @module
 */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { freePort } from "../free-port.ts";
import { folder, pause, run, start } from "./processes.ts";

/** A server on loopback; returns its address string. */
async function server(): Promise<{ readonly word: string; readonly kill: () => void }> {
  const file = join(folder(), "address");
  const port = await freePort();
  const running = start(["server", "--host", "127.0.0.1", "--port", `${port}`, "--address-file", file]);
  while (!existsSync(file)) await pause(20);
  return { word: readFileSync(file, "utf8").trim(), kill: () => running.kill("SIGKILL") };
}

describe("peers that know a server, and not each other", () => {
  test("find each other by a ticket without addresses (CLI-34), and tell how (CLI-35)", async () => {
    const { word } = await server();
    const listener = start(["listen", "--json", "--server", word], { stdin: "from the listener" });
    const { ticket, addresses, servers } = await listener.event("listening");
    expect(addresses).toEqual([]);
    expect(servers).toHaveLength(1);
    expect(String(ticket).length).toBeLessThanOrEqual(160);
    const end = await run(["connect", "--explain", String(ticket)], { stdin: "from the dialler" });
    expect(end).toMatchObject({ code: 0, stdout: "from the listener" });
    expect(end.stderr).toMatch(/Connecting through 127\.0\.0\.1:\d+ \.\.\./);
    expect(end.stderr).toMatch(
      /server 127\.0\.0\.1:\d+ answers\n.*own candidate.*\n[\s\S]*round 1 begins[\s\S]*tried:/,
    );
    expect(await listener.ended).toMatchObject({ code: 0, stdout: "from the dialler" });
  });

  test("say nothing of addresses if asked to (CLI-35)", async () => {
    const { word } = await server();
    const listener = start(["listen", "--json", "--server", word]);
    const end = await run(["connect", "--explain", "--redact", await listener.ticket()]);
    expect(end.code).toBe(0);
    expect(end.stderr).toMatch(/round 1 begins/);
    expect(end.stderr).not.toMatch(/127\.0\.0\.1|::/);
  });

  test("put addresses into the ticket only if asked to (CLI-34)", async () => {
    const { word } = await server();
    const args = ["listen", "--json", "--host", "127.0.0.1", "--server", word];
    const { addresses } = await start([...args, "--lan"]).event("listening");
    expect(addresses).toHaveLength(1);
    const chosen = await start([...args, "--address", "192.0.2.7:99"]).event("listening");
    expect(chosen.addresses).toEqual(["192.0.2.7:99"]);
  });
});

describe("what goes wrong has a name (ERR-1)", () => {
  test("nobody is there by the ticket: ERR_NOT_THERE", async () => {
    const { word } = await server();
    const listener = start(["listen", "--json", "--server", word]);
    const ticket = await listener.ticket();
    listener.kill("SIGKILL");
    await listener.ended;
    // The server takes the listener for gone once it has been silent.
    const end = await run(["connect", "--json", "--timeout", "2", ticket]);
    expect(end.code).toBe(3);
    expect(["ERR_NOT_THERE", "ERR_UNREACHABLE"]).toContain(end.events.find(({ event }) => event === "error")?.code);
  });

  test("the server is gone: ERR_UDP_BLOCKED within four seconds, since nothing at all has come back", async () => {
    const { word, kill } = await server();
    const listener = start(["listen", "--json", "--server", word]);
    const ticket = await listener.ticket();
    kill();
    await pause(300);
    const end = await run(["connect", "--json", ticket]);
    expect(end.code).toBe(3);
    expect(end.events.find(({ event }) => event === "error")).toMatchObject({ code: "ERR_UDP_BLOCKED" });
    expect(end.after).toBeLessThan(6_000);
  });

  test("a word that is no server address is wrong usage; a ticket in its place is recognised", async () => {
    const end = await run(["listen", "--server", "ps1nonsense"]);
    expect(end.code).toBe(2);
    const listener = start(["listen", "--json", "--host", "127.0.0.1"]);
    const swapped = await run(["listen", "--server", await listener.ticket()]);
    expect(swapped.code).toBe(2);
    expect(swapped.stderr).toMatch(/this is a ticket/);
  });
});
