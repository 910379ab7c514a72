// What each package promises: etc/<package>.api.md, made from its built declarations. A change of it is a change for its users.
//   node scripts/api.mjs            fails when a report differs
//   node scripts/api.mjs --write    writes them
import process from "node:process";
import { parseArgs } from "node:util";
import { published } from "./lib/declarations.mjs";
import { checkReports, writeReports } from "./lib/reports.mjs";
import { giveUp, step } from "./lib/terminal.mjs";

try {
  const { values } = parseArgs({ options: { write: { type: "boolean" } } });
  const folders = published();
  if (values.write) await step("writing API reports", async () => writeReports(folders));
  else await step("comparing API reports", async () => checkReports(folders));
} catch (cause) {
  giveUp(cause);
}
process.exitCode ??= 0;
