/**
 * `npm run test:package`: packs the package as it would be published, looks at what is in it, and uses it from an empty
 * folder like a stranger would: from ES modules, CommonJS and TypeScript, and by its command.
 *
 * @module
 */
import { execFile } from "node:child_process";
import { copyFile, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { Checks } from "../checks.ts";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));

/** What `npm pack` may put into the package: what package.json lists, and what npm always adds. */
const PACKED = /^(package\.json|README\.md|LICENSE|CHANGELOG\.md|SECURITY\.md|bin\/|dist\/|spec\/)/;

/** A step that takes longer is stuck. */
const PATIENCE = 240_000;

interface Packed {
  readonly filename: string;
  readonly files: readonly { readonly path: string }[];
}

async function run(folder: string, command: string, ...words: readonly string[]): Promise<string> {
  try {
    const { stdout } = await promisify(execFile)(command, words, {
      cwd: folder,
      timeout: PATIENCE,
      maxBuffer: 1 << 24,
    });
    return stdout;
  } catch (error) {
    const { stdout = "", stderr = "" } = error as { stdout?: string; stderr?: string };
    throw new Error(`${command} ${words.join(" ")}\n${stdout}${stderr}`);
  }
}

/** A program in the place of a user's. */
function consumer(name: string): URL {
  return new URL(`consumers/${name}`, import.meta.url);
}

function expectLine(output: string, wanted: string): string {
  const lines = output.trim().split("\n");
  if (lines.at(-1) !== wanted) throw new Error(`expected ${wanted}, got ${output}`);
  return wanted;
}

async function main(): Promise<void> {
  const checks = new Checks();
  const folder = await mkdtemp(join(tmpdir(), "punchline-package-"));
  try {
    await tryPackage(checks, folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
  checks.finish();
}

async function tryPackage(checks: Checks, folder: string): Promise<void> {
  // Scripts stay off: `prepare` would build a second time.
  const listing = await run(ROOT, "npm", "pack", "--json", "--ignore-scripts", "--pack-destination", folder);
  const [packed] = JSON.parse(listing) as readonly Packed[];
  const tarball = join(folder, packed!.filename);
  const tool = (name: string): string => join(ROOT, "node_modules", ".bin", name);

  await checks.check("the package holds what it should and nothing else", () => {
    const paths = packed!.files.map((file) => file.path);
    const strangers = paths.filter((path) => !PACKED.test(path));
    if (strangers.length > 0) throw new Error(strangers.join(", "));
    for (const wanted of ["bin/punchline.js", "dist/index.js", "dist/index.d.ts", "dist/testing/index.js", "LICENSE"])
      if (!paths.includes(wanted)) throw new Error(`${wanted} is missing`);
    return `${paths.length} files`;
  });
  await checks.check("publint finds nothing", async () => {
    const output = await run(ROOT, tool("publint"), "--strict", tarball);
    if (!output.includes("All good")) throw new Error(output);
  });
  await checks.check("are-the-types-wrong finds nothing", () =>
    // require() of an ES module works on every Node.js that package.json admits, so that rule is off.
    run(
      ROOT,
      tool("attw"),
      tarball,
      "--profile",
      "node16",
      "--ignore-rules",
      "cjs-resolves-to-esm",
      "--no-definitely-typed",
      "--no-emoji",
    ).then(() => undefined),
  );
  await checks.check("it installs into an empty folder, and no package in there wants to run a script", async () => {
    const { devDependencies } = JSON.parse(await readFile(join(ROOT, "package.json"), "utf8"));
    await writeFile(join(folder, "package.json"), '{ "name": "stranger", "private": true }');
    await run(folder, "npm", "install", "--ignore-scripts", "--no-audit", "--no-fund", tarball);
    const lock = JSON.parse(await readFile(join(folder, "package-lock.json"), "utf8"));
    const scripted = Object.entries<{ hasInstallScript?: boolean }>(lock.packages).filter(
      ([, each]) => each.hasInstallScript,
    );
    if (scripted.length > 0) throw new Error(scripted.map(([path]) => path).join(", "));
    const types = ["typescript", "@types/node"].map((name) => `${name}@${devDependencies[name]}`);
    await run(folder, "npm", "install", "--ignore-scripts", "--no-audit", "--no-fund", "--save-dev", ...types);
    return `${Object.keys(lock.packages).length - 1} packages`;
  });
  await checks.check("an ES module sends bytes through it", async () => {
    await copyFile(consumer("module.mjs"), join(folder, "module.mjs"));
    return expectLine(await run(folder, process.execPath, "module.mjs"), "delivered 1000000 bytes");
  });
  await checks.check("a CommonJS module sends bytes through it", async () => {
    await copyFile(consumer("commonjs.cjs"), join(folder, "commonjs.cjs"));
    return expectLine(await run(folder, process.execPath, "commonjs.cjs"), "delivered 1000000 bytes");
  });
  await checks.check("strict TypeScript accepts it, and `await using` ends cleanly", async () => {
    await copyFile(consumer("typescript.mts"), join(folder, "typescript.mts"));
    const flags = "--strict --exactOptionalPropertyTypes --noUncheckedIndexedAccess --module nodenext --target es2022";
    await run(
      folder,
      "npx",
      "--no-install",
      "tsc",
      ...flags.split(" "),
      "--lib",
      "es2022,esnext.disposable",
      "typescript.mts",
    );
    return expectLine(await run(folder, process.execPath, "typescript.mjs"), "delivered 1000000 bytes");
  });
  await checks.check("the simulator is there as punchline/testing", async () => {
    const script = 'import("punchline/testing").then((testing) => console.log(Object.keys(testing).length > 0))';
    return expectLine(await run(folder, process.execPath, "-e", script), "true");
  });
  await checks.check("the command runs", () =>
    run(folder, "npx", "--no-install", "punchline", "--version").then((text) => text.trim()),
  );
}

await main();
