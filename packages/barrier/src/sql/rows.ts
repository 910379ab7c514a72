/**
 * The barrier's rows: origin and own in one statement, inside the user's transaction, and the message's row for `queryPrepared`.
 * Written as steps that yield a statement and get its reply, so that drivers that answer at once and drivers that answer later
 * share them.
 */
import { createHash } from "node:crypto";
import { DtmError, Failure, MSG_BRANCH, Ongoing } from "@dtm/protocol";
import type { Guard } from "../barrier.js";
import type { Inserted } from "../judge.js";
import { isLockTimeout } from "./error-codes.js";
import { affected, type Dialect, type Executor, nothing, Raw, type Reply, type Row, rows, type Statement } from "./statement.js";
import type { TableName } from "./table.js";

export type Steps<T> = Generator<Statement, T, Reply>;

interface BarrierRow {
  readonly transType: string;
  readonly gid: string;
  readonly branchId: string;
  readonly op: string;
  readonly id: string;
  readonly reason: string;
}

/** Which rows were new. */
interface Written extends Inserted {
  /** Stands for the id of the own one, where the work is to run and the driver says it. */
  readonly rowId?: Raw | undefined;
}

/** Inserts the rows of a guard and says which of them were new. */
export function* insertRows(
  guard: Guard,
  table: TableName,
  at: Pick<Executor, "dialect" | "open" | "asksPid" | "counts">,
): Steps<Written> {
  const { branch, origin } = guard;
  if (at.open === "unasked" && at.dialect === "postgres") yield askPostgres(table);
  const counts = at.dialect === "mysql" || at.counts === true;
  const answer = counts ? "count" : at.asksPid === true ? "ops and pid" : "ops";
  const reply = yield insertion(at.dialect, table, answer, valuesOf(guard));
  if (reply.open === false) {
    // What was inserted is committed by now: it is taken back, or the next delivery would take it for a finished one.
    if (reply.affected !== 0) yield takeBack(table, guard);
    throw notOpen();
  }
  return counts ? fromCount(reply, origin !== null) : fromOps(reply, branch.op, origin);
}

/** Answers the coordinator's question whether the local transaction of a message was committed (protocol.md 6.2). */
export function* queryPrepared(guard: Guard, table: TableName, at: Pick<Executor, "dialect">): Steps<void> {
  const { op, branchId, barrierId } = MSG_BRANCH;
  const row: BarrierRow = { ...branchOf(guard), branchId, op, id: barrierId, reason: "rollback" };
  const inserted = yield* insertWaiting(at.dialect, table, row);
  if (inserted.open === true) throw transactionOpen();
  const found = yield rows`select reason from ${new Raw(table.full)}
    where gid = ${row.gid} and branch_id = ${branchId} and op = ${op} and barrier_id = ${barrierId}`;
  const reason = rowsIn(found, "the message's row")[0]?.["reason"];
  if (typeof reason !== "string") {
    throw new Error(`expected ${table.full} to have the row of message ${row.gid} that was just made sure of, found none`);
  }
  if (reason === "rollback") throw new Failure(`the local transaction of message ${row.gid} was not committed`);
}

/** Waits while the local transaction still holds the row, but not longer than the coordinator waits for an answer: then it asks again. */
function* insertWaiting(dialect: Dialect, table: TableName, row: BarrierRow): Steps<Reply> {
  try {
    return yield dialect === "postgres" ? insertWithin(table, row) : insertOne(dialect, table, row);
  } catch (cause) {
    if (!isLockTimeout(cause)) throw cause;
    throw new Ongoing(`the local transaction of message ${row.gid} is still under way`, { cause });
  }
}

/** Less than the 3 s that a coordinator waits for an answer. */
const LOCK_WAIT = "2s";

/**
 * PostgreSQL knows no limit by default, and each question would hold a connection. The limit is set within the statement that waits, and for
 * it alone (it ends with the transaction, which is this statement): with a pool, the next statement may go to another connection.
 */
function insertWithin(table: TableName, row: BarrierRow): Statement {
  return rows`insert into ${new Raw(table.full)}(trans_type, gid, branch_id, op, barrier_id, reason, create_time, update_time)
    select ${row.transType}, ${row.gid}, ${row.branchId}, ${row.op}, ${row.id}, ${row.reason}, now(), now()
    from (select set_config('lock_timeout', '${new Raw(LOCK_WAIT)}', true) as limited) as clock where limited is not null
    on conflict (gid, branch_id, op, barrier_id) do nothing returning op`;
}

function branchOf({ branch }: Guard): Pick<BarrierRow, "transType" | "gid" | "branchId"> {
  return { transType: branch.transType, gid: branch.gid, branchId: branch.branchId };
}

const COLUMNS = ["trans_type", "gid", "branch_id", "op", "barrier_id", "reason"];
const NAMES = COLUMNS.join(", ");

/** How a row that is there already is left alone. */
const INSERT: Readonly<Record<Dialect, (table: string, tuple: Tuple) => string>> = {
  // The times are named since dtm's own script gives them no default, and rows without an age could never be cleaned up. The
  // columns of the conflict rather than the constraint's name: tables of other scripts named it differently.
  postgres: (table, tuple) => `insert into ${table}(${NAMES}, create_time, update_time) values ${tuple(", now(), now()")}
      on conflict (gid, branch_id, op, barrier_id) do nothing`,
  mysql: (table, tuple) => `insert ignore into ${table}(${NAMES}) values ${tuple("")}`,
  sqlite: (table, tuple) => `insert or ignore into ${table}(${NAMES}) values ${tuple("")}`,
};

/** The places of the rows' values, each row with `more` behind them. */
type Tuple = (more: string) => string;

/** What the statement answers with; the pid is PostgreSQL's only, and MySQL can't but count. */
const RETURNING = { count: "", ops: " returning op", "ops and pid": " returning op, pg_backend_pid() as pid" } as const;

type Answer = keyof typeof RETURNING;

type InsertText = Pick<Statement, "parts" | "expects" | "name">;

/** One table's statements: each text is the same for every call, and building it costs as much as all else here. */
type Texts = Partial<Record<Answer, InsertText>>;

const OF_ONE_ROW = new WeakMap<TableName, Texts>();
const OF_TWO_ROWS = new WeakMap<TableName, Texts>();

/** @param values - Of one row, or of two. */
function insertion(dialect: Dialect, table: TableName, answer: Answer, values: string[]): Statement {
  const count = values.length / COLUMNS.length;
  const known = count === 1 ? OF_ONE_ROW : OF_TWO_ROWS;
  let texts = known.get(table);
  if (texts === undefined) {
    texts = {};
    known.set(table, texts);
  }
  texts[answer] ??= buildInsert(dialect, table, answer, count);
  const { parts, expects, name } = texts[answer];
  return { parts, expects, name, values };
}

function buildInsert(dialect: Dialect, { full }: TableName, answer: Answer, count: number): InsertText {
  const places = COLUMNS.map(() => "?").join(", ");
  const tuple: Tuple = (more) => Array.from({ length: count }, () => `(${places}${more})`).join(", ");
  const text = INSERT[dialect](full, tuple) + RETURNING[answer];
  return { parts: text.split("?"), expects: answer === "count" ? "affected" : "rows", name: nameOf(text) };
}

/** Of the text alone: two copies of this package on one connection mustn't give two texts one name. */
function nameOf(text: string): string {
  return `dtm_barrier_${createHash("sha256").update(text).digest("hex").slice(0, 20)}`;
}

/** In the order of {@link COLUMNS}: the origin's row, if there is one, before the own. */
function valuesOf({ branch: { transType, gid, branchId, op }, id, origin }: Guard): string[] {
  if (origin === null) return [transType, gid, branchId, op, id, op];
  return [transType, gid, branchId, origin, id, op, transType, gid, branchId, op, id, op];
}

function insertOne(dialect: Dialect, table: TableName, row: BarrierRow): Statement {
  const { transType, gid, branchId, op, id, reason } = row;
  const answer = dialect === "mysql" ? "count" : "ops";
  return insertion(dialect, table, answer, [transType, gid, branchId, op, id, reason]);
}

/** Takes the lock that the insert takes anyway, and is refused by the server outside a transaction. */
function askPostgres(table: TableName): Statement {
  return nothing`lock table ${new Raw(table.full)} in row exclusive mode`;
}

/** Rows that this call wrote have its op as their reason. */
function takeBack(table: TableName, { branch, id, origin }: Guard): Statement {
  return affected`delete from ${new Raw(table.full)} where gid = ${branch.gid} and branch_id = ${branch.branchId}
    and op in (${branch.op}, ${origin ?? branch.op}) and barrier_id = ${id} and reason = ${branch.op}`;
}

/**
 * Takes back the row of work that has failed, if it is still there after the rollback: MySQL has committed it when the work made a table or began a
 * transaction of its own, and the next delivery would take the call for a finished one. By its id alone, since the row of another delivery that
 * came meanwhile is that one's own, and nobody is to wait for it.
 */
export function* takeBackRow(table: TableName, rowId: Raw): Steps<Reply> {
  return yield affected`delete from ${new Raw(table.full)} where id = ${rowId}`;
}

function fromOps(reply: Reply, own: string, origin: string | null): Inserted {
  const ops = new Set(rowsIn(reply, "the inserted rows").map((row) => row["op"]));
  for (const op of ops) {
    if (op !== own && op !== origin) throw unexpected("the ops of the inserted rows", JSON.stringify([...ops]));
  }
  return { own: ops.has(own), origin: origin !== null && ops.has(origin) };
}

/**
 * Where the answer only counts (MySQL): one of two means that the origin's row was there and the own one was not: an own row without its origin
 * can't come from any barrier, since both are written in one transaction, and `cleanUp` removes both together.
 */
function fromCount({ affected: count, rowId }: Reply, hasOrigin: boolean): Written {
  switch (count) {
    case 0:
      return { own: false, origin: false };
    case 1:
      return { own: true, origin: false, rowId };
    case 2:
      if (hasOrigin) return { own: true, origin: true, rowId };
      throw unexpected("at most one inserted row", "2");
    default:
      throw unexpected("the number of inserted rows", String(count));
  }
}

/** An answer that isn't understood must not count as "nothing was inserted": the work would be skipped, and that is a success. */
export function rowsIn({ rows: list }: Reply, what: string): readonly Row[] {
  if (list === undefined)
    throw unexpected(what, "an answer of another shape (does a hook or a plugin of the driver change results?)");
  return list;
}

/** Without it nothing can be decided, and a guess would be a false success. */
function unexpected(what: string, found: string): Error {
  return new Error(`expected the driver to report ${what}, found ${found}`);
}

export function notOpen(): DtmError {
  return new DtmError(
    "NOT_A_TRANSACTION",
    "expected a connection with an open transaction, found one without: begin the transaction first, and commit it after barrier.run",
  );
}

export function aborted(): DtmError {
  return new DtmError(
    "TRANSACTION_ABORTED",
    "expected the transaction to be whole after the work, found that one of its statements had failed and its error was swallowed: " +
      "PostgreSQL would answer COMMIT without an error and roll back",
  );
}

export function endedByWork(): DtmError {
  return new DtmError(
    "NOT_A_TRANSACTION",
    "expected the transaction to be open after the work, found that it has ended: the work must neither commit nor roll back, and on MySQL " +
      "neither swallow a deadlock's error (it rolls back everything) nor change tables (it commits)",
  );
}

export function leftOpen(): DtmError {
  return new DtmError(
    "TRANSACTION_OPEN",
    "expected the pool to give a connection without a transaction, found one that somebody began and never ended (it is closed now): " +
      "commit or roll back before release()",
  );
}

export function transactionOpen(): DtmError {
  return new DtmError(
    "TRANSACTION_OPEN",
    "expected queryPrepared to get a pool or a connection without a transaction, found an open transaction: " +
      "its answer could still be rolled back",
  );
}
