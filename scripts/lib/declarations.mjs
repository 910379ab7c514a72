// The declaration files of a package: which ones an entry point reaches, and whether one says `any`.
import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import ts from "typescript";

/** Every `.d.ts` that the given ones import, themselves included; other packages' aren't followed. */
export function reachable(entries) {
  const found = new Set();
  const open = [...entries];
  for (let file = open.pop(); file !== undefined; file = open.pop()) {
    if (found.has(file)) continue;
    if (!existsSync(file)) throw new Error(`expected the declarations ${file}, found no such file: build first`);
    found.add(file);
    const { importedFiles } = ts.preProcessFile(readFileSync(file, "utf8"), true, false);
    for (const { fileName } of importedFiles) {
      if (fileName.startsWith(".")) open.push(join(dirname(file), fileName.replace(/\.js$/, ".d.ts")));
    }
  }
  return [...found].sort();
}

/** The places of a file where the type `any` stands, as `line: text`. Comments and strings don't count. */
export function anysIn(file) {
  const source = ts.createSourceFile(file, readFileSync(file, "utf8"), ts.ScriptTarget.Latest, true);
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
