// Strips the types of src and of the simulation into a folder of its own, so that a broken rule can be patched into a copy.
import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";

const require = createRequire(import.meta.url);
const { transformSync } = require("@swc/core");
const server = join(dirname(fileURLToPath(import.meta.url)), "..", "..");
const PARTS = [
  "src/core.ts",
  "src/engine",
  "src/scheduler",
  "src/stores/memory",
  "src/stores/store.ts",
  "src/participants/participant.ts",
  "src/engine/virtual-clock.ts",
  "test/simulation",
];

function* sources(path) {
  if (statSync(path).isDirectory()) {
    for (const name of readdirSync(path)) yield* sources(join(path, name));
  } else if (path.endsWith(".ts") && !path.endsWith(".test.ts")) yield path;
}

/** `mutant`: { file, find, replace, also? }; each `find` must stand exactly once in the source. Returns the entry to run. */
export function buildSimulation(name, mutant) {
  const target = join(server, ".cache", "simulation", name);
  let applied = mutant === undefined;
  for (const part of PARTS) {
    for (const source of sources(join(server, part))) {
      let text = readFileSync(source, "utf8");
      if (mutant !== undefined && relative(server, source) === mutant.file) {
        for (const { find, replace } of [mutant, ...(mutant.also ?? [])]) {
          if (text.split(find).length !== 2)
            throw new Error(`mutant '${name}': '${find}' must stand exactly once in ${mutant.file}`);
          text = text.replace(find, () => replace);
        }
        applied = true;
      }
      const { code } = transformSync(text, {
        filename: source,
        jsc: { parser: { syntax: "typescript" }, target: "es2022" },
        module: { type: "es6" },
      });
      const out = join(target, relative(server, source).replace(/\.ts$/, ".js"));
      mkdirSync(dirname(out), { recursive: true });
      writeFileSync(out, code);
    }
  }
  if (!applied) throw new Error(`mutant '${name}': no file ${mutant.file}`);
  writeFileSync(join(target, "package.json"), '{ "type": "module" }\n');
  return join(target, "test", "simulation", "main.js");
}
