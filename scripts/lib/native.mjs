// SQLite's compiled drivers, better-sqlite3 and sqlite3: nobody who only uses or tests this project should have to compile them.
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { CACHE, quietly } from "./workspace.mjs";

/** The last that Node 20 can run. */
const DRIVERS = ["better-sqlite3@12.11.1", "sqlite3@6.0.1"];

/**
 * A folder with both in its node_modules, for DTM_TEST_NATIVE; compiled once per version of Node's interface, which takes minutes and needs
 * a C++ compiler, Python and Node's headers. Throws `Trouble` when that can't be done here.
 */
export async function nativeDrivers() {
  const folder = join(CACHE, `native-${process.versions.modules}`);
  const done = join(folder, "done");
  if (existsSync(done)) return folder;
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, "package.json"), '{ "private": true }\n');
  await quietly("native", "npm", ["install", "--no-audit", "--no-fund", ...DRIVERS], { cwd: folder });
  writeFileSync(done, "");
  return folder;
}
