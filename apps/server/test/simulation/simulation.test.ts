/**
 * R31: random worlds keep every promise, and meet enough of each fault to mean something. `SIM_WORLDS` sets how many
 * (100,000 in CI, 10,000 elsewhere); a failing seed is run alone by `main.js --first <seed> --worlds 1`.
 */
import { spawn } from "node:child_process";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { cutShort } from "../kit/cut-short.js";
import { emptyReport, FAULTS, merge, type Report } from "./report.js";

const WORLDS = Number(process.env["SIM_WORLDS"] ?? (process.env["CI"] ? 100_000 : 10_000));
const PROCESSES = 2;
/** A starved machine stops here and says how far it came: the counts below are then judged by the worlds that ran. */
const BUDGET_SECONDS = Number(process.env["SIM_SECONDS"] ?? 600);
/** Of 100,000 worlds none under 2,000. */
const enough = (report: Report): number => Math.floor(report.worlds * 0.02);
const ENDS = ["saga", "tcc", "xa", "msg", "workflow"].flatMap((type) => [`${type} succeed`, `${type} failed`]);

function runWorlds(entry: string, first: number, worlds: number): Promise<Report> {
  return new Promise((resolve, reject) => {
    const child = spawn(
      process.execPath,
      [entry, "--first", String(first), "--worlds", String(worlds), "--seconds", String(BUDGET_SECONDS)],
      {
        stdio: ["ignore", "pipe", "ignore"],
      },
    );
    let printed = "";
    child.stdout.on("data", (chunk) => {
      printed += String(chunk);
    });
    child.on("error", reject);
    child.on("close", (code) =>
      code === 0 ? resolve(JSON.parse(printed) as Report) : reject(new Error(`the simulation ended with code ${code}`)),
    );
  });
}

describe(`simulation of ${WORLDS} worlds`, () => {
  const report = emptyReport();

  beforeAll(
    async () => {
      const { execFileSync } = await import("node:child_process");
      const builder = pathToFileURL(join(__dirname, "build.mjs")).href;
      const script = `import(${JSON.stringify(builder)}).then((m) => process.stdout.write(m.buildSimulation("plain")))`;
      const entry = execFileSync(process.execPath, ["-e", script], { encoding: "utf8" });
      const share = Math.ceil(WORLDS / PROCESSES);
      const reports = await Promise.all(Array.from({ length: PROCESSES }, (_, i) => runWorlds(entry, 1 + i * share, share)));
      for (const part of reports) merge(report, part);
      const cut = report.worlds < WORLDS ? ` of ${WORLDS}: stopped by its budget of ${BUDGET_SECONDS} s` : "";
      if (cut !== "") cutShort(`simulation: ${report.worlds} worlds${cut}`);
      process.stderr.write(`simulation: ${report.worlds} worlds${cut}\n${table(report.faults)}${table(report.ends)}`);
    },
    (BUDGET_SECONDS + 600) * 1000,
  );

  it("breaks no promise", () => {
    expect(report.worlds).toBeGreaterThan(0);
    expect(report.violations.slice(0, 10)).toEqual([]);
  });

  it.each(FAULTS)("met enough of: %s", (fault) => {
    expect(report.faults[fault] ?? 0).toBeGreaterThanOrEqual(enough(report));
  });

  it.each(ENDS)("saw enough of: %s", (end) => {
    expect(report.ends[end] ?? 0).toBeGreaterThanOrEqual(enough(report));
  });
});

function table(counts: Record<string, number>): string {
  return Object.entries(counts)
    .sort()
    .map(([name, count]) => `  ${name.padEnd(32)}${String(count).padStart(9)}\n`)
    .join("");
}
