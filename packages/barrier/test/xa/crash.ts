/** A service that is killed when its phase 1 has been prepared, before it could answer. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buildSync } from "esbuild";
import type { Bed } from "./beds.js";

const PACKAGE = join(__dirname, "..", "..");
const FOLDER = mkdtempSync(join(tmpdir(), "dtm-xa-"));
const PROGRAM = join(FOLDER, "service.cjs");

buildSync({
  entryPoints: [join(__dirname, "service.ts")],
  outfile: PROGRAM,
  bundle: true,
  platform: "node",
  format: "cjs",
  external: ["pg", "mysql2", "mariadb"],
  alias: { "@dtm/protocol": join(PACKAGE, "..", "protocol", "src", "index.ts") },
});
afterAll(() => rmSync(FOLDER, { recursive: true }));

/** Adds `amount` to the account in branch 01 of `gid`, in a process that doesn't live to see phase 2. */
export async function crashAfterPhase1({ driver, address, table }: Bed, gid: string, amount: number): Promise<void> {
  const child = spawn(process.execPath, [PROGRAM, driver, address, table, gid, String(amount)], {
    env: { ...process.env, NODE_PATH: join(PACKAGE, "node_modules") },
    stdio: ["ignore", "pipe", "inherit"],
  });
  const exited = once(child, "exit");
  child.stdout.setEncoding("utf8");
  let said = "";
  await new Promise<void>((resolve, reject) => {
    child.stdout.on("data", (text: string) => {
      said += text;
      if (said.includes("prepared\n")) resolve();
    });
    child.once("exit", (code) => reject(new Error(`the service ended (${code}) before it was killed`)));
  });
  child.kill("SIGKILL");
  await exited;
}
