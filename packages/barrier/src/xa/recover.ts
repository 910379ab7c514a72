/**
 * Prepared transactions that nobody came for: the service died between phase 1 and phase 2, and the coordinator's record of the branch is gone
 * or its calls can't arrive. They hold locks until they are settled, in the direction that the global transaction was decided in.
 */
import { type Branch, DtmError } from "@dtm/protocol";
import type { Prepared, XaDatabase } from "./database.js";
import { commitXa, rollbackXa } from "./phase2.js";
import { parseXid, type Xid } from "./xid.js";

/** Settings of {@link recoverXa}. */
export interface RecoverOptions {
  /**
   * A global transaction as its coordinator has it, null when that doesn't know the gid. With `@dtm/client`: `(gid) => client.query(gid)`. Where
   * only its status is given, whatever is named like one of its branches is taken for one.
   */
  readonly query: (gid: string) => Promise<XaGlobal | string | null>;
  /** Younger ones are left alone, since their coordinator is likely to be at work on them. From 0, which stands for all; default 600, ten minutes. */
  readonly minAgeSeconds?: number;
  /**
   * What becomes of transactions whose gid the coordinator doesn't know. They may belong to another coordinator, or to an application that
   * names its own transactions alike, so by default (false) they are listed and not touched.
   */
  readonly settleUnknown?: false | "rollback";
}

/** What must be known of a global transaction before something is settled in its name. */
export interface XaGlobal {
  readonly status: string;
  readonly transType: string;
  /** The registered ones. */
  readonly branches: readonly { readonly branchId: string }[];
}

/** What was found, and what was done about it. */
export interface Leftover {
  readonly xid: string;
  readonly gid: string;
  readonly branchId: string;
  /** By the database's clock; null on MySQL when the branch's row isn't in the barrier's table, and then it is never settled. */
  readonly ageSeconds: number | null;
  /** Of the global transaction; null when its coordinator doesn't know it, or wasn't asked. */
  readonly status: string | null;
  readonly outcome:
    | "committed"
    | "rolled back"
    | "young"
    | "unknown age"
    | "undecided"
    | "unknown gid"
    | "unknown branch"
    | "failed";
  /** Why it failed: the coordinator couldn't be asked, or the database refused. The next call tries again. */
  readonly error?: unknown;
}

const MIN_AGE_SECONDS = 600;

/**
 * Lists the prepared transactions of this database that are named as dtm's branches are, and settles those that are older than `minAgeSeconds`
 * and whose global transaction is decided: `submitted` and `succeed` are committed, `aborting` and `failed` are rolled back. What has the name of
 * a branch that its global transaction doesn't have is somebody else's, and not touched. Call it when the service starts and every few
 * minutes; several processes may do so at once.
 *
 * On MySQL 8 the user needs XA_RECOVER_ADMIN. On PostgreSQL only the pool's own database is looked at.
 *
 * @returns Every one that was found, in the order of the database. Failures are in the list and end nothing.
 * @throws DtmError OPTION_INVALID for a `minAgeSeconds` that isn't one; and when the transactions can't be listed.
 */
export async function recoverXa(database: XaDatabase<unknown>, options: RecoverOptions): Promise<readonly Leftover[]> {
  requireAge(options.minAgeSeconds);
  const leftovers: Leftover[] = [];
  for (const prepared of await list(database)) {
    const xid = parseXid(prepared.xid);
    if (xid !== null) leftovers.push(await recover(database, { xid, prepared }, options));
  }
  return leftovers;
}

/** Every comparison with NaN is false: each transaction would pass for an old one. */
function requireAge(found: unknown): void {
  if (found === undefined || (typeof found === "number" && Number.isFinite(found) && found >= 0)) return;
  throw new DtmError("OPTION_INVALID", `expected minAgeSeconds to be a number of seconds from 0, found ${String(found)}`);
}

async function list(database: XaDatabase<unknown>): Promise<readonly Prepared[]> {
  const session = await database.open();
  try {
    const prepared = await session.listPrepared();
    await session.close();
    return prepared;
  } catch (cause) {
    session.destroy();
    throw cause;
  }
}

async function recover(
  database: XaDatabase<unknown>,
  { xid, prepared: { ageSeconds } }: { readonly xid: Xid; readonly prepared: Prepared },
  { query, minAgeSeconds = MIN_AGE_SECONDS, settleUnknown = false }: RecoverOptions,
): Promise<Leftover> {
  const found = { xid: xid.text, gid: xid.gid, branchId: xid.branchId, ageSeconds };
  if (ageSeconds === null) return { ...found, status: null, outcome: "unknown age" };
  if (ageSeconds < minAgeSeconds) return { ...found, status: null, outcome: "young" };
  let status: string | null = null;
  try {
    const global = await query(xid.gid);
    status = typeof global === "object" ? (global?.status ?? null) : global;
    if (typeof global === "object" && global !== null && !hasBranch(global, xid))
      return { ...found, status, outcome: "unknown branch" };
    const direction = directionOf(status, settleUnknown);
    const branch: Branch = { gid: xid.gid, branchId: xid.branchId, transType: "xa", op: direction };
    switch (direction) {
      case "commit":
        await commitXa(database, branch);
        return { ...found, status, outcome: "committed" };
      case "rollback":
        await rollbackXa(database, branch);
        return { ...found, status, outcome: "rolled back" };
      default:
        return { ...found, status, outcome: direction };
    }
  } catch (error) {
    return { ...found, status, outcome: "failed", error };
  }
}

/** A workflow's branch is registered after it is prepared, so a missing one says nothing. */
function hasBranch({ transType, branches }: XaGlobal, { branchId }: Xid): boolean {
  return transType === "workflow" || (transType === "xa" && branches.some((branch) => branch.branchId === branchId));
}

function directionOf(
  status: string | null,
  settleUnknown: false | "rollback",
): "commit" | "rollback" | "undecided" | "unknown gid" {
  switch (status) {
    case "submitted":
    case "succeed":
      return "commit";
    case "aborting":
    case "failed":
      return "rollback";
    case null:
      return settleUnknown === "rollback" ? "rollback" : "unknown gid";
    default:
      return "undecided";
  }
}
