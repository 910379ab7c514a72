// API reports by api-extractor: one file per package in etc/, with a part for each entry point.
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join, relative } from "node:path";
import { CompilerState, Extractor, ExtractorConfig, ExtractorLogLevel } from "@microsoft/api-extractor";
import { entriesOf } from "./declarations.mjs";
import { Trouble } from "./terminal.mjs";
import { CACHE, manifest, ROOT } from "./workspace.mjs";

const REPORTS = join(ROOT, "etc");
const WORK = join(CACHE, "api");
const SHOWN_LINES = 20;

export function writeReports(folders) {
  mkdirSync(REPORTS, { recursive: true });
  for (const folder of folders) writeFileSync(reportFile(folder), reportOf(folder));
}

/** Made from protobuf, whose comments say what isn't said here; and a program's settings, which docs/settings.md describes. */
const DESCRIBED_ELSEWHERE = new Set(["@dtm/protocol", "@dtm/server"]);

/** An export without a docstring; members of a type are described where their names don't tell. */
const UNDOCUMENTED = /^\/\/ @\w+ \(undocumented\)\n(.*)$/gm;

/** The first line of each export that its package says nothing about. */
function undocumentedIn(folder, report) {
  if (DESCRIBED_ELSEWHERE.has(manifest(folder).name)) return [];
  return [...report.matchAll(UNDOCUMENTED)].map(([, declaration]) => declaration);
}

/** @throws Trouble that names every report that isn't what the declarations say, with its first differences. */
export function checkReports(folders) {
  const details = folders.flatMap((folder) => {
    const file = reportFile(folder);
    const report = reportOf(folder);
    const differences = compare(existsSync(file) ? readFileSync(file, "utf8") : "", report);
    const undocumented = undocumentedIn(folder, report).map((declaration) => `? without a docstring: ${declaration}`);
    const found = [...differences, ...undocumented];
    return found.length === 0 ? [] : [`${relative(ROOT, file)}:`, ...found];
  });
  if (details.length === 0) return;
  throw new Trouble(
    "reports differ (if the change is meant: node scripts/api.mjs --write), or an export has no docstring",
    details.join("\n"),
  );
}

function reportFile(folder) {
  return join(REPORTS, `${manifest(folder).name.replace("@dtm/", "")}.api.md`);
}

function reportOf(folder) {
  const entries = entriesOf(folder, { internal: false });
  const [first, ...more] = entries.map(({ types }) => types);
  const work = join(WORK, manifest(folder).name.replace("@dtm/", ""));
  rmSync(work, { recursive: true, force: true });
  mkdirSync(work, { recursive: true });
  // One analysis for all entry points of the package.
  const compilerState = CompilerState.create(prepare(folder, first, work), { additionalEntryPoints: more });
  const parts = entries.map(({ types }) => {
    const config = prepare(folder, types, work);
    Extractor.invoke(config, { compilerState, localBuild: true, messageCallback: onlyErrors });
    return readFileSync(config.reportFilePath, "utf8").trimEnd();
  });
  return `${parts.join("\n\n")}\n`;
}

function onlyErrors(message) {
  if (message.logLevel !== ExtractorLogLevel.Error) message.handled = true;
}

function prepare(folder, types, work) {
  const name = relative(join(folder, "dist"), types).replace(/\.d\.ts$/, "");
  const quiet = { logLevel: ExtractorLogLevel.None };
  return ExtractorConfig.prepare({
    configObject: {
      projectFolder: folder,
      mainEntryPointFilePath: types,
      newlineKind: "lf",
      compiler: {
        overrideTsconfig: {
          compilerOptions: {
            target: "ES2022",
            lib: ["ES2023"],
            module: "NodeNext",
            moduleResolution: "NodeNext",
            strict: true,
            skipLibCheck: true,
            types: ["node"],
          },
          files: [types],
        },
      },
      apiReport: { enabled: true, reportFolder: work, reportTempFolder: join(work, "temp"), reportFileName: `${name}.api.md` },
      docModel: { enabled: false },
      dtsRollup: { enabled: false },
      tsdocMetadata: { enabled: false },
      messages: {
        compilerMessageReporting: { default: { logLevel: ExtractorLogLevel.Error } },
        // What is exported is public; a type that a public one mentions without exporting it stands in the report.
        extractorMessageReporting: {
          default: { logLevel: ExtractorLogLevel.Warning, addToApiReportFile: true },
          "ae-missing-release-tag": quiet,
          "ae-undocumented": quiet,
          "ae-unresolved-link": quiet,
        },
        tsdocMessageReporting: { default: quiet },
      },
    },
    configObjectFullPath: undefined,
    packageJsonFullPath: join(folder, "package.json"),
  });
}

function compare(committed, made) {
  if (committed === made) return [];
  const before = new Set(committed.split("\n"));
  const after = new Set(made.split("\n"));
  const gone = [...before].filter((line) => !after.has(line)).map((line) => `- ${line}`);
  const added = [...after].filter((line) => !before.has(line)).map((line) => `+ ${line}`);
  const lines = [...gone, ...added];
  if (lines.length === 0) return ["(the same lines in another order)"];
  return lines.length > SHOWN_LINES ? [...lines.slice(0, SHOWN_LINES), `… ${lines.length - SHOWN_LINES} more`] : lines;
}
