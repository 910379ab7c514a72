// Makes a fresh clone runnable: dependencies and build, each only when something changed since the last time.
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { closeSync, existsSync, mkdirSync, openSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { step, Trouble } from "./terminal.mjs";

export const ROOT = join(dirname(fileURLToPath(import.meta.url)), "../..");
export const CACHE = join(ROOT, ".cache");
export const COORDINATOR = "apps/server/bin/dtm.js";
export const BANK = "examples/bank/dist/main.js";

const BUILT = join(CACHE, "built");
const LOWEST_NODE = 20;
const TAIL_LINES = 40;

/** `packages`: builds these and what they depend on; default: everything. */
export async function prepareWorkspace(packages = []) {
  if (Number(process.versions.node.split(".")[0]) < LOWEST_NODE) {
    throw new Trouble(`Node ${LOWEST_NODE} or newer is needed, this is ${process.versions.node}.`);
  }
  await installIfNeeded();
  await buildIfNeeded(packages);
}

async function installIfNeeded() {
  const stamp = join(ROOT, "node_modules/.dtm-installed");
  const wanted = createHash("sha256")
    .update(readFileSync(join(ROOT, "pnpm-lock.yaml")))
    .digest("hex");
  const complete = workspaces().every((folder) => existsSync(join(folder, "node_modules")) || !hasDependencies(folder));
  if (complete && read(stamp) === wanted) return;
  await step("installing dependencies (once)", () => pnpm("install", ["install", "--frozen-lockfile"]));
  writeFileSync(stamp, wanted);
}

async function buildIfNeeded(packages) {
  const built = [COORDINATOR, BANK].every((file) => existsSync(join(ROOT, file)));
  const stamp = packages.length === 0 ? BUILT : `${BUILT}-${packages.join("-").replace(/\W+/g, "-")}`;
  if (built && [BUILT, stamp].some((file) => read(file) === fingerprint())) return;
  const filters = packages.map((name) => `--filter=${name}`);
  await step("building (only what changed)", () =>
    pnpm("build", ["exec", "turbo", "run", "build", "--output-logs=new-only", ...filters]),
  );
  mkdirSync(CACHE, { recursive: true });
  // Taken after the build, which generates sources itself.
  writeFileSync(stamp, fingerprint());
}

/** Every folder with a package of this workspace. */
export function workspaces() {
  const groups = ["packages", "apps", "examples"].flatMap((group) => {
    const folder = join(ROOT, group);
    return existsSync(folder) ? readdirSync(folder).map((name) => join(folder, name)) : [];
  });
  return [...groups, join(ROOT, "bench")].filter((folder) => existsSync(join(folder, "package.json"))).sort();
}

export function manifest(folder) {
  return JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
}

function hasDependencies(folder) {
  const { dependencies = {}, devDependencies = {} } = manifest(folder);
  return Object.keys({ ...dependencies, ...devDependencies }).length > 0;
}

/** Names, sizes and times of what a build reads. Turbo compares contents; this only spares asking it. */
function fingerprint() {
  const hash = createHash("sha256");
  const inputs = ["src", "prisma", "scripts", "package.json", "tsconfig.json", "buf.gen.yaml"];
  const shared = ["proto", "scripts/bundle.mjs", "scripts/cjs.mjs", "pnpm-lock.yaml", "tsconfig.base.json", "turbo.json"];
  const paths = workspaces().flatMap((folder) => inputs.map((input) => join(folder, input)));
  for (const path of [...paths, ...shared.map((input) => join(ROOT, input))]) {
    for (const file of filesUnder(path)) {
      const { size, mtimeMs } = statSync(file);
      hash.update(`${relative(ROOT, file)} ${size} ${mtimeMs}\n`);
    }
  }
  return hash.digest("hex");
}

function filesUnder(path) {
  if (!existsSync(path)) return [];
  if (statSync(path).isFile()) return [path];
  return readdirSync(path, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && !entry.name.endsWith(".test.ts"))
    .map((entry) => join(entry.parentPath, entry.name))
    .sort();
}

/** The pinned pnpm through npm's own npx, so that Node and npm are all one needs. */
export function pnpm(name, args) {
  const { packageManager } = manifest(ROOT);
  return quietly(name, "npx", ["-y", packageManager, ...args]);
}

/** Runs a command without a word; when it fails, its last lines say why. */
export async function quietly(name, command, args, options = {}) {
  const logs = join(CACHE, "logs");
  mkdirSync(logs, { recursive: true });
  const log = join(logs, `${name}.log`);
  const output = openSync(log, "w");
  const code = await new Promise((resolve, reject) => {
    const child = spawn(command, args, {
      cwd: options.cwd ?? ROOT,
      env: { ...process.env, TURBO_TELEMETRY_DISABLED: "1", DO_NOT_TRACK: "1", ...options.env },
      stdio: ["ignore", output, output],
      shell: process.platform === "win32",
    });
    child.once("error", reject);
    child.once("close", (exit, signal) => resolve(exit ?? signal));
  });
  closeSync(output);
  if (code !== 0) {
    throw new Trouble(`${name} failed (${code}); the whole log is ${relative(process.cwd(), log)}`, tail(log));
  }
  return log;
}

export function tail(log, lines = TAIL_LINES) {
  return (read(log) ?? "").trimEnd().split("\n").slice(-lines).join("\n");
}

function read(file) {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return null;
  }
}
