/**
 * What pure machines must not touch, and what no file may.
 *
 * @module
 */
import ts from "typescript";
import { importsOf, parse, placeOf, type Source, walk } from "./source-tree.ts";

/** The one file that knows node:crypto. */
const PRIMITIVES = "src/crypto/primitives.ts";

/** Others that may import it, for what is no secret and no part of the protocol. */
const MAY_HASH: ReadonlySet<string> = new Set(["src/cli/sample-file.ts"]);

/** The one file that knows the package `stun`, and the only part of it that reaches no socket (spec/decisions/008). */
const STUN_PACKAGE = { file: "src/stun/package.ts", modules: "stun/src/node_modules/message/" } as const;

/** Files that hand bytes to code which takes nothing but a Buffer. */
const MAY_USE_BUFFER: ReadonlySet<string> = new Set([PRIMITIVES, STUN_PACKAGE.file]);

/** Globals that read a clock, set a timer, draw randomness, or reach the process. */
const WORLDLY = new Set([
  "Buffer",
  "clearImmediate",
  "clearInterval",
  "clearTimeout",
  "console",
  "crypto",
  "fetch",
  "globalThis",
  "performance",
  "process",
  "queueMicrotask",
  "setImmediate",
  "setInterval",
  "setTimeout",
]);

/** Members of otherwise harmless globals. */
const WORLDLY_MEMBERS = new Set(["Date.now", "Math.random"]);

/** Files that may use uninitialised memory; each says there why its old contents cannot leak. */
const MAY_ALLOCATE_UNSAFE: ReadonlySet<string> = new Set();

/** Names of values whose comparison must not tell where the first difference is. */
const SECRET = /(?:^|[a-z_.#])(?:mac[0-9]?|tag|secret|psk|seal|cookie)\d?$/i;

/** Everything in a file of a pure layer that touches the world. */
export function impurities(source: Source): string[] {
  const found: string[] = [];
  for (const { specifier } of importsOf(source)) {
    if (specifier.startsWith(".")) continue;
    if (specifier === "node:crypto" && source.path === PRIMITIVES) continue;
    if (specifier.startsWith(STUN_PACKAGE.modules) && source.path === STUN_PACKAGE.file) continue;
    found.push(`${source.path} imports ${specifier}`);
  }
  walk(source, (node) => {
    const name = worldlyName(node);
    if (name !== undefined && !(name === "Buffer" && MAY_USE_BUFFER.has(source.path)))
      found.push(`${placeOf(source, node)} uses ${name}`);
    if (node.kind === ts.SyntaxKind.NullKeyword) found.push(`${placeOf(source, node)} uses null; absent is undefined`);
    if (node.kind === ts.SyntaxKind.AsyncKeyword) found.push(`${placeOf(source, node)} is async`);
  });
  return found;
}

/** What no file of `src/` may hold, pure or not. */
export function hazards(source: Source): string[] {
  const found: string[] = [];
  for (const { specifier } of importsOf(source)) {
    // Compression beside secrets tells their contents by length.
    if (/^(node:)?zlib$/.test(specifier)) found.push(`${source.path} imports ${specifier}`);
    if (/^(node:)?crypto$/.test(specifier) && source.path !== PRIMITIVES && !MAY_HASH.has(source.path))
      found.push(`${source.path} imports ${specifier}`);
  }
  walk(source, (node) => {
    const place = (): string => placeOf(source, node);
    if (ts.isIdentifier(node) && /^allocUnsafe/.test(node.text) && !MAY_ALLOCATE_UNSAFE.has(source.path))
      found.push(`${place()} allocates uninitialised memory`);
    if (ts.isIdentifier(node) && node.text === "timingSafeEqual" && source.path !== PRIMITIVES)
      found.push(`${place()} compares secrets outside ${PRIMITIVES}`);
    if (memberName(node) === "Math.random") found.push(`${place()} uses Math.random`);
    if (comparesSecret(node)) found.push(`${place()} compares a secret in variable time: ${node.getText(source.tree)}`);
    if (ts.isAwaitExpression(node) && isTopLevel(node))
      found.push(`${place()} awaits at the top level, which require() refuses`);
    if (ts.isEnumDeclaration(node)) found.push(`${place()} declares an enum`);
  });
  return found;
}

/** Parses a snippet and runs `check` over it; for tests of the checks themselves. */
export function checkSnippet(check: (source: Source) => string[], text: string, path = "src/path/sample.ts"): string[] {
  return check(parse(path, text));
}

function worldlyName(node: ts.Node): string | undefined {
  const member = memberName(node);
  if (member !== undefined && WORLDLY_MEMBERS.has(member)) return member;
  if (ts.isNewExpression(node) && ts.isIdentifier(node.expression) && node.expression.text === "Promise")
    return "Promise";
  if (
    ts.isNewExpression(node) &&
    ts.isIdentifier(node.expression) &&
    node.expression.text === "Date" &&
    !node.arguments?.length
  )
    return "new Date()";
  if (!ts.isIdentifier(node) || !WORLDLY.has(node.text) || isOnlyAName(node)) return undefined;
  return node.text;
}

/** `Date.now` for a node that reads this member of a global. */
function memberName(node: ts.Node): string | undefined {
  if (!ts.isPropertyAccessExpression(node) || !ts.isIdentifier(node.expression)) return undefined;
  return `${node.expression.text}.${node.name.text}`;
}

/** Whether the identifier names a member, a key or a declaration rather than the global. */
function isOnlyAName(node: ts.Identifier): boolean {
  const parent = node.parent;
  if (ts.isPropertyAccessExpression(parent)) return parent.name === node;
  if (ts.isPropertyAssignment(parent) || ts.isPropertySignature(parent) || ts.isPropertyDeclaration(parent))
    return parent.name === node;
  return (
    ts.isMethodDeclaration(parent) || ts.isMethodSignature(parent) || ts.isGetAccessor(parent) || ts.isParameter(parent)
  );
}

function comparesSecret(node: ts.Node): boolean {
  if (ts.isBinaryExpression(node) && isEquality(node.operatorToken.kind)) {
    // A comparison with undefined, a length or a literal tells nothing of the bytes.
    const { left, right } = node;
    if (!ts.isElementAccessExpression(left) || !ts.isElementAccessExpression(right)) return false;
    return isSecret(left.expression) || isSecret(right.expression);
  }
  if (!ts.isCallExpression(node)) return false;
  if (ts.isIdentifier(node.expression) && node.expression.text === "equalBytes") return node.arguments.some(isSecret);
  if (!ts.isPropertyAccessExpression(node.expression)) return false;
  const { expression: object, name } = node.expression;
  return (name.text === "equals" || name.text === "compare") && (isSecret(object) || node.arguments.some(isSecret));
}

function isEquality(kind: ts.SyntaxKind): boolean {
  return kind === ts.SyntaxKind.EqualsEqualsEqualsToken || kind === ts.SyntaxKind.ExclamationEqualsEqualsToken;
}

function isSecret(node: ts.Node): boolean {
  return SECRET.test(node.getText());
}

function isTopLevel(node: ts.Node): boolean {
  for (let above = node.parent; above !== undefined; above = above.parent) if (ts.isFunctionLike(above)) return false;
  return true;
}
