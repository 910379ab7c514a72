/** Reads what `node --cpu-prof` wrote (one file per thread) and says where the time went itself, not through callees. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { number } from "./report.mjs";
import { median } from "./stats.mjs";

const IDLE = new Set(["(idle)", "(root)"]);

function place(frame) {
  if (frame.url === "") return "";
  const path = frame.url.replace(/^file:\/\//, "");
  const short = path.includes("/node_modules/")
    ? path.slice(path.lastIndexOf("/node_modules/") + 14)
    : path.split("/").slice(-3).join("/");
  return `${short}:${frame.lineNumber + 1}`;
}

/** A gap this many times the usual one means that the thread didn't run, so the function it was found in isn't to blame. */
const GAP = 20;

/** [{ name, ms }] by own time, largest first, and the busy, idle and lost totals. */
export function selfTimes(profile) {
  const longest = GAP * median(profile.timeDeltas.filter((delta) => delta > 0));
  const names = new Map(
    profile.nodes.map((node) => [node.id, `${node.callFrame.functionName || "(anonymous)"} ${place(node.callFrame)}`.trim()]),
  );
  const own = new Map();
  let busyMs = 0;
  let idleMs = 0;
  let lostMs = 0;
  profile.samples.forEach((id, at) => {
    const ms = Math.min(profile.timeDeltas[at], longest) / 1000;
    lostMs += profile.timeDeltas[at] / 1000 - ms;
    const name = names.get(id);
    if (IDLE.has(name)) {
      idleMs += ms;
      return;
    }
    busyMs += ms;
    own.set(name, (own.get(name) ?? 0) + ms);
  });
  return { busyMs, idleMs, lostMs, functions: [...own].map(([name, ms]) => ({ name, ms })).sort((a, b) => b.ms - a.ms) };
}

export function summarise(folder, top) {
  const files = readdirSync(folder).filter((file) => file.endsWith(".cpuprofile"));
  const parts = files.map((file) => ({ file, ...selfTimes(JSON.parse(readFileSync(join(folder, file), "utf8"))) }));
  parts.sort((a, b) => b.busyMs - a.busyMs);
  const text = parts.map(({ file, busyMs, idleMs, lostMs, functions }) => {
    const lines = functions
      .slice(0, top)
      .map(({ name, ms }) => `${number((ms / busyMs) * 100).padStart(6)} % ${number(ms).padStart(7)} ms  ${name}`);
    return `${file}: busy ${number(busyMs / 1000)} s, idle ${number(idleMs / 1000)} s, held back ${number(lostMs / 1000)} s\n${lines.join("\n")}`;
  });
  return text.join("\n\n");
}
