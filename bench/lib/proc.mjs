/** What the kernel says about a process and everything it started (R32: all threads and processes count). Linux only. */
import { readdirSync, readFileSync } from "node:fs";

/** Linux reports process times in ticks of 1/100 s on every usual build (USER_HZ). */
const TICK_MS = 10;

function statFields(pid) {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, "latin1");
    // The name in parentheses may hold spaces, so fields are counted behind it.
    return text.slice(text.lastIndexOf(")") + 2).split(" ");
  } catch {
    return null;
  }
}

/** The process and all its living descendants. */
export function processTree(root) {
  const children = new Map();
  for (const entry of readdirSync("/proc")) {
    if (!/^\d+$/.test(entry)) continue;
    const fields = statFields(entry);
    if (fields === null) continue;
    const parent = Number(fields[1]);
    if (!children.has(parent)) children.set(parent, []);
    children.get(parent).push(Number(entry));
  }
  const tree = [];
  const open = [root];
  for (let pid = open.pop(); pid !== undefined; pid = open.pop()) {
    tree.push(pid);
    open.push(...(children.get(pid) ?? []));
  }
  return tree;
}

/** utime + stime of the living, plus what reaped children had used, so nothing is lost when a child ends. */
export function cpuMs(root) {
  let ticks = 0;
  for (const pid of processTree(root)) {
    const fields = statFields(pid);
    if (fields === null) continue;
    for (const index of [11, 12, 13, 14]) ticks += Number(fields[index]);
  }
  return ticks * TICK_MS;
}

function statusKb(pid, key) {
  try {
    const found = new RegExp(`^${key}:\\s+(\\d+) kB`, "m").exec(readFileSync(`/proc/${pid}/status`, "latin1"));
    return found === null ? 0 : Number(found[1]);
  } catch {
    return 0;
  }
}

const sumMb = (root, key) => processTree(root).reduce((sum, pid) => sum + statusKb(pid, key), 0) / 1024;

export const rssMb = (root) => sumMb(root, "VmRSS");

/** The sum of each process's own peak: never below the true common peak. */
export const peakRssMb = (root) => sumMb(root, "VmHWM");

/** Cache flushes that block devices have completed, or null where the kernel doesn't count them: durable commits move it. */
export function deviceFlushes() {
  try {
    let flushes = 0;
    let counted = false;
    for (const device of readdirSync("/sys/block")) {
      const fields = readFileSync(`/sys/block/${device}/stat`, "latin1").trim().split(/\s+/);
      if (fields.length < 17) continue;
      counted = true;
      flushes += Number(fields[15]);
    }
    return counted ? flushes : null;
  } catch {
    return null;
  }
}

/**
 * What all cores did together: whether a run had the machine to itself. `toldMs` is all time the kernel accounts for, idle included; where
 * it falls behind the clock, the whole machine was held back from outside.
 */
export function machineCpu() {
  const ticks = readFileSync("/proc/stat", "latin1").split("\n", 1)[0].trim().split(/\s+/).slice(1, 9).map(Number);
  const [user, nice, system, , , irq, softirq, steal] = ticks;
  const toldMs = ticks.reduce((sum, each) => sum + each, 0) * TICK_MS;
  return { busyMs: (user + nice + system + irq + softirq) * TICK_MS, stolenMs: steal * TICK_MS, toldMs };
}
