import { existsSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

/**
 * Where a worker's compiled file is: beside this module's own, also in a bundle. Node can't run TypeScript, so when this module itself
 * runs from `src` (tests), the worker is the one of the last build, which must not be older than the sources that it was made of.
 */
export function workerFile(name: "writer" | "reader"): string {
  const here = fileURLToPath(import.meta.url);
  const compiled = join(dirname(here), `${name}.js`);
  if (here.endsWith(".js")) return compiled;
  const built = compiled.replace(/([\\/])src([\\/]stores[\\/]sqlite[\\/])/, "$1dist$2");
  const source = compiled.replace(/\.js$/, ".ts");
  if (!existsSync(built) || statSync(built).mtimeMs < statSync(source).mtimeMs) {
    throw new Error(`${built} is missing or older than ${source}: run the build before the tests`);
  }
  return built;
}
