/**
 * One server per folder (rules.md R25). The lock is SQLite's own on a file beside the database: the operating system drops it with the
 * process, however that dies, and no number that another process may have by now is ever believed. The pid beside it is for people.
 */
import { accessSync, constants, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { hostname } from "node:os";
import { join, resolve } from "node:path";
import { Database } from "./database.js";
import { codeOf, FolderInUse, FolderUnusable, messageOf } from "./errors.js";

export interface Folder {
  /** The database file; only the workers open it. */
  readonly file: string;
  release(): void;
}

export function databaseFile(folder: string): string {
  return join(resolve(folder), "dtm.db");
}

/** Makes the folder when it is absent, and holds it until released. */
export async function holdFolder(path: string): Promise<Folder> {
  const folder = resolve(path);
  makeUsable(folder);
  const pidFile = join(folder, "dtm.pid");
  const lock = await takeLock(folder, pidFile);
  try {
    writeFileSync(pidFile, `${process.pid} ${hostname()}\n`);
  } catch (cause) {
    lock.close();
    throw unusable(folder, cause);
  }
  return {
    file: databaseFile(path),
    release() {
      rmSync(pidFile, { force: true });
      lock.run("ROLLBACK", []);
      lock.close();
    },
  };
}

function makeUsable(folder: string): void {
  try {
    mkdirSync(folder, { recursive: true });
    accessSync(folder, constants.R_OK | constants.W_OK | constants.X_OK);
  } catch (cause) {
    throw unusable(folder, cause);
  }
}

async function takeLock(folder: string, pidFile: string): Promise<Database> {
  let lock: Database | null = null;
  try {
    lock = new Database(join(folder, "dtm.lock"), { busyMs: 0 });
    lock.run("BEGIN EXCLUSIVE", []);
    return lock;
  } catch (cause) {
    lock?.close();
    if (codeOf(cause) !== "SQLITE_BUSY") throw unusable(folder, cause);
    const holder = await holderOf(pidFile);
    throw new FolderInUse(`another server (${holder}) uses ${folder}: stop it, or give this one a folder of its own`, { cause });
  }
}

/** The holder writes its pid right after it has the lock, so the first look may come too early. */
async function holderOf(pidFile: string): Promise<string> {
  for (let look = 0; look < 20; look++) {
    const [pid, host] = readPid(pidFile);
    if (pid !== undefined && host !== undefined) return `pid ${pid} on ${host}`;
    await new Promise((wake) => setTimeout(wake, 25));
  }
  return "its pid is not known";
}

function readPid(pidFile: string): string[] {
  try {
    return readFileSync(pidFile, "utf8").trim().split(" ");
  } catch {
    return [];
  }
}

function unusable(folder: string, cause: unknown): FolderUnusable {
  return new FolderUnusable(`the data folder ${folder} can't be used: ${messageOf(cause)}`, { cause });
}
