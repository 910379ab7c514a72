// Run in apps/server after `tsc -b`: makes bin/, the program as a few files with what it uses of its libraries, so that a start
// reads 140 files instead of 800 (docs/decisions/one-bundle.md). What is one folder above them stays one folder above.
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import process from "node:process";
import { build } from "esbuild";

const BIN = join(process.cwd(), "bin");

/** These read files of their own package at run time, or are compiled for one machine. `pg-native` is nobody's here: pg asks for it. */
const EXTERNAL = ["@grpc/grpc-js", "@grpc/proto-loader", "@grpc/reflection", "grpc-health-check", "libsql", "pg-native"];

/** The workers' files lie beside whoever starts them (stores/sqlite/worker-file.ts). */
const ENTRIES = { dtm: "dist/main.js", writer: "dist/stores/sqlite/writer.js", reader: "dist/stores/sqlite/reader.js" };

rmSync(BIN, { recursive: true, force: true });
const { metafile } = await build({
  entryPoints: ENTRIES,
  outdir: BIN,
  bundle: true,
  splitting: true,
  format: "esm",
  platform: "node",
  target: "node20",
  external: EXTERNAL,
  // Libraries that are CommonJS ask for node's own modules.
  banner: { js: 'import { createRequire as requireFrom } from "node:module"; const require = requireFrom(import.meta.url);' },
  legalComments: "none",
  metafile: true,
  logLevel: "warning",
});
// Not named LICENSE…: pnpm would take it for the package's own and leave that out.
writeFileSync(join(BIN, "THIRD-PARTY.txt"), licences(Object.keys(metafile.inputs)));

/** Of every library that became part of the bundle. */
function licences(inputs) {
  const packages = new Set(inputs.filter((file) => file.includes("node_modules/")).map((file) => packageOf(resolve(file))));
  const texts = [...packages].map((folder) => {
    const { name, version, license } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
    const file = readdirSync(folder).find((entry) => /^(licen[cs]e|copying)/i.test(entry));
    const text = file === undefined ? "" : readFileSync(join(folder, file), "utf8").trim();
    return `${name} ${version}, ${license}\n\n${text}\n`;
  });
  return texts.sort().join(`\n${"-".repeat(80)}\n\n`);
}

/** Some packages have nameless package.json files further in. */
function packageOf(file) {
  for (let folder = dirname(file); folder !== dirname(folder); folder = dirname(folder)) {
    const manifest = join(folder, "package.json");
    if (existsSync(manifest) && JSON.parse(readFileSync(manifest, "utf8")).version !== undefined) return folder;
  }
  throw new Error(`${file} belongs to no package`);
}
