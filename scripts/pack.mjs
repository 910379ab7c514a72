// The packages as a user gets them: packed, judged, installed in a fresh project and used there. Build first.
import { existsSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { parseArgs } from "node:util";
import { checkPackages } from "./lib/packages.mjs";
import { giveUp, red, say, yellow } from "./lib/terminal.mjs";
import { CACHE } from "./lib/workspace.mjs";

const HELP = `node scripts/pack.mjs                   every check
node scripts/pack.mjs --only publint    the checks with this in their label`;

try {
  const { values } = parseArgs({ options: { only: { type: "string" }, help: { type: "boolean", short: "h" } } });
  if (values.help) say(HELP);
  else await main(values.only ?? "");
} catch (cause) {
  giveUp(cause);
}

async function main(only) {
  const notRunFile = join(CACHE, "test/packages-not-run.txt");
  rmSync(notRunFile, { force: true });
  const { passed, failed, failures } = await checkPackages({ notRunFile, only });
  const missing = existsSync(notRunFile) ? readFileSync(notRunFile, "utf8").trim().split("\n") : [];
  for (const failure of failures) say(`${red("failed:")} ${failure}`);
  for (const line of missing) say(`${yellow("not run:")} ${line}`);
  say(`${passed} passed, ${failed} failed`);
  process.exitCode = failed > 0 || passed === 0 ? 1 : 0;
}
