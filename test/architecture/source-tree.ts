/**
 * The checkout as data: which files it has, and what each source file imports and names.
 *
 * @module
 */
import { readdirSync, readFileSync } from "node:fs";
import { posix } from "node:path";
import { fileURLToPath } from "node:url";
import ts from "typescript";

/** The folder that holds package.json. */
export const ROOT: string = fileURLToPath(new URL("../../", import.meta.url));

/** What a build, a test run or git leaves in a checkout; never committed. */
const UNCOMMITTED = new Set([".git", "node_modules", "dist", "coverage", ".accept"]);

/** A parsed TypeScript file. */
export interface Source {
  /** Path from the root of the checkout, with forward slashes. */
  readonly path: string;
  readonly text: string;
  readonly tree: ts.SourceFile;
}

/** One `import`, `export … from`, `import()` or `import("…")` type. */
export interface Import {
  readonly specifier: string;
  /** Whether the statement hands on what it names: `export … from`. */
  readonly reexport: boolean;
}

/** Paths of all files below `folder` ("" is the whole checkout) that a commit would hold, sorted. */
export function listFiles(folder = ""): string[] {
  const found: string[] = [];
  for (const entry of readdirSync(posix.join(ROOT, folder), { withFileTypes: true })) {
    if (UNCOMMITTED.has(entry.name)) continue;
    const path = posix.join(folder, entry.name);
    if (entry.isDirectory()) found.push(...listFiles(path));
    else if (entry.isFile() && !path.endsWith(".tgz")) found.push(path);
  }
  return found.sort();
}

/** The text of one file of the checkout. */
export function readText(path: string): string {
  return readFileSync(posix.join(ROOT, path), "utf8");
}

/** All TypeScript files below `folder`, parsed. */
export function readSources(folder: string): Source[] {
  return listFiles(folder)
    .filter((path) => path.endsWith(".ts"))
    .map((path) => parse(path, readText(path)));
}

/** Parses one file. */
export function parse(path: string, text: string): Source {
  return { path, text, tree: ts.createSourceFile(path, text, ts.ScriptTarget.ES2022, true) };
}

/** Calls `visit` for every node of the file, parents first. */
export function walk(source: Source, visit: (node: ts.Node) => void): void {
  const descend = (node: ts.Node): void => {
    visit(node);
    ts.forEachChild(node, descend);
  };
  descend(source.tree);
}

/** `path:line` of a node, as editors and terminals understand it. */
export function placeOf(source: Source, node: ts.Node): string {
  return `${source.path}:${source.tree.getLineAndCharacterOfPosition(node.getStart(source.tree)).line + 1}`;
}

/** Everything that the file imports, types included. */
export function importsOf(source: Source): Import[] {
  const imports: Import[] = [];
  const add = (specifier: ts.Node | undefined, reexport: boolean): void => {
    if (specifier !== undefined && ts.isStringLiteralLike(specifier))
      imports.push({ specifier: specifier.text, reexport });
  };
  walk(source, (node) => {
    if (ts.isImportDeclaration(node)) add(node.moduleSpecifier, false);
    else if (ts.isExportDeclaration(node)) add(node.moduleSpecifier, true);
    else if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword)
      add(node.arguments[0], false);
    else if (ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument)) add(node.argument.literal, false);
  });
  return imports;
}

/** Path of the file that a relative import means, or `undefined` for a package. */
export function resolveImport(source: Source, specifier: string): string | undefined {
  return specifier.startsWith(".") ? posix.join(posix.dirname(source.path), specifier) : undefined;
}
