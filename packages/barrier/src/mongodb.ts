/**
 * The barrier of MongoDB (protocol.md 6.3): joins the transaction of the user's own session.
 *
 * ```ts
 * await client.withSession((session) =>
 *   session.withTransaction(() => barrier.run(session, () => accounts.updateOne({ _id: 1 }, { $inc: { balance: -30 } }, { session }))));
 * ```
 *
 * Multi-document transactions need a replica set or a sharded cluster.
 */
import { DtmError, Failure, MSG_BRANCH } from "@dtm/protocol";
import { decide, type Guard, inCall, type RunOptions, type RunResult, settle } from "./barrier.js";
import type { Inserted } from "./judge.js";

export type { RunOptions, RunResult } from "./barrier.js";

/** A `ClientSession` of `mongodb`. */
export interface MongoSessionLike {
  inTransaction(): boolean;
  readonly hasEnded: boolean;
}

/** A `MongoClient` of `mongodb`. */
export interface MongoClientLike {
  db(name: string): { collection(name: string): MongoCollectionLike };
  startSession(): unknown;
}

/** What the barrier uses of a collection. */
export interface MongoCollectionLike {
  bulkWrite(operations: never, options: never): Promise<unknown>;
  findOneAndUpdate(filter: never, update: never, options: never): Promise<unknown>;
  createIndex(keys: never, options: never): Promise<unknown>;
  indexes(): Promise<unknown>;
}

/** Where the barrier's documents are. */
export interface MongoOptions {
  /** `database.collection`; default `dtm_barrier.barrier`, which services in other languages share. */
  readonly collection?: string;
}

/** Options of a guarded transaction in MongoDB. */
export interface MongoRunOptions extends RunOptions, MongoOptions {
  /** The session's client; default: the one that the session itself knows. */
  readonly client?: MongoClientLike;
}

/** Options of `queryPrepared` in MongoDB. */
export interface MongoQueryPreparedOptions extends MongoOptions, Pick<RunOptions, "branch"> {
  /** How long to wait for the local transaction while it is under way, in milliseconds; default 2000, at least 1. */
  readonly maxWaitMs?: number;
}

const MAX_WAIT_MS = 2_000;

/** The barrier for MongoDB: joins the transaction of a session, and answers for messages. */
export const barrier = {
  /**
   * Runs `work` inside the session's open transaction, once for all deliveries of a branch call. It writes the barrier's documents (one
   * command), and runs the work, or skips it when it is not to run: seen before, overtaken by its undo, or nothing to undo. The caller
   * commits, or `withTransaction` does; an error is thrown on as it is, so that `withTransaction` sees which ones it may repeat.
   *
   * @throws DtmError NOT_A_TRANSACTION, WRONG_DRIVER, NOT_IN_BRANCH, BARRIER_TABLE_MISSING (the collection's unique index), BARRIER_ID_REUSED,
   * or DUPLICATED for the local transaction of a message that was decided before. The work didn't run, and the transaction is to be aborted.
   */
  run<Session extends MongoSessionLike, T>(
    session: Session,
    work: (session: Session) => PromiseLike<T> | T,
    options: MongoRunOptions = {},
  ): Promise<RunResult<T>> {
    return inCall(options, () => run(session, work, options));
  },

  /**
   * Answers the coordinator's question about a message: returns when its local transaction was committed, and otherwise makes sure that it
   * never will be. Outside any transaction.
   *
   * @throws Failure when it wasn't committed; the server's error when the local transaction is still under way after `maxWaitMs`: the
   * coordinator asks again; DtmError as {@link barrier.run}.
   */
  queryPrepared(client: MongoClientLike, options: MongoQueryPreparedOptions = {}): Promise<void> {
    return inCall(options, () => queryPrepared(client, options));
  },

  /** Creates the collection with its unique index, without which deliveries at once could both run. May be repeated. */
  async createCollection(client: MongoClientLike, options: MongoOptions = {}): Promise<void> {
    const { database, name } = placeOf(options);
    const collection = requireClient(client).db(database).collection(name);
    await call(collection.createIndex, collection, [{ gid: 1, branch_id: 1, op: 1, barrier_id: 1 }, { unique: true }]);
  },
};

async function run<Session extends MongoSessionLike, T>(
  session: Session,
  work: (session: Session) => PromiseLike<T> | T,
  options: MongoRunOptions,
): Promise<RunResult<T>> {
  requireTransaction(session);
  const place = placeOf(options);
  const guard = settle(options);
  const collection = await collectionOf(options.client ?? clientOf(session), place);
  const inserted = await insert(collection, session, guard);
  if (decide(guard, `mongodb ${place.full}`, inserted) === "skip") return { ran: false, verdict: "skip" };
  return { ran: true, value: await work(session) };
}

async function queryPrepared(client: MongoClientLike, options: MongoQueryPreparedOptions): Promise<void> {
  const { maxWaitMs = MAX_WAIT_MS } = options;
  if (!Number.isSafeInteger(maxWaitMs) || maxWaitMs < 1) {
    throw new DtmError("OPTION_INVALID", `expected maxWaitMs to be a whole number from 1, found ${String(maxWaitMs)}`);
  }
  const { branch } = settle(options);
  const collection = await collectionOf(client, placeOf(options));
  const { branchId, op, barrierId } = MSG_BRANCH;
  const key = { gid: branch.gid, branch_id: branchId, op, barrier_id: barrierId };
  const found = await call(collection.findOneAndUpdate, collection, [
    key,
    { $setOnInsert: { trans_type: branch.transType, reason: "rollback", create_time: new Date() } },
    // An answer that a new primary doesn't know could be answered differently the next time.
    {
      upsert: true,
      returnDocument: "after",
      includeResultMetadata: false,
      maxTimeMS: maxWaitMs,
      writeConcern: { w: "majority" },
    },
  ]);
  const reason = member(found, "reason");
  if (reason === "rollback") throw new Failure(`the local transaction of message ${branch.gid} was not committed`);
  if (typeof reason !== "string")
    throw new Error(`expected MongoDB to answer with the barrier's document, found ${typeof found}`);
}

interface Place {
  readonly full: string;
  readonly database: string;
  readonly name: string;
}

function placeOf({ collection: full = "dtm_barrier.barrier" }: MongoOptions): Place {
  const [, database, name] = /^([^.$\s]+)\.([^$\s]+)$/.exec(full) ?? [];
  if (database === undefined || name === undefined) {
    throw new DtmError("OPTION_INVALID", `expected the barrier's collection to be named "database.collection", found ${full}`);
  }
  return { full, database, name };
}

/** Both documents, each only if it isn't there, in one command. */
async function insert(collection: MongoCollectionLike, session: MongoSessionLike, guard: Guard): Promise<Inserted> {
  const { branch, id, origin } = guard;
  const ops = origin === null ? [branch.op] : [origin, branch.op];
  const operations = ops.map((op) => ({
    updateOne: {
      filter: { gid: branch.gid, branch_id: branch.branchId, op, barrier_id: id },
      update: { $setOnInsert: { trans_type: branch.transType, reason: branch.op, create_time: new Date() } },
      upsert: true,
    },
  }));
  const result = await call(collection.bulkWrite, collection, [operations, { session, ordered: true }]);
  const ids = member(result, "upsertedIds");
  if (typeof ids !== "object" || ids === null)
    throw new Error("expected MongoDB to tell which documents were new, found no upsertedIds");
  return { own: String(ops.length - 1) in ids, origin: origin !== null && "0" in ids };
}

/** The collections whose index was seen, by client. */
const seen = new WeakMap<MongoClientLike, Set<string>>();

/** Looks once for the unique index: two transactions at once can insert the same document where there is none. */
async function collectionOf(given: unknown, { full, database, name }: Place): Promise<MongoCollectionLike> {
  const client = requireClient(given);
  const collection = client.db(database).collection(name);
  const known = seen.get(client) ?? new Set<string>();
  if (known.has(full)) return collection;
  if (!(await indexesOf(collection)).some(isUnique)) {
    throw new DtmError(
      "BARRIER_TABLE_MISSING",
      `expected ${full} to have a unique index on gid, branch_id, op and barrier_id, found none: barrier.createCollection makes it`,
    );
  }
  seen.set(client, known.add(full));
  return collection;
}

const NAMESPACE_NOT_FOUND = 26;

async function indexesOf(collection: MongoCollectionLike): Promise<readonly unknown[]> {
  try {
    const indexes = await collection.indexes();
    return Array.isArray(indexes) ? indexes : [];
  } catch (cause) {
    if (member(cause, "code") === NAMESPACE_NOT_FOUND) return [];
    throw cause;
  }
}

function isUnique(index: unknown): boolean {
  const key = member(index, "key");
  if (member(index, "unique") !== true || typeof key !== "object" || key === null) return false;
  return Object.keys(key).sort().join() === "barrier_id,branch_id,gid,op";
}

function requireTransaction(session: unknown): asserts session is MongoSessionLike {
  if (isClient(session)) {
    throw new DtmError(
      "NOT_A_TRANSACTION",
      "expected a ClientSession inside withTransaction, found a MongoClient: open a session first",
    );
  }
  if (typeof member(session, "inTransaction") !== "function") {
    throw new DtmError("WRONG_DRIVER", `expected a ClientSession of mongodb, found ${describe(session)}`);
  }
  const { inTransaction } = session as MongoSessionLike;
  if (inTransaction.call(session)) return;
  throw new DtmError(
    "NOT_A_TRANSACTION",
    "expected a session with an open transaction, found one without: call it inside withTransaction",
  );
}

/** The driver's declarations leave it out; its sessions have had it in every version. */
function clientOf(session: MongoSessionLike): unknown {
  const client = member(session, "client");
  if (client !== undefined) return client;
  throw new DtmError("WRONG_DRIVER", "expected a session that knows its client, found one that doesn't: pass { client }");
}

function requireClient(client: unknown): MongoClientLike {
  if (isClient(client)) return client;
  throw new DtmError("WRONG_DRIVER", `expected a MongoClient of mongodb, found ${describe(client)}`);
}

function isClient(value: unknown): value is MongoClientLike {
  return typeof member(value, "db") === "function" && typeof member(value, "startSession") === "function";
}

/** Filters and documents have the types of the user's own collections there; ours are of no such type. */
function call(method: (...given: never[]) => Promise<unknown>, target: object, given: readonly unknown[]): Promise<unknown> {
  return Reflect.apply(method, target, given);
}

function member(value: unknown, name: string): unknown {
  return typeof value === "object" && value !== null ? Reflect.get(value, name) : undefined;
}

function describe(value: unknown): string {
  return typeof value === "object" && value !== null ? `an object of class ${value.constructor?.name ?? "none"}` : String(value);
}
