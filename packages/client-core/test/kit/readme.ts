/** A README's first example, compiled under `strict` and run as users run it: from the built package, in a process of its own. */
import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import ts from "typescript";

/** @returns What it printed. */
export async function runReadme(packageFolder: string, env: Readonly<Record<string, string>> = {}): Promise<string> {
  if (!existsSync(join(packageFolder, "dist/index.js"))) throw new Error(`${packageFolder} isn't built: run the build first`);
  const code = /^```ts\n(.*?)^```$/ms.exec(readFileSync(join(packageFolder, "README.md"), "utf8"))?.[1];
  if (code === undefined) throw new Error(`${packageFolder}/README.md has no example`);
  // Inside the package, so that its own name and its dependencies are found.
  const folder = mkdtempSync(join(packageFolder, "test/readme-"));
  try {
    const file = join(folder, "example.mts");
    writeFileSync(file, code);
    compile(file);
    return await run(join(folder, "example.mjs"), env);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function compile(file: string): void {
  const options: ts.CompilerOptions = {
    target: ts.ScriptTarget.ES2022,
    lib: ["lib.es2023.d.ts"],
    module: ts.ModuleKind.NodeNext,
    moduleResolution: ts.ModuleResolutionKind.NodeNext,
    strict: true,
    skipLibCheck: true,
    types: ["node"],
  };
  const program = ts.createProgram([file], options);
  const found = [...ts.getPreEmitDiagnostics(program), ...program.emit().diagnostics];
  const told = found.map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, "\n"));
  if (told.length > 0) throw new Error(`the example doesn't compile:\n${told.join("\n")}`);
}

function run(file: string, env: Readonly<Record<string, string>>): Promise<string> {
  const { PATH, HOME } = process.env;
  const child = spawn(process.execPath, [file], { env: { PATH, HOME, ...env }, stdio: ["ignore", "pipe", "pipe"] });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (text: string) => {
      output += text;
    });
  }
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code) =>
      code === 0 ? resolve(output) : reject(new Error(`the example ended with ${String(code)}:\n${output}`)),
    );
  });
}
