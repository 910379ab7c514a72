/** Starts a built example as its user would, and checks what it prints and how it ends. */
import { spawn } from "node:child_process";
import { appendFileSync, existsSync } from "node:fs";
import { join } from "node:path";

const LONG_MS = 300_000;

export interface Expected {
  /** The folder under examples/. */
  readonly name: string;
  /** The variables of the database servers that it needs. */
  readonly databases: readonly string[];
  /** The whole of what it prints, line by line; what differs from run to run is written `<…>`. */
  readonly prints: readonly string[];
  /** Makes `<…>` of what differs. */
  readonly blur?: (line: string) => string;
}

interface Run {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

export function exampleTells({ name, databases, prints, blur = (line) => line }: Expected): void {
  const missing = databases.filter((variable) => (process.env[variable] ?? "") === "");
  describe(`examples/${name}`, () => {
    if (missing.length > 0) notRun(`examples/${name}: ${missing.join(" and ")} name${missing.length > 1 ? "" : "s"} no server`);
    else
      test(
        "tells its story, and ends",
        async () => {
          const run = await start(name, process.env);
          if (run.code !== 0) throw new Error(`it ended with ${run.code ?? run.signal}:\n${run.stdout}${run.stderr}`);
          expect(run.stdout.trimEnd().split("\n").map(blur)).toEqual(prints);
        },
        LONG_MS,
      );
    for (const variable of databases) {
      test(
        `says that it needs ${variable}`,
        async () => {
          const run = await start(name, { ...process.env, [variable]: "" });
          expect(run.stderr).toMatch(new RegExp(`^✗ this example needs .* in ${variable}, found nothing\\.\n`));
          expect(run.code).toBe(1);
        },
        LONG_MS,
      );
    }
  });
}

/** Named as not run, never skipped in silence; in CI a failure. */
function notRun(line: string): void {
  const file = process.env["NOT_RUN_FILE"] ?? "";
  if (file !== "") appendFileSync(file, `${line}\n`);
  test("is run", () => expect(process.env["CI"] === "true" ? line : "").toBe(""));
}

function start(name: string, env: NodeJS.ProcessEnv): Promise<Run> {
  const main = join(__dirname, `../../${name}/dist/main.js`);
  if (!existsSync(main)) throw new Error(`examples/${name} isn't built: run "npx -y pnpm@10.34.9 exec turbo run build" first`);
  const { DTM_SERVER: _given, ...own } = env;
  const child = spawn(process.execPath, [main], { env: own, stdio: ["ignore", "pipe", "pipe"] });
  const output = { stdout: "", stderr: "" };
  for (const stream of ["stdout", "stderr"] as const) {
    child[stream].setEncoding("utf8").on("data", (text: string) => {
      output[stream] += text;
    });
  }
  // An example that hangs is asked to stop what it has started, in time for the test to show what it said.
  const impatience = setTimeout(() => child.kill("SIGTERM"), LONG_MS * 0.8);
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code, signal) => {
      clearTimeout(impatience);
      resolve({ code, signal, ...output });
    });
  });
}
