/**
 * Rules about the source itself: layers, purity, citations, deviations, requirements, and what must not be committed.
 *
 * Every rule is also shown a sample that breaks it, so that a rule that stopped working fails here.
 *
 * @module
 */
import { existsSync } from "node:fs";
import { posix } from "node:path";
import { describe, expect, test } from "vitest";
import {
  badCitations,
  deviationsInSource,
  deviationsInTable,
  lineAt,
  namedRequirements,
  REQUIREMENT_FILES,
  statedRequirements,
} from "./architecture/citations.ts";
import { cycles, forbidden, isPure, wrongBarrels, wrongImports } from "./architecture/layers.ts";
import { checkSnippet, hazards, impurities } from "./architecture/purity.ts";
import { importsOf, listFiles, parse, ROOT, readSources, readText } from "./architecture/source-tree.ts";

const sources = readSources("src");
const files = listFiles();
/** This file and its helpers spell out what others must not. */
const isThisTest = (path: string): boolean => path.startsWith("test/architecture");
/** TypeScript and JavaScript that we wrote, outside this test. */
const code = files.filter((path) => /\.(ts|mjs|js|c)$/.test(path) && !isThisTest(path));
const pages = files.filter((path) => /^spec\/[^/]+\.md$/.test(path));

describe("layers", () => {
  test("every import points down, never to a sibling", () => {
    expect(sources.flatMap(wrongImports)).toEqual([]);
  });

  test("no file imports itself in a circle, types included", () => {
    expect(cycles(sources)).toEqual([]);
  });

  test("only src/index.ts and src/testing/index.ts hand on what others export", () => {
    expect(sources.flatMap(wrongBarrels)).toEqual([]);
  });

  test("packages are imported only if package.json lists them for use at run time", () => {
    const dependencies = Object.keys(packageJson().dependencies ?? {});
    const strangers = sources.flatMap((source) =>
      importsOf(source)
        .map((each) => each.specifier)
        .filter((specifier) => !/^(\.|node:)/.test(specifier) && !dependencies.includes(packageOf(specifier)))
        .map((specifier) => `${source.path} imports ${specifier}`),
    );
    expect(strangers).toEqual([]);
  });

  test("the rules refuse what they should", () => {
    expect(forbidden("stream", "recovery")).toMatch(/siblings/);
    expect(forbidden("path", "io")).toMatch(/above/);
    expect(forbidden("util", "wire")).toMatch(/above/);
    expect(forbidden("io", "testing")).toMatch(/simulator/);
    expect(forbidden("testing", "cli")).toMatch(/command line/);
    expect(forbidden("cli", "io")).toMatch(/public/);
    expect(forbidden("nowhere", "util")).toMatch(/no layer/);
    expect(forbidden("connection", "wire")).toBeUndefined();
    expect(wrongImports(parse("src/wire/a.ts", 'type A = import("../io/b.ts").B;'))).toHaveLength(1);
    expect(wrongImports(parse("src/wire/a.ts", 'import "../../test/b.ts";'))).toHaveLength(1);
    expect(wrongBarrels(parse("src/wire/a.ts", 'export * from "./b.ts";'))).toHaveLength(1);
    const circle = [
      parse("src/util/a.ts", 'import type { B } from "./b.ts";'),
      parse("src/util/b.ts", 'import "./a.ts";'),
    ];
    expect(cycles(circle)).toEqual(["src/util/a.ts → src/util/b.ts → src/util/a.ts"]);
  });
});

describe("purity", () => {
  test("no pure layer touches a socket, clock, timer, global randomness, promise, emitter or the process", () => {
    expect(sources.filter((source) => isPure(source.path)).flatMap(impurities)).toEqual([]);
  });

  test("no file compares secrets in variable time, compresses, awaits at the top level, or uses uninitialised memory", () => {
    expect(sources.flatMap(hazards)).toEqual([]);
  });

  test.each([
    'import { createSocket } from "node:dgram";',
    'import { EventEmitter } from "eventemitter3";',
    'import { createHash } from "node:crypto";',
    "const at = Date.now();",
    "const at = new Date();",
    "const x = Math.random();",
    "const at = performance.now();",
    "setTimeout(() => {}, 1);",
    "queueMicrotask(f);",
    "console.log(1);",
    "const v = process.env.X;",
    "const p = new Promise(f);",
    "async function f() {}",
    "const b = Buffer.alloc(1);",
    "const n = null;",
  ])("%s is refused in a pure layer", (text) => {
    expect(checkSnippet(impurities, text)).toHaveLength(1);
  });

  test("members and keys that share the name of a global are accepted", () => {
    expect(
      checkSnippet(impurities, "const o = { process: 1, crypto: 2 }; o.process; class A { console(): void {} }"),
    ).toEqual([]);
  });

  test.each([
    'import { gzipSync } from "node:zlib";',
    'import { createHmac } from "node:crypto";',
    "const ok = equalBytes(init.mac2, expected);",
    "const ok = tag.equals(other);",
    "if (mac[i] !== expected[i]) fail();",
    "const x = Math.random();",
    "const b = Buffer.allocUnsafe(9);",
    "const ok = timingSafeEqual(a, b);",
    "await start();",
    "enum Colour { Red }",
  ])("%s is refused everywhere", (text) => {
    expect(checkSnippet(hazards, text, "src/io/sample.ts")).toHaveLength(1);
  });
});

describe("comments", () => {
  test("every source file begins with a module doc", () => {
    const without = sources.filter((source) => !/^(#![^\n]*\n)?\/\*\*[\s\S]*?@module\s*\*\//.test(source.text));
    expect(without.map((source) => source.path)).toEqual([]);
  });

  test("every mention of an RFC has the form `RFC 9002 §5.3` and names a current one", () => {
    expect(code.flatMap((path) => badCitations(path, readText(path)))).toEqual([]);
  });

  test("every deviation in the source has its row in spec/deviations.md, and every row its comment", () => {
    const found = sources.map((source) => deviationsInSource(source.path, source.text));
    expect(found.flatMap((each) => each.bad)).toEqual([]);
    const commented = new Set(found.flatMap((each) => each.sections));
    const listed = new Set(deviationsInTable(readText("spec/deviations.md")));
    expect([...commented].sort()).toEqual([...listed].sort());
  });

  test("nothing is left to do later", () => {
    const notes = code.filter((path) => /\b(TODO|FIXME|XXX)\b/.test(readText(path)));
    expect(notes).toEqual([]);
  });

  test("the grammar refuses what it should", () => {
    expect(badCitations("a.ts", "// RFC 9002 §5.3: variance first. RFC 9000 §A.1, §A.2")).toEqual([]);
    for (const text of ["RFC 9002", "RFC9002 §5", "RFC 9002 section 5", "RFC-9002 §5", "RFC 5389 §6", "RFC 5245 §1"])
      expect(badCitations("a.ts", text), text).toHaveLength(1);
    expect(deviationsInSource("a.ts", "// Deviates from RFC 9000 §8.2: reason").sections).toEqual(["RFC 9000 §8.2"]);
    expect(deviationsInSource("a.ts", "// Deviates from RFC 9000: reason").bad).toHaveLength(1);
    expect(deviationsInTable("| section | what |\n|---|---|\n| RFC 9000 §8.2 | x |")).toEqual(["RFC 9000 §8.2"]);
  });
});

describe("requirements of spec/", () => {
  const stated = pages.flatMap((path) => statedRequirements(readText(path)).map((id) => ({ id, path })));

  test("each is stated once, in the page of its prefix", () => {
    const ids = stated.map(({ id }) => id);
    expect(ids.filter((id, index) => ids.indexOf(id) !== index)).toEqual([]);
    expect(stated.filter(({ id, path }) => REQUIREMENT_FILES[id.replace(/-.*/, "")] !== path)).toEqual([]);
  });

  test("each is cited by a test", () => {
    const tests = files.filter((path) => path.startsWith("test/") && path.endsWith(".ts") && !isThisTest(path));
    const cited = new Set(tests.flatMap((path) => namedRequirements(readText(path))));
    expect(stated.map(({ id }) => id).filter((id) => !cited.has(id))).toEqual([]);
  });

  test("every one that is cited exists", () => {
    const ids = new Set(stated.map(({ id }) => id));
    const citing = [...code, ...pages];
    const unknown = citing.flatMap((path) =>
      namedRequirements(readText(path))
        .filter((id) => !ids.has(id))
        .map((id) => `${path} cites ${id}`),
    );
    expect(unknown).toEqual([]);
  });

  test("a link from the source to a page of spec/ names a page and a heading that exist", () => {
    const broken = code.flatMap((path) => brokenSpecLinks(path, readText(path)));
    expect(broken).toEqual([]);
  });

  test("a relative link on a page leads to a file that is there", () => {
    const broken = files
      .filter((path) => path.endsWith(".md"))
      .flatMap((path) =>
        [...readText(path).matchAll(/\]\((?!https?:|#)([^)#]+)[^)]*\)/g)].map(([, link = ""]) => ({ path, link })),
      )
      .filter(({ path, link }) => !existsSync(posix.join(ROOT, posix.dirname(path), link)))
      .map(({ path, link }) => `${path} links to ${link}`);
    expect(broken).toEqual([]);
  });

  test("the grammar finds what it should", () => {
    expect(statedRequirements("**WIRE-7.** A sender MUST …")).toEqual(["WIRE-7"]);
    expect(namedRequirements("(WIRE-7, HS-12) AES-128 STREAM-1")).toEqual(["WIRE-7", "HS-12"]);
    expect(brokenSpecLinks("a.ts", "spec/nothing.md")).toHaveLength(1);
  });
});

describe("what is committed", () => {
  /** What is true on one machine only. */
  const machinery = [
    { name: "a folder beside the checkout", pattern: /\.\.\/shared\b/ },
    { name: "a path of one machine", pattern: /(?<![\w.-])\/(?:(?:work|root)\b|(?:home|Users|tmp)\/\w)/ },
    { name: "a registry's host", pattern: /\bregistry\.[a-z0-9-]+\.[a-z]+\b|\bnpm\.pkg\./i },
  ];

  test("names no folder beside the checkout, no path of one machine and no registry's host", () => {
    const found = files
      .filter((path) => !isThisTest(path))
      .flatMap((path) => {
        const text = readText(path);
        return machinery.flatMap(({ name, pattern }) => {
          const match = pattern.exec(text);
          return match === null ? [] : [`${path}:${lineAt(text, match.index)} names ${name}: ${match[0]}`];
        });
      });
    expect(found).toEqual([]);
  });

  test("each dependency of the product has its reason in spec/decisions/", () => {
    const decisions = files
      .filter((path) => path.startsWith("spec/decisions/"))
      .map(readText)
      .join("\n");
    const unexplained = Object.keys(packageJson().dependencies ?? {}).filter(
      (name) => !decisions.includes(`\`${name}\``),
    );
    expect(unexplained).toEqual([]);
  });

  test("the package runs no script when it is installed", () => {
    const scripts = Object.keys(packageJson().scripts ?? {});
    expect(scripts.filter((name) => /^(pre|post)?install$/.test(name))).toEqual([]);
  });
});

interface PackageJson {
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly scripts?: Readonly<Record<string, string>>;
}

function packageJson(): PackageJson {
  return JSON.parse(readText("package.json"));
}

/** The name of the package that an import names, or a module of. */
function packageOf(specifier: string): string {
  return /^(?:@[^/]+\/)?[^/]+/.exec(specifier)?.[0] ?? specifier;
}

/** Mentions of `spec/page.md` or `spec/page.md#heading` that lead nowhere. */
function brokenSpecLinks(path: string, text: string): string[] {
  const broken: string[] = [];
  for (const { index, 0: link, 1: page = "", 2: heading } of text.matchAll(
    /\b(spec\/[a-z-]+\.md)(?:#([a-z0-9-]+))?/g,
  )) {
    const exists = files.includes(page) && (heading === undefined || headingsOf(page).includes(heading));
    if (!exists) broken.push(`${path}:${lineAt(text, index)} ${link}`);
  }
  return broken;
}

/** Anchors of a page's headings, as forges make them. */
function headingsOf(page: string): string[] {
  return [...readText(page).matchAll(/^#+ (.+)$/gm)].map(([, heading = ""]) =>
    heading
      .toLowerCase()
      .replace(/[^\p{L}\p{N}\s-]/gu, "")
      .trim()
      .replace(/\s/g, "-"),
  );
}
