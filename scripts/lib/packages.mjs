// What a user gets: the packages as npm packs them, judged by publint and attw, then installed in a fresh project and used from ES modules and
// CommonJS, on several versions of Node and with several settings of TypeScript. Nothing is built here.
import { appendFileSync, copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join, relative } from "node:path";
import process from "node:process";
import { publint } from "publint";
import { formatMessage } from "publint/utils";
import { anysIn, entriesOf, importsOf, published, reachable } from "./declarations.mjs";
import { checkReports } from "./reports.mjs";
import { say, step, Trouble } from "./terminal.mjs";
import { CACHE, manifest, pnpm, quietly, ROOT } from "./workspace.mjs";

const PACKED = join(CACHE, "packages");
const FRESH = join(PACKED, "fresh");
const PROGRAMS = join(ROOT, "scripts/fresh");
/** Of an application that uses the entry points for its framework and its ORM, which load these. */
const PEERS = ["@nestjs/common", "reflect-metadata", "rxjs", "drizzle-orm"];
/** Besides the Node that runs this. */
const OTHER_NODES = ["22", "24"];
const TYPES = {
  "as an ES module and as CommonJS": ["--module", "nodenext", "types.mts", "types.cts"],
  "with resolution node10": ["--module", "commonjs", "--moduleResolution", "node10", "types.ts"],
};

/**
 * Every check counts as one test. What can't run here adds a line to `notRunFile`.
 * `only`: a part of a check's label. `late(what)`: asked before what is left out of a run that is late.
 */
export async function checkPackages({ notRunFile = join(CACHE, "test/not-run.txt"), only = "", late = () => false } = {}) {
  const failures = [];
  let passed = 0;
  /** What `work` made, or null when it failed: the checks that need it are left out then. */
  const attempt = async (label, work) => {
    try {
      return await step(label, work);
    } catch (cause) {
      const told = cause instanceof Trouble ? cause.details : cause.stack;
      if (told !== "") say(told);
      failures.push(`${label}: ${cause.message}`);
      return null;
    }
  };
  const check = async (label, work) => {
    if (!label.includes(only)) return;
    const failed = failures.length;
    await attempt(label, work);
    if (failures.length === failed) passed++;
  };
  const end = () => ({ passed, failed: failures.length, skipped: 0, failures });
  const folders = published();
  for (const folder of folders) {
    const { name } = manifest(folder);
    await check(`${name}: no any in a declaration`, async () => noAny(folder));
    await check(`${name}: imports are dependencies`, async () => noPhantoms(folder));
  }
  await check("API reports", async () => checkReports(folders));

  if (late("publint and attw")) return end();
  const tarballs = await attempt("packing", () => pack(folders));
  if (tarballs === null) return end();
  for (const [name, tarball] of Object.entries(tarballs)) {
    await check(`${name}: publint`, () => lint(tarball));
    await check(`${name}: are the types wrong`, () =>
      quietly(`attw${flat(name)}`, process.execPath, [tool("@arethetypeswrong/cli", "dist/index.js"), tarball, "--no-emoji"]),
    );
  }

  if (late("the packages in a fresh project")) return end();
  const entries = folders.flatMap((folder) => entriesOf(folder, { internal: true })).map(({ name }) => name);
  const installed = await attempt("installing the tarballs in a fresh project", () => install(tarballs, entries));
  if (installed === null) return end();
  for (const name of Object.keys(tarballs)) await check(`${name}: papers`, async () => papers(name));
  await check("the dtm command makes its tables", () =>
    quietly("fresh-dtm", process.execPath, [join(FRESH, "node_modules/@dtm/server/bin/dtm.js"), "migrate"], {
      cwd: FRESH,
      env: { DATA_DIR: join(FRESH, "data"), STORE_DRIVER: "sqlite" },
    }),
  );
  for (const [how, args] of Object.entries(TYPES)) {
    await check(`types ${how}`, () =>
      quietly(
        `types-fresh${flat(how)}`,
        process.execPath,
        [
          join(FRESH, "node_modules/typescript/bin/tsc"),
          ...[
            "--noEmit",
            "--strict",
            "--exactOptionalPropertyTypes",
            "--esModuleInterop",
            "--skipLibCheck",
            "--target",
            "es2022",
          ],
          ...args,
        ],
        { cwd: FRESH },
      ),
    );
  }
  for (const version of [null, ...OTHER_NODES]) {
    const label = `Node ${version ?? process.versions.node}`;
    if (version !== null && late(`the packages on ${label}`)) continue;
    const [command, ...before] = version === null ? [process.execPath] : ["npx", "-y", "-p", `node@${version}`, "node"];
    if (version !== null && label.includes(only) && !(await runs(version, command, before))) {
      notRun(notRunFile, `the packages on Node ${version}: npm can't install it here`);
      continue;
    }
    const env = version === null ? {} : { EXPECT_NODE: version };
    for (const program of ["esm.mjs", "cjs.cjs"]) {
      await check(`${program} on ${label}`, async () => {
        const log = await quietly(`fresh-${program}-${version ?? "own"}`, command, [...before, program], { cwd: FRESH, env });
        // A program that ends early for want of work would end with 0.
        if (!/two sagas on Node/.test(readFileSync(log, "utf8"))) throw new Trouble("it ended before its last line");
      });
    }
  }
  return end();
}

function noAny(folder) {
  const files = reachable(entriesOf(folder, { internal: true }).map(({ types }) => types));
  const found = files.flatMap((file) => anysIn(file).map((place) => `${relative(ROOT, file)}:${place}`));
  if (found.length > 0) throw new Trouble(`${found.length} times any`, found.join("\n"));
}

/** What works here by chance, because of a sibling's or a test's dependency, is missing where only this package is installed. */
function noPhantoms(folder) {
  const { name, dependencies = {}, peerDependencies = {} } = manifest(folder);
  const known = new Set([name, ...Object.keys(dependencies), ...Object.keys(peerDependencies)]);
  const dist = join(folder, "dist");
  const files = readdirSync(dist, { recursive: true })
    .map((file) => join(dist, file))
    .filter((file) => /(?<!\.d)\.js$|\.d\.ts$/.test(file) && !file.startsWith(join(dist, "cjs")));
  const wrong = files.flatMap((file) =>
    importsOf(file)
      .filter((from) => !/^(node:|\.)/.test(from) && !known.has(packageOf(from)))
      .map((from) => `${relative(ROOT, file)}: ${from}`),
  );
  if (wrong.length > 0) throw new Trouble("imports of packages that aren't its dependencies", wrong.join("\n"));
}

function packageOf(specifier) {
  return specifier
    .split("/")
    .slice(0, specifier.startsWith("@") ? 2 : 1)
    .join("/");
}

/** Name of each package to its tarball; pnpm puts versions in the place of `workspace:`. */
async function pack(folders) {
  rmSync(PACKED, { recursive: true, force: true });
  mkdirSync(PACKED, { recursive: true });
  const filters = folders.flatMap((folder) => ["--filter", manifest(folder).name]);
  await pnpm("pack", ["-r", ...filters, "pack", "--pack-destination", PACKED]);
  return Object.fromEntries(
    folders.map((folder) => {
      const { name, version } = manifest(folder);
      const tarball = join(PACKED, `${name.replace("@", "").replace("/", "-")}-${version}.tgz`);
      if (!existsSync(tarball)) throw new Trouble(`pnpm packed no ${relative(ROOT, tarball)}`);
      return [name, tarball];
    }),
  );
}

async function lint(tarball) {
  const bytes = readFileSync(tarball);
  const { messages, pkg } = await publint({
    pack: { tarball: bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength) },
    strict: true,
  });
  const found = messages.map((message) => `${message.type}: ${formatMessage(message, pkg) ?? message.code}`);
  if (found.length > 0) throw new Trouble(`${found.length} findings`, found.join("\n"));
}

async function install(tarballs, entries) {
  rmSync(FRESH, { recursive: true, force: true });
  mkdirSync(FRESH, { recursive: true });
  const { devDependencies } = manifest(ROOT);
  const test = manifest(join(ROOT, "packages/testing")).devDependencies;
  const barrier = manifest(join(ROOT, "packages/barrier")).devDependencies;
  const files = Object.fromEntries(Object.entries(tarballs).map(([name, tarball]) => [name, `file:${tarball}`]));
  const dependencies = {
    ...files,
    ...Object.fromEntries(PEERS.map((name) => [name, barrier[name]])),
    express: test.express,
    "@types/express": test["@types/express"],
    libsql: test.libsql,
    typescript: devDependencies.typescript,
    "@types/node": devDependencies["@types/node"],
  };
  write("package.json", { name: "fresh", private: true, dependencies });
  write("entries.json", [...entries].sort());
  for (const file of ["scenario.cjs", "esm.mjs", "cjs.cjs"]) copyFileSync(join(PROGRAMS, file), join(FRESH, file));
  for (const extension of ["ts", "mts", "cts"]) copyFileSync(join(PROGRAMS, "types.ts"), join(FRESH, `types.${extension}`));
  // No package of ours needs a script of a dependency to run.
  await quietly("install-fresh", "npm", ["install", "--prefer-offline", "--ignore-scripts", "--no-audit", "--no-fund"], {
    cwd: FRESH,
  });
  return FRESH;
}

/** What belongs in every tarball, and what doesn't. */
function papers(name) {
  const files = readdirSync(join(FRESH, "node_modules", name), { recursive: true }).filter(
    (file) => !file.startsWith("node_modules"),
  );
  const missing = ["README.md", "LICENSE", "package.json"].filter((file) => !files.includes(file));
  const surplus = files.filter((file) => /\.test\.|\.tsbuildinfo$|(^|\/)(test|contract)\//.test(file));
  const wrong = [...missing.map((file) => `missing: ${file}`), ...surplus.map((file) => `not for users: ${file}`)];
  if (wrong.length > 0) throw new Trouble(`${wrong.length} files`, wrong.join("\n"));
}

function write(file, content) {
  writeFileSync(join(FRESH, file), `${JSON.stringify(content, null, 2)}\n`);
}

async function runs(version, command, before) {
  try {
    const log = await quietly(`node-${version}`, command, [...before, "--version"], { cwd: FRESH });
    return readFileSync(log, "utf8").includes(`v${version}.`);
  } catch (cause) {
    if (cause instanceof Trouble) return false;
    throw cause;
  }
}

function notRun(file, line) {
  mkdirSync(join(file, ".."), { recursive: true });
  appendFileSync(file, `${line}\n`);
}

function tool(name, path) {
  return join(ROOT, "node_modules", name, path);
}

function flat(name) {
  return `-${name.replace(/\W+/g, "-")}`;
}
