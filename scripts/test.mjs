// `npm test`: everything that proves this project on this machine (R33). The last line is `N passed, N failed`.
// With CI=true what can't run here counts as a failure; elsewhere it is named ("not run: …").
import { appendFileSync, existsSync, mkdirSync, readFileSync, rmSync } from "node:fs";
import { join, relative } from "node:path";
import process from "node:process";
import { parseArgs } from "node:util";
import { nativeDrivers } from "./lib/native.mjs";
import { runJest, runNodeTests } from "./lib/runners.mjs";
import { startServices } from "./lib/services.mjs";
import { bold, dim, duration, giveUp, red, say, step, Trouble, yellow } from "./lib/terminal.mjs";
import { refusals, SETS, startSet, unpackReleases } from "./lib/versions.mjs";
import { CACHE, manifest, prepareWorkspace, quietly, ROOT, workspaces } from "./lib/workspace.mjs";

const HELP = `npm test                       everything
npm test -- --only unit,e2e    some of: checks, unit, sdk, packages (as npm packs them), bench, e2e, simulation
npm run soak                   the long form: simulation and e2e with more of everything, and days of retention in minutes
npm run soak -- --only e2e     some of: simulation, e2e, sdk, native (SQLite's compiled drivers), retention, versions (of the servers; needs root)`;

/** Suites add a line to this file when a server or tool that they need is missing. */
const NOT_RUN = join(CACHE, "test/not-run.txt");
/** Suites add a line to this one for what no package registry offers here: told, and no failure in continuous integration either. */
const UNAVAILABLE = join(CACHE, "test/unavailable.txt");
/** Suites add a line to this one when a budget ended them early on a slow machine. */
const CUT_SHORT = join(CACHE, "test/cut-short.txt");
/** On a machine so slow that the run would pass this, what has a budget gets less of it. Continuous integration ends a run after 90. */
const MINUTES = 60;
/** Of these minutes: what the SDKs' suites can leave out is left out from then on, and none of them begins. */
const SDK_SHARE = 0.6;
/** Of these minutes: from when on the checks of the packed packages are left out. */
const PACKAGES_SHARE = 0.75;
/** Of these minutes: from when on the long end-to-end tests leave out what they can. The simulation needs a part of the time as well. */
const E2E_SHARE = 0.7;
const SOAK = {
  SIM_WORLDS: "1000000",
  SIM_SECONDS: "14400",
  CRASH_KILLS: "25",
  CRASH_SECONDS: "14400",
  TAKEOVER_TRANSACTIONS: "500",
  NODES_SECONDS: "14400",
  DATABASE_KILLS: "10",
  DATABASE_SECONDS: "14400",
  LONG_FORM: "1",
};

/** The SDKs' suites, the broadest last: a late run leaves out what is left. */
const SDK = {
  clients: "/packages/client(-core|-http|-grpc)?/",
  frameworks: "/packages/barrier/(src|test/(frameworks|kit|wire|xa))/",
  examples: "/examples/(?!bank/)[^/]+/",
  drivers: "/packages/barrier/test/(matrix/|readme)",
  testing: "/packages/testing/",
};

/**
 * Tests of the barrier that run on SQLite's compiled drivers. A process each: such a driver is loaded into a process once, and its errors are
 * of the first of the realms that jest makes, one a file, so that those of the next file aren't errors to it.
 */
const NATIVE = ["libsql", "drizzle", "knex", "kysely", "typeorm", "sequelize"];

const PHASES = {
  checks,
  unit: async () =>
    runJest("unit", [...without("/test/(simulation|e2e|soak)/", ...Object.values(SDK)), "--maxWorkers=100%"], {
      ...env(),
      ...(await services()),
    }),
  sdk,
  packages: async () => {
    const late = (what) => leaveOut(PACKAGES_SHARE, `${what} (node scripts/pack.mjs)`);
    if (late("the packages as npm packs them")) return nothing();
    // Not before the dependencies are installed.
    const { checkPackages } = await import("./lib/packages.mjs");
    return checkPackages({ notRunFile: UNAVAILABLE, late });
  },
  bench: () => runNodeTests("bench", join(ROOT, "bench/lib")),
  e2e: async () =>
    runJest("e2e", ["--testPathPatterns", "/test/e2e/", "--runInBand"], {
      ...lateness(E2E_SHARE),
      ...env(),
      ...(await services()),
    }),
  simulation: async () => {
    // It needs every core.
    await stopServices();
    return runJest("simulation", ["--testPathPatterns", "/test/simulation/", "--runInBand"], { ...simulationBudget(), ...env() });
  },
};

/** What only the long form has time for. */
const LONG_PHASES = {
  simulation: PHASES.simulation,
  e2e: PHASES.e2e,
  sdk,
  native: async () => {
    const folder = await step("compiling better-sqlite3 and sqlite3 (once)", nativeDrivers);
    const total = nothing();
    for (const file of NATIVE) {
      const tests = ["--testPathPatterns", `/packages/barrier/test/matrix/${file}\\.`, "--testNamePattern", "sqlite"];
      add(total, await runJest(`native-${file}`, [...tests, "--runInBand"], { ...env(), DTM_TEST_NATIVE: folder }));
    }
    return total;
  },
  versions,
  retention: async () =>
    runJest("retention", ["--testPathPatterns", "/test/soak/retention", "--runInBand"], { ...env(), ...(await services()) }),
};

const begun = performance.now();
let soak = false;
let databases = null;
try {
  const { values } = parseArgs({
    options: { only: { type: "string" }, soak: { type: "boolean" }, help: { type: "boolean", short: "h" } },
  });
  if (values.help) say(HELP);
  else {
    soak = values.soak === true;
    const phases = soak ? LONG_PHASES : PHASES;
    await run(phases, values.only?.split(",") ?? Object.keys(phases));
  }
} catch (cause) {
  giveUp(cause);
}

function without(...patterns) {
  return ["--testPathIgnorePatterns", "/node_modules/", ...patterns];
}

async function sdk() {
  const total = nothing();
  for (const [name, pattern] of Object.entries(SDK)) {
    if (leaveOut(SDK_SHARE, `SDK suites "${name}" (npm test -- --only sdk)`)) continue;
    const end = await runJest(`sdk-${name}`, ["--testPathPatterns", pattern, "--maxWorkers=100%"], {
      ...lateness(SDK_SHARE),
      ...env(),
      ...(await services()),
    });
    add(total, end);
  }
  return total;
}

/** The stores and the barrier on the oldest and the newest servers, and the start on those that are too old. */
async function versions() {
  await unpackReleases(step);
  const { wrong, tried } = await step("starting on servers that are too old", refusals);
  const total = { passed: tried - wrong.length, failed: wrong.length, skipped: 0, failures: wrong };
  for (const set of SETS) {
    await stopServices();
    const { env: own, stop } = await step(`starting the ${set.name} servers`, () => startSet(set));
    const before = { ...process.env };
    // One that was given stands in front of another server.
    delete process.env["DTM_TEST_PGBOUNCER"];
    Object.assign(process.env, own);
    try {
      const kinds = Object.keys(set.servers).join("|");
      const tests = ["--testPathPatterns", `/apps/server/src/stores/(${kinds})/`, "/packages/barrier/test/matrix/"];
      const suite = `versions-${set.name.replace(" ", "-")}`;
      add(total, await runJest(suite, [...tests, "--maxWorkers=100%"], { ...env(), ...(await services()) }));
    } finally {
      await stopServices();
      for (const name of Object.keys(own)) if (before[name] === undefined) delete process.env[name];
      Object.assign(process.env, before);
      await stop();
    }
  }
  return total;
}

function nothing() {
  return { passed: 0, failed: 0, skipped: 0, failures: [] };
}

function add(total, end) {
  for (const word of ["passed", "failed", "skipped"]) total[word] += end[word];
  total.failures.push(...end.failures);
}

/** True, and told, when more than `share` of the minutes are over. */
function leaveOut(share, what) {
  if (soak || performance.now() - begun <= MINUTES * share * 60_000) return false;
  appendFileSync(CUT_SHORT, `${what}: the run was late\n`);
  return true;
}

function env() {
  return { NOT_RUN_FILE: NOT_RUN, UNAVAILABLE_FILE: UNAVAILABLE, CUT_SHORT_FILE: CUT_SHORT, ...(soak ? SOAK : {}) };
}

function lateness(share) {
  return soak ? {} : { TEST_UNTIL: String(Math.floor(Date.now() - performance.now() + begun + MINUTES * share * 60_000)) };
}

/** Seconds for the simulation and for each broken rule: their own defaults where there is time. What the caller's environment says wins. */
function simulationBudget() {
  const left = MINUTES * 60 - (performance.now() - begun) / 1000;
  const seconds = (name, share, least, most) =>
    process.env[name] ?? String(Math.floor(Math.min(most, Math.max(least, left * share))));
  return { SIM_SECONDS: seconds("SIM_SECONDS", 0.5, 120, 600), MUTANT_SECONDS: seconds("MUTANT_SECONDS", 0.02, 15, 45) };
}

async function run(phases, names) {
  for (const name of names) if (phases[name] === undefined) throw new Trouble(`there is no "${name}".`, HELP);
  await prepareWorkspace();
  mkdirSync(join(CACHE, "test"), { recursive: true });
  for (const file of [NOT_RUN, UNAVAILABLE, CUT_SHORT]) rmSync(file, { force: true });
  const results = [];
  try {
    for (const name of names) {
      const start = performance.now();
      say(`\n${bold(name)}`);
      results.push({ name, ...(await phases[name]()), ms: performance.now() - start });
    }
  } finally {
    await stopServices();
  }
  report(results, performance.now() - begun);
}

/** The variables that name the database servers, which the first phase that needs them starts. */
async function services() {
  if (databases === null) {
    databases = await step("starting database servers", () => startServices());
    for (const line of databases.missing) say(`${yellow("missing:")} ${line}`);
  }
  return databases.env;
}

async function stopServices() {
  await databases?.stop();
  databases = null;
}

/** What needs no test runner: format and lint, types of sources and tests, generated code. Each counts as one test. */
async function checks() {
  const failures = [];
  let passed = 0;
  const check = async (label, work) => {
    try {
      await step(label, work);
      passed++;
    } catch (cause) {
      if (!(cause instanceof Trouble)) throw cause;
      say(cause.details);
      failures.push(`${label}: ${cause.message}`);
    }
  };
  const node = (name, script, args, cwd) => quietly(name, process.execPath, [join(ROOT, script), ...args], { cwd });
  await check("format and lint", () =>
    node("biome", "node_modules/@biomejs/biome/bin/biome", ["check", "--error-on-warnings", "."], ROOT),
  );
  for (const folder of workspaces()) {
    const { name, scripts = {} } = manifest(folder);
    const log = name.replace(/\W+/g, "-");
    if (existsSync(join(folder, "tsconfig.test.json"))) {
      await check(`types of ${name}`, () =>
        node(`types${log}`, "node_modules/typescript/bin/tsc", ["-p", "tsconfig.test.json"], folder),
      );
    }
    if (scripts["generate:check"] !== undefined) {
      await check(`generated code of ${name}`, () =>
        quietly(`generated${log}`, "npm", ["run", "--silent", "generate:check"], { cwd: folder }),
      );
    }
  }
  return { passed, failed: failures.length, skipped: 0, failures };
}

function linesOf(file) {
  return existsSync(file) ? [...new Set(readFileSync(file, "utf8").trim().split("\n"))] : [];
}

function report(results, ms) {
  const missing = linesOf(NOT_RUN);
  const inCi = process.env.CI === "true";
  const total = { passed: 0, failed: inCi ? missing.length : 0, skipped: 0 };
  say();
  for (const { name, passed, failed, skipped, ms: took } of results) {
    const rest = `${failed > 0 ? red(`, ${failed} failed`) : ""}${skipped > 0 ? `, ${skipped} skipped` : ""}`;
    say(`  ${name.padEnd(12)} ${String(passed).padStart(5)} passed${rest}  ${dim(duration(took))}`);
    total.passed += passed;
    total.failed += failed;
    total.skipped += skipped;
  }
  say(dim(`  in ${duration(ms)}; logs in ${relative(process.cwd(), join(CACHE, "logs"))}`));
  for (const failure of results.flatMap(({ failures }) => failures)) say(`${red("failed:")} ${failure}`);
  for (const line of [...missing, ...linesOf(UNAVAILABLE)]) say(`${yellow("not run:")} ${line}`);
  for (const line of linesOf(CUT_SHORT)) say(`${yellow("cut short:")} ${line}`);
  say(`${total.passed} passed, ${total.failed} failed${total.skipped > 0 ? `, ${total.skipped} skipped` : ""}`);
  process.exitCode = total.failed > 0 || total.passed === 0 ? 1 : 0;
}
