/** Builds dtm from its Go module, once, into the git-ignored cache. `go install …@version` is refused by some proxies; a tiny module isn't. */
import { spawn, spawnSync } from "node:child_process";
import { existsSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { CACHE } from "./paths.mjs";

export const DTM_VERSION = "v1.19.0";
const MODULE = "github.com/dtm-labs/dtm";
const folder = join(CACHE, "dtm-peer");

export const dtmBinary = join(folder, `dtm-${DTM_VERSION}`);

function run(args) {
  return new Promise((resolve, reject) => {
    const child = spawn("go", args, {
      cwd: folder,
      env: { ...process.env, GOFLAGS: "-mod=mod" },
      stdio: ["ignore", "pipe", "pipe"],
    });
    let output = "";
    let errors = "";
    child.stdout.on("data", (chunk) => {
      output += chunk;
    });
    child.stderr.on("data", (chunk) => {
      errors = (errors + chunk).slice(-4_000);
    });
    child.on("error", reject);
    child.on("close", (code) =>
      code === 0 ? resolve(output.trim()) : reject(new Error(`go ${args.join(" ")} failed:\n${errors}`)),
    );
  });
}

function requireGo() {
  const go = spawnSync("go", ["version"], { encoding: "utf8" });
  if (go.error === undefined && go.status === 0) return;
  throw new Error(
    `the peer dtm ${DTM_VERSION} is built from its Go module and Go is missing: install Go 1.22 or newer (go.dev/dl) so that \`go version\` works, ` +
      "or run our side alone with --peer none",
  );
}

export async function buildDtm(progress) {
  if (existsSync(dtmBinary)) return;
  requireGo();
  progress(`building dtm ${DTM_VERSION} into ${folder} (the first build takes minutes)`);
  mkdirSync(folder, { recursive: true });
  if (!existsSync(join(folder, "go.mod"))) await run(["mod", "init", "peer"]);
  await run(["mod", "edit", `-require=${MODULE}@${DTM_VERSION}`]);
  await run(["build", "-o", dtmBinary, MODULE]);
  progress("dtm is built");
}

/** Where the module keeps the table scripts that dtm itself doesn't run unless told to. */
export async function dtmSqlFolder() {
  return join(await run(["list", "-m", "-f", "{{.Dir}}", MODULE]), "sqls");
}
