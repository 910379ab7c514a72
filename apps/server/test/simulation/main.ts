/** `main.js --first <seed> --worlds <n> [--stop-at-first] [--seconds <budget>]`: runs worlds and prints one JSON report as its last line. */
import { parseArgs } from "node:util";
import { emptyReport } from "./report.js";
import { World } from "./world.js";

const { values } = parseArgs({
  options: {
    first: { type: "string", default: "1" },
    worlds: { type: "string", default: "1000" },
    "stop-at-first": { type: "boolean", default: false },
    seconds: { type: "string", default: "0" },
  },
});
const report = emptyReport();
const first = Number(values.first);
const count = Number(values.worlds);
/** Since the process began; 0 = none. */
const budgetMs = Number(values.seconds) * 1000;
for (let seed = first; seed < first + count; seed++) {
  await new World(seed, report).run();
  if (report.violations.length > 0 && values["stop-at-first"]) break;
  if (budgetMs > 0 && performance.now() > budgetMs) break;
  if (report.worlds % 1_000 === 0) process.stderr.write(`${report.worlds}\n`);
}
process.stdout.write(`${JSON.stringify(report)}\n`);
