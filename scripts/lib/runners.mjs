// Runs test runners with their progress on the screen, and counts what they report.
import { spawn } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { join, relative } from "node:path";
import process from "node:process";
import { CACHE, ROOT } from "./workspace.mjs";

/** A busy machine is no failing test; whoever really hangs is ended by this. */
const TEST_TIMEOUT_MS = 60_000;

export async function runJest(name, args, env) {
  const output = join(CACHE, `test/${name}.json`);
  mkdirSync(join(CACHE, "test"), { recursive: true });
  rmSync(output, { force: true });
  const jest = join(ROOT, "node_modules/jest/bin/jest.js");
  const code = await show(
    [jest, ...args, "--passWithNoTests", `--testTimeout=${TEST_TIMEOUT_MS}`, "--json", `--outputFile=${output}`],
    { ...env, FORCE_COLOR: process.stdout.isTTY ? "1" : "0" },
    // The report goes to the file; with --json jest prints it as well, and only stderr is for people.
    ["ignore", "ignore", "inherit"],
  );
  if (!existsSync(output)) return broken(`${name}: jest ended with ${code} and left no report`);
  const report = JSON.parse(readFileSync(output, "utf8"));
  const failures = report.testResults.flatMap((file) => failuresOf(file));
  const failed = report.numFailedTests + report.numRuntimeErrorTestSuites;
  if (code !== 0 && failed === 0) return { ...broken(`${name}: jest ended with ${code}`), passed: report.numPassedTests };
  return { passed: report.numPassedTests, failed, skipped: report.numPendingTests + report.numTodoTests, failures };
}

function failuresOf(file) {
  const where = relative(ROOT, file.name);
  const tests = file.assertionResults.filter(({ status }) => status === "failed").map(({ fullName }) => `${where}: ${fullName}`);
  return tests.length === 0 && file.status === "failed" ? [`${where}: the file could not run`] : tests;
}

/** The tests of plain Node scripts: `*.test.mjs` under `folder`. */
export async function runNodeTests(name, folder) {
  const files = existsSync(folder)
    ? readdirSync(folder)
        .filter((file) => file.endsWith(".test.mjs"))
        .map((file) => join(folder, file))
    : [];
  if (files.length === 0) return { passed: 0, failed: 0, skipped: 0, failures: [] };
  const output = join(CACHE, `test/${name}.tap`);
  const reporters = [
    "--test-reporter=spec",
    "--test-reporter-destination=stdout",
    "--test-reporter=tap",
    `--test-reporter-destination=${output}`,
  ];
  const code = await show(["--test", ...reporters, ...files], {}, ["ignore", "inherit", "inherit"]);
  const tap = existsSync(output) ? readFileSync(output, "utf8") : "";
  const count = (word) => Number(new RegExp(`^# ${word} (\\d+)$`, "m").exec(tap)?.[1] ?? 0);
  const failed = count("fail") + count("cancelled");
  if (code !== 0 && failed === 0) return broken(`${name}: node --test ended with ${code}`);
  const failures = [...tap.matchAll(/^\s*not ok \d+ - (.*)$/gm)].map(([, test]) => `${name}: ${test}`);
  return { passed: count("pass"), failed, skipped: count("skipped") + count("todo"), failures };
}

function broken(failure) {
  return { passed: 0, failed: 1, skipped: 0, failures: [failure] };
}

function show(args, env, stdio) {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, args, { cwd: ROOT, env: { ...process.env, ...env }, stdio });
    child.once("error", reject);
    child.once("close", (code, signal) => resolve(code ?? signal));
  });
}
