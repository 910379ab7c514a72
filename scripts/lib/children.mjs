// The processes of `npm start`: started, waited for, and stopped with their parent.
import { spawn } from "node:child_process";
import { closeSync, mkdirSync, openSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import process from "node:process";
import { setTimeout as pause } from "node:timers/promises";
import { Trouble } from "./terminal.mjs";
import { ROOT, tail } from "./workspace.mjs";

const READY_MS = 120_000;
const running = new Set();

// Whatever ends this process, its children don't stay behind.
process.on("exit", () => {
  for (const { child } of running) child.kill("SIGKILL");
});

/**
 * `log`: a file for its output, or null to show it. A group of its own keeps the terminal's Ctrl-C away from the child: it
 * would hear it twice, and the coordinator takes a second signal as "at once".
 */
export function startChild({ name, script, args, env, log }) {
  let output = "inherit";
  if (log !== null) {
    mkdirSync(dirname(log), { recursive: true });
    output = openSync(log, "w");
  }
  const child = spawn(process.execPath, [join(ROOT, script), ...args], {
    cwd: ROOT,
    env: { ...process.env, ...env },
    stdio: ["ignore", output, output],
    detached: true,
  });
  if (log !== null) closeSync(output);
  const part = { name, child, log, over: false, ended: null };
  part.ended = new Promise((resolve) => {
    const end = (how) => {
      part.over = true;
      running.delete(part);
      resolve(how);
    };
    child.once("error", (error) => end(error.message));
    child.once("exit", (code, signal) => end(code ?? signal));
  });
  running.add(part);
  return part;
}

/** Waits until `url` answers. The child may refuse to start, and its last lines say why. */
export async function whenReady(part, url) {
  const deadline = performance.now() + READY_MS;
  while (!(await answers(url))) {
    if (part.over) throw brokenDown(part, await part.ended);
    if (performance.now() > deadline) throw new Trouble(`${part.name} doesn't answer at ${url}.`, words(part));
    await pause(50);
  }
}

export function brokenDown(part, how) {
  return new Trouble(`${part.name} ended by itself (${how}).`, words(part));
}

/** The first signal asks, in reverse order of the start; `atOnce` doesn't. */
export async function stopChildren({ atOnce = false } = {}) {
  for (const part of [...running].reverse()) {
    part.child.kill(atOnce ? "SIGKILL" : "SIGTERM");
    await part.ended;
  }
}

function words({ log }) {
  return log === null ? "" : `${tail(log, 20)}\n\n(from ${relative(process.cwd(), log)})`;
}

async function answers(url) {
  try {
    return (await fetch(url)).status === 200;
  } catch {
    return false;
  }
}
