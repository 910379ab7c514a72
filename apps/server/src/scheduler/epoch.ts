/**
 * How this process is called in a shared store (rules.md R1), and what such a name proves where it was given: a server that is killed and
 * started again need not wait until the lease of the one before has lapsed (R2). A name that proves nothing waits for its lease, as ever.
 */
import { createHash, randomBytes } from "node:crypto";
import { readFileSync, readlinkSync } from "node:fs";
import { hostname } from "node:os";

/** When a process began, in the kernel's own unit; "gone" when no process has this number, null when nobody can tell. */
export type Begun = { readonly at: string } | "gone" | null;

export interface Host {
  readonly name: string;
  /** This kernel since its start, and the numbers that processes have here; null where nothing can be proved. */
  readonly place: string | null;
  begun(pid: number): Begun;
}

/** `<host>.<place>.<begun>.<pid>.<random>`, far below the 128 characters of an owner; none has a colon, which is where its counter begins. */
const NAME = /^(.*)\.([0-9a-f]{16})\.(\d+)\.(\d+)\.[0-9a-f]{12}$/;
const HOST_WIDTH = 48;

export class Epochs {
  readonly #host: Host;
  readonly #pid: number;

  constructor(host: Host = thisHost(), pid: number = process.pid) {
    this.#host = host;
    this.#pid = pid;
  }

  /** Never repeated. */
  fresh(): string {
    const host = plain(this.#host.name);
    const own = this.#host.begun(this.#pid);
    const proof = this.#host.place === null || own === null || own === "gone" ? [] : [this.#host.place, own.at];
    return [host, ...proof, this.#pid, randomBytes(6).toString("hex")].join(".");
  }

  /** True only when no process of this very host can be the one that gave itself this name. */
  isGone(epoch: string): boolean {
    const [, host, place, begunAt, pid] = NAME.exec(epoch) ?? [];
    if (place === undefined || place !== this.#host.place || host !== plain(this.#host.name)) return false;
    const found = this.#host.begun(Number(pid));
    // Another process may have been given the number since.
    return found === "gone" || (found !== null && found.at !== begunAt);
  }
}

function plain(host: string): string {
  return host.replaceAll(/[^\w.-]/g, "-").slice(0, HOST_WIDTH);
}

/** Only Linux says when a process began and whose numbers it counts in. */
export function thisHost(): Host {
  return { name: hostname(), place: placeHere(), begun: begunHere };
}

function placeHere(): string | null {
  try {
    // Where the numbers of another namespace are shown, ours would be somebody else's.
    if (readlinkSync("/proc/self") !== String(process.pid)) return null;
    const boot = readFileSync("/proc/sys/kernel/random/boot_id", "utf8");
    return createHash("sha256")
      .update([boot, namespace("pid"), namespace("time")].join("\n"))
      .digest("hex")
      .slice(0, 16);
  } catch {
    return null;
  }
}

/** Kernels that know no namespace of this kind have no link for it. */
function namespace(kind: "pid" | "time"): string {
  try {
    return readlinkSync(`/proc/self/ns/${kind}`);
  } catch {
    if (kind === "time") return "";
    throw new Error("nothing says whose numbers these are");
  }
}

function begunHere(pid: number): Begun {
  if (!exists(pid)) return "gone";
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    // The command stands in parentheses and may hold anything; the time is the 20th word behind it.
    const at = stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19];
    return at === undefined ? null : { at };
  } catch {
    // It ended meanwhile, or its folder is hidden from us.
    return null;
  }
}

function exists(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (cause) {
    return (cause as NodeJS.ErrnoException).code !== "ESRCH";
  }
}
