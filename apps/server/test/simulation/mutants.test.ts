/** R31: each rule broken on purpose is caught by some world. */
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { cutShort } from "../kit/cut-short.js";
import type { Report } from "./report.js";

const MOST_WORLDS = 30_000;
/** For one rule; a starved machine that comes to fewer worlds than this proves nothing either way, and says so. */
const BUDGET_SECONDS = Number(process.env["MUTANT_SECONDS"] ?? 45);
const ENOUGH_TO_JUDGE = 10_000;
const here = (file: string): string => JSON.stringify(pathToFileURL(join(__dirname, file)).href);

function runScript(script: string): string {
  const { status, stdout, stderr } = spawnSync(process.execPath, ["--input-type=module", "-e", script], { encoding: "utf8" });
  if (status !== 0) throw new Error(stderr);
  return stdout;
}

const names = JSON.parse(
  runScript(`import { mutants } from ${here("mutants.mjs")}; process.stdout.write(JSON.stringify(mutants.map((m) => m.name)))`),
) as string[];

describe("a rule broken on purpose is caught", () => {
  it.each(names.map((name, place) => [name, place] as const))(
    "%s",
    (name, place) => {
      const entry = runScript(
        `import { mutants } from ${here("mutants.mjs")}; import { buildSimulation } from ${here("build.mjs")};
         process.stdout.write(buildSimulation("mutant-${place}", mutants[${place}]))`,
      );
      const { stdout, stderr } = spawnSync(
        process.execPath,
        [entry, "--worlds", String(MOST_WORLDS), "--stop-at-first", "--seconds", String(BUDGET_SECONDS)],
        {
          encoding: "utf8",
        },
      );
      if (stdout === "") throw new Error(stderr);
      const report = JSON.parse(stdout) as Report;
      if (report.violations.length === 0 && report.worlds < ENOUGH_TO_JUDGE) {
        cutShort(`broken rule "${name}": not decided in ${report.worlds} worlds, which took ${BUDGET_SECONDS} s`);
        return;
      }
      expect(report.violations.length).toBeGreaterThan(0);
    },
    600_000,
  );
});
