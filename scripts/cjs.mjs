// Run in a package after `tsc -b`: makes dist/cjs, the CommonJS form of dist, so that `require` works on every Node and every
// TypeScript setting. Errors and the branch context are recognised across both forms (packages/protocol/src/errors.ts).
import { cpSync, mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import process from "node:process";
import { build } from "esbuild";

const dist = join(process.cwd(), "dist");
const cjs = join(dist, "cjs");
rmSync(cjs, { recursive: true, force: true });
mkdirSync(cjs, { recursive: true });

const files = readdirSync(dist, { recursive: true, withFileTypes: true })
  .filter((entry) => entry.isFile())
  .map((entry) => join(entry.parentPath, entry.name))
  .filter((file) => !relative(dist, file).startsWith("cjs"));

await build({
  entryPoints: files.filter((file) => file.endsWith(".js")),
  outbase: dist,
  outdir: cjs,
  format: "cjs",
  platform: "node",
  target: "node20",
  sourcemap: true,
  logLevel: "warning",
});
for (const file of files.filter((name) => name.endsWith(".d.ts"))) {
  const to = join(cjs, relative(dist, file));
  mkdirSync(dirname(to), { recursive: true });
  cpSync(file, to);
}
writeFileSync(join(cjs, "package.json"), '{ "type": "commonjs" }\n');
