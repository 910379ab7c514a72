// Run in a package after `tsc -b`: makes dist/cjs, the CommonJS form of dist, so that `require` works on every Node and every
// TypeScript setting. Errors and the branch context are recognised across both forms (packages/protocol/src/errors.ts).
//   node ../../scripts/cjs.mjs                      every file of dist
//   node ../../scripts/cjs.mjs --bundle embedded    one entry point with what it reaches, for a package whose rest is ESM only
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import process from "node:process";
import { parseArgs } from "node:util";
import { build } from "esbuild";
import { reachable } from "./lib/declarations.mjs";

const { values } = parseArgs({ options: { bundle: { type: "string" } } });
const dist = join(process.cwd(), "dist");
const cjs = join(dist, "cjs");
rmSync(cjs, { recursive: true, force: true });
mkdirSync(cjs, { recursive: true });

const { entryPoints, declarations, shape } = values.bundle === undefined ? everyFile() : oneEntry(values.bundle);
await build({
  entryPoints,
  ...shape,
  outbase: dist,
  outdir: cjs,
  format: "cjs",
  platform: "node",
  target: "node20",
  sourcemap: true,
  logLevel: "warning",
  // It would be undefined in CommonJS.
  logOverride: { "empty-import-meta": "error" },
});
for (const file of declarations) {
  const to = join(cjs, relative(dist, file));
  mkdirSync(dirname(to), { recursive: true });
  // Their maps stay with the originals.
  writeFileSync(to, readFileSync(file, "utf8").replace(/^\/\/# sourceMappingURL=.*\n?/m, ""));
}
writeFileSync(join(cjs, "package.json"), '{ "type": "commonjs" }\n');

function everyFile() {
  const files = readdirSync(dist, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .filter((file) => !relative(dist, file).startsWith("cjs"));
  return {
    entryPoints: files.filter((file) => file.endsWith(".js")),
    declarations: files.filter((file) => file.endsWith(".d.ts")),
    shape: {},
  };
}

function oneEntry(name) {
  return {
    entryPoints: [join(dist, `${name}.js`)],
    declarations: reachable([join(dist, `${name}.d.ts`)]),
    shape: { bundle: true, packages: "external" },
  };
}
