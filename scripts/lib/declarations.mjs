// The declaration files of what is published: which ones an entry point reaches, and whether one says `any`.
import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import ts from "typescript";
import { manifest, workspaces } from "./workspace.mjs";

/** The folders of what is published: packages with an `exports`. */
export function published() {
  return workspaces().filter((folder) => !manifest(folder).private && manifest(folder).exports !== undefined);
}

/** Name and declaration file of every entry point. `./internal` is for sibling packages only. */
export function entriesOf(folder, { internal }) {
  const { name, exports } = manifest(folder);
  return Object.entries(exports)
    .filter(([path, target]) => target.import !== undefined && (internal || path !== "./internal"))
    .map(([path, target]) => ({ name: name + path.slice(1), path, types: join(folder, target.import.types) }));
}

/** Every `.d.ts` that the given ones import, themselves included; other packages' aren't followed. */
export function reachable(entries) {
  const found = new Set();
  const open = [...entries];
  for (let file = open.pop(); file !== undefined; file = open.pop()) {
    if (found.has(file)) continue;
    if (!existsSync(file)) throw new Error(`expected the declarations ${file}, found no such file: build first`);
    found.add(file);
    for (const name of importsOf(file)) {
      if (name.startsWith(".")) open.push(join(dirname(file), name.replace(/\.js$/, ".d.ts")));
    }
  }
  return [...found].sort();
}

/** What a file imports or exports from, `import("…")` types included. */
export function importsOf(file) {
  const found = new Set();
  const visit = (node) => {
    if ((ts.isImportDeclaration(node) || ts.isExportDeclaration(node)) && node.moduleSpecifier !== undefined) {
      found.add(node.moduleSpecifier.text);
    }
    if (ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument)) found.add(node.argument.literal.text);
    ts.forEachChild(node, visit);
  };
  visit(parse(file));
  return [...found];
}

/** The places of a file where the type `any` stands, as `line: text`. Comments and strings don't count. */
export function anysIn(file) {
  const source = parse(file);
  const found = [];
  const visit = (node) => {
    if (node.kind === ts.SyntaxKind.AnyKeyword) {
      const { line } = source.getLineAndCharacterOfPosition(node.getStart());
      found.push(`${line + 1}: ${source.text.split("\n")[line]?.trim()}`);
    }
    ts.forEachChild(node, visit);
  };
  visit(source);
  return found;
}

function parse(file) {
  return ts.createSourceFile(file, readFileSync(file, "utf8"), ts.ScriptTarget.Latest, true);
}
