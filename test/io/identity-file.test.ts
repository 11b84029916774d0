/**
 * The file with key and tickets: trust, damage, locks, restarts.
 *
 * @module
 */
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { connect, Identity, type Listener, listen, loadIdentity, PunchlineError } from "../../src/index.ts";
import { firstOf, sleep } from "./pair.ts";

let folder: string;
let path: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "punchline-"));
  path = join(folder, "identity");
});

afterEach(() => rmSync(folder, { recursive: true, force: true }));

const open = (more: object = {}): Promise<Listener> => listen({ host: "127.0.0.1", identity: path, ...more });

async function failure(promise: Promise<unknown>): Promise<PunchlineError> {
  const error = await promise.then(
    () => undefined,
    (reason) => reason,
  );
  expect(error).toBeInstanceOf(PunchlineError);
  return error as PunchlineError;
}

describe("the file", () => {
  test("ERR-13: is made with mode 0600 whatever the umask, in a folder that is made with 0700", async () => {
    const previous = process.umask(0o000);
    try {
      path = join(folder, "deep", "er", "identity");
      await (await open()).close();
      expect(statSync(path).mode & 0o777).toBe(0o600);
      expect(statSync(join(folder, "deep")).mode & 0o777).toBe(0o700);
    } finally {
      process.umask(previous);
    }
    process.umask(0o277);
    try {
      path = join(folder, "other");
      await (await open()).close();
      expect(statSync(path).mode & 0o777).toBe(0o600);
    } finally {
      process.umask(previous);
    }
  });

  test("keeps the identity, for listeners and callers alike", async () => {
    const first = await open();
    await first.close();
    await using second = await open();
    expect(second.key).toBe(first.key);
    const own = join(folder, "caller");
    for (let i = 0; i < 2; i++) {
      const near = await connect(second.ticket, { identity: own });
      const far = await firstOf(second);
      expect(far.connection.peerKey).toBe(JSON.parse(readFileSync(own, "utf8")).publicKey);
      await near.connection.close();
    }
    await second.close({ connections: true });
  });

  test.each([0o640, 0o604, 0o620, 0o660, 0o777])("ERR-13: is refused with mode %o", async (mode) => {
    await (await open()).close();
    chmodSync(path, mode);
    const error = await failure(open());
    expect(error).toMatchObject({ code: "ERR_IDENTITY" });
    expect(error.message).toMatch(/by others/);
  });

  test("ERR-13: is refused if it is a symbolic link, a folder or a pipe", async () => {
    await (await open()).close();
    const link = join(folder, "link");
    symlinkSync(path, link);
    expect((await failure(listen({ identity: link }))).message).toMatch(/symbolic link/);
    mkdirSync(join(folder, "folder"));
    expect((await failure(listen({ identity: join(folder, "folder") }))).message).toMatch(/not a regular file/);
    const pipe = join(folder, "pipe");
    expect(spawnSync("mkfifo", ["-m", "600", pipe]).status).toBe(0);
    expect((await failure(listen({ identity: pipe }))).message).toMatch(/not a regular file/);
  });

  test("ERR-14: is not replaced by a part of a new one, when the disk takes no more", async () => {
    const listener = await open();
    for (let i = 0; i < 20; i++) listener.createTicket();
    await listener.close();
    const before = readFileSync(path, "utf8");
    const program = `
      import { listen } from ${JSON.stringify(new URL("../../src/index.ts", import.meta.url).href)};
      const listener = await listen({ host: "127.0.0.1", identity: process.env.IDENTITY });
      try { listener.createTicket(); } catch (error) { console.log(error.code, error.cause.code); }
      await listener.close();`;
    // A limit on files does what a full disk does: it takes a part.
    const child = spawnSync(
      "bash",
      ["-c", 'ulimit -f 2; exec "$NODE" --import tsx --input-type=module -e "$PROGRAM"'],
      { env: { ...process.env, NODE: process.execPath, PROGRAM: program, IDENTITY: path, TSX_DISABLE_CACHE: "1" } },
    );
    expect(String(child.stdout)).toBe("ERR_IDENTITY EFBIG\n");
    expect(readFileSync(path, "utf8")).toBe(before);
    expect(readdirSync(folder)).toEqual(["identity"]);
  });

  test("tells its key before it is used", async () => {
    const own = join(folder, "caller");
    const { key } = loadIdentity(own);
    expect(loadIdentity(own).key).toBe(key);
    await using listener = await listen({ host: "127.0.0.1", allow: [key] });
    const near = await connect(listener.ticket, { identity: own });
    expect((await firstOf(listener)).connection.peerKey).toBe(key);
    await near.connection.close();
  });

  test("ERR-14: a damaged file is an error and stays as it is", async () => {
    await (await open()).close();
    const good = readFileSync(path, "utf8");
    const key = JSON.parse(good).privateKey as string;
    const ticket = JSON.parse(good).tickets[0].ticket as string;
    const damaged = [
      "",
      "{}",
      "null",
      good.slice(0, -20),
      good.replace('"punchline": 1', '"punchline": 2'),
      good.replace(
        key,
        key.replace(/^./, (digit) => (digit === "0" ? "1" : "0")),
      ),
      good.replace(key, key.slice(2)),
      good.replace(ticket, `${ticket}0`),
      good.replace('"unlimited"', "-1"),
      good.replace(/"tickets": \[[\s\S]*\]/, '"tickets": {}'),
    ];
    for (const text of damaged) {
      expect(text).not.toBe(good);
      writeFileSync(path, text);
      expect(await failure(open())).toMatchObject({ code: "ERR_IDENTITY" });
      expect(readFileSync(path, "utf8")).toBe(text);
    }
    writeFileSync(path, good);
    await (await open()).close();
  });

  test("ERR-14: nothing but the file itself is left behind", async () => {
    const listener = await open();
    for (let i = 0; i < 10; i++) listener.createTicket({ uses: 1 });
    expect(readdirSync(folder).sort()).toEqual(["identity", "identity.lock"]);
    await listener.close();
    expect(readdirSync(folder)).toEqual(["identity"]);
  });

  test("a folder that cannot be written to is an error", async () => {
    path = join("/proc", "identity");
    expect(await failure(open())).toMatchObject({ code: "ERR_IDENTITY" });
  });

  test("an identity can be made from its private key", () => {
    const identity = Identity.generate();
    expect(Identity.fromPrivateKey(identity.exportPrivateKey()).key).toBe(identity.key);
    expect(() => Identity.fromPrivateKey(new Uint8Array(31))).toThrow(
      expect.objectContaining({ code: "ERR_IDENTITY" }),
    );
  });
});

describe("the lock", () => {
  test("ERR-15: one listener at a time, in one process", async () => {
    const first = await open();
    expect((await failure(open())).message).toMatch(/in use by this process/);
    await first.close();
    await (await open()).close();
  });

  test("ERR-15: one listener at a time, in two processes; a killed one is succeeded", async () => {
    const program = `
      import { listen } from ${JSON.stringify(new URL("../../src/index.ts", import.meta.url).href)};
      await listen({ host: "127.0.0.1", identity: ${JSON.stringify(path)} });
      console.log("listening");`;
    const child = spawn(process.execPath, ["--import", "tsx", "--input-type=module", "-e", program], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    await once(child.stdout, "data");
    expect((await failure(open())).message).toMatch(`in use by process ${child.pid}`);
    child.kill("SIGKILL");
    await once(child, "exit");
    await (await open()).close();
  });

  test("ERR-15: the number of a dead process that came back as somebody else's holds nothing", async () => {
    await (await open()).close();
    writeFileSync(`${path}.lock`, `${process.ppid} 1`);
    await (await open()).close();
    writeFileSync(`${path}.lock`, `${process.pid} 1`);
    await (await open()).close();
    writeFileSync(`${path}.lock`, "");
    await (await open()).close();
  });

  test("a listener that could not be made gives the lock back", async () => {
    expect(await failure(open({ host: "192.0.2.1" }))).toMatchObject({ code: "ERR_BIND" });
    await (await open()).close();
  });
});

describe("a listener that is started again", () => {
  test("ERR-16: shows the same ticket, and honours it", async () => {
    const first = await open();
    const { port } = first.address;
    const ticket = String(first.ticket);
    await first.close();
    await sleep(50);
    await using second = await open({ port });
    expect(String(second.ticket)).toBe(ticket);
    const near = await connect(ticket);
    await near.connection.close();
    await second.close({ connections: true });
  });

  test("ERR-16: remembers which tickets were used up, revoked and half used", async () => {
    const first = await open();
    const { port } = first.address;
    const [once_, twice, gone] = [
      first.createTicket({ uses: 1 }),
      first.createTicket({ uses: 2 }),
      first.createTicket({ expiresAt: Number.POSITIVE_INFINITY }),
    ];
    first.revoke(gone);
    for (const ticket of [once_, twice]) {
      const near = await connect(ticket);
      await firstOf(first);
      await near.connection.close();
    }
    await first.close({ connections: true });
    await sleep(50);
    await using second = await open({ port });
    const outcome = (ticket: typeof gone): Promise<unknown> =>
      connect(ticket).then(
        async (near) => {
          await firstOf(second);
          await near.connection.close();
          return "connected";
        },
        (error) => error.refusal,
      );
    expect(await outcome(once_)).toBe("used-up");
    expect(await outcome(gone)).toBe("revoked");
    expect(await outcome(twice)).toBe("connected");
    expect(await outcome(twice)).toBe("used-up");
    await second.close({ connections: true });
  });

  test("makes a new ticket if another kind is wanted, or the old one is no longer good", async () => {
    const first = await open();
    await first.close();
    const second = await open({ uses: 5 });
    expect(second.ticket.id).not.toBe(first.ticket.id);
    await second.close();
    const third = await open();
    expect(third.ticket.id).toBe(second.ticket.id);
    third.revoke(third.ticket);
    await third.close();
    const fourth = await open();
    expect(fourth.ticket.id).not.toBe(third.ticket.id);
    await fourth.close();
  });
});
