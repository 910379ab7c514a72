/** Tables for the terminal and for RESULTS.md, and the lines that say what machine and which commit they came from. */
import { execFileSync } from "node:child_process";
import { appendFileSync, existsSync, writeFileSync } from "node:fs";
import { cpus, totalmem } from "node:os";
import { join } from "node:path";
import { BENCH, ROOT } from "./paths.mjs";

const RESULTS = join(BENCH, "RESULTS.md");
const HEADER = `# Results

Written by the scripts of this folder with \`--write\`, newest last. Ratios on one machine mean something; absolute figures only
there, and only for a machine that did nothing else.
`;

export function number(value, digits = 3) {
  if (value === null || value === undefined || Number.isNaN(value)) return "–";
  if (!Number.isFinite(value)) return "∞";
  return Math.abs(value) >= 100 ? String(Math.round(value)) : String(Number(value.toPrecision(digits)));
}

export function table(head, rows) {
  const widths = head.map((title, at) => Math.max(title.length, ...rows.map((row) => String(row[at]).length)));
  const line = (cells) => `| ${cells.map((cell, at) => String(cell).padEnd(widths[at])).join(" | ")} |`;
  return [line(head), `|${widths.map((width) => "-".repeat(width + 2)).join("|")}|`, ...rows.map(line)].join("\n");
}

function git(...args) {
  try {
    return execFileSync("git", args, { cwd: ROOT, encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] }).trim();
  } catch {
    return "";
  }
}

export function machineLine() {
  const commit = git("rev-parse", "--short", "HEAD") || "no git";
  const changed = git("status", "--porcelain", "-uno", "--", "apps", "packages") === "" ? "" : " with local changes";
  const [core] = cpus();
  return `${new Date().toISOString().slice(0, 16)}Z, commit ${commit}${changed}, ${cpus().length} cores (${core?.model ?? "unknown"}), ${Math.round(totalmem() / 2 ** 30)} GiB, Node ${process.versions.node}`;
}

/** Prints to stdout; with `write` also appends to RESULTS.md. */
export function publish(title, body, write) {
  const text = `\n## ${title}\n\n${machineLine()}\n\n${body}\n`;
  process.stdout.write(text);
  if (!write) return;
  if (!existsSync(RESULTS)) writeFileSync(RESULTS, HEADER);
  appendFileSync(RESULTS, text);
}
