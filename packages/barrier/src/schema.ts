/** The barrier's table (protocol.md 5.5): its statements per database, its creation, and the removal of old rows. */
import { DtmError } from "@dtm/protocol";
import { rowsIn, type Steps } from "./sql/rows.js";
import { affected, type Dialect, nothing, Raw, type Reply, rows, type Statement } from "./sql/statement.js";
import { type TableName, tableName } from "./sql/table.js";
import { isCreatedAtOnce, isMissingSchema } from "./sql/trouble.js";

/** Options of {@link barrierTableSql}. */
export interface BarrierTableOptions {
  /** MariaDB counts as `mysql`. */
  readonly dialect: Dialect;
  /** `table` or `schema.table`; default `dtm_barrier.barrier`, on SQLite `barrier`. */
  readonly table?: string;
}

/**
 * The statements that create the barrier's table, for a migration of your own; each may be repeated.
 *
 * @throws DtmError OPTION_INVALID for a table name that isn't plain.
 */
export function barrierTableSql(options: BarrierTableOptions): readonly string[] {
  const table = tableName(options.dialect, options.table);
  const schema = createSchema(options.dialect, table);
  return [...(schema === null ? [] : [schema]), ...createTable(options.dialect, table)];
}

/**
 * Creates the barrier's table unless it is there, through any way to execute a statement; `barrier.createTable(db)` of a driver's
 * entry point is shorter. Several processes may do so at once. On PostgreSQL it may be part of a transaction, such as a migration's.
 *
 * @param execute - Runs one statement without values.
 */
export async function createBarrierTable(execute: (sql: string) => unknown, options: BarrierTableOptions): Promise<void> {
  const steps = createTableSteps(options.dialect, tableName(options.dialect, options.table));
  let step = steps.next();
  while (step.done !== true) {
    try {
      await execute(step.value.parts.join(""));
    } catch (cause) {
      step = steps.throw(cause);
      continue;
    }
    step = steps.next({});
  }
}

/** Two who create it at once can both find it missing, and the slower one is refused: it finds it the next time. */
const ATTEMPTS = 5;

/**
 * Who may use a table often may not create one, and an index on one that is there and big would take its time: so it is only looked for, at
 * first. Nor is the schema created unless it is missing.
 */
export function* createTableSteps(dialect: Dialect, table: TableName): Steps<void> {
  // PostgreSQL looks within the statement that creates.
  if (dialect !== "postgres" && (yield* isThere(table))) return;
  const schema = createSchema(dialect, table);
  for (let attempt = 1; ; attempt++) {
    try {
      if (dialect === "postgres") yield plain(createUnlessThere(table));
      else for (const sql of createTable(dialect, table)) yield plain(sql);
      return;
    } catch (cause) {
      if (attempt === ATTEMPTS) throw cause;
      if (schema !== null && isMissingSchema(cause)) yield* unlessAtOnce(plain(schema));
      else if (!isCreatedAtOnce(cause)) throw cause;
    }
  }
}

/** Whatever the reason why it can't be read: creating it says what is wrong, if anything is. */
function* isThere({ full }: TableName): Steps<boolean> {
  try {
    yield rows`select 1 from ${new Raw(full)} where 1 = 0`;
    return true;
  } catch {
    return false;
  }
}

/** To try and see it fail would abort the transaction that a migration runs in, and its `execute` needn't give us the rows of a question. */
function createUnlessThere(table: TableName): string {
  const schema = createSchema("postgres", table);
  const first = schema === null ? "" : `if to_regnamespace('${table.schema}') is null then ${schema}; end if;`;
  const body = `begin if to_regclass('${table.full}') is null then ${first}
${createTable("postgres", table).join(";\n")};
end if; end`;
  return `do '${body.replaceAll("'", "''")}'`;
}

function* unlessAtOnce(statement: Statement): Steps<void> {
  try {
    yield statement;
  } catch (cause) {
    if (!isCreatedAtOnce(cause)) throw cause;
  }
}

function plain(sql: string): Statement {
  return nothing`${new Raw(sql)}`;
}

function createSchema(dialect: Dialect, { schema }: TableName): string | null {
  if (schema === null) return null;
  switch (dialect) {
    case "postgres":
      return `create schema if not exists ${schema}`;
    case "mysql":
      return `create database if not exists ${schema} default character set utf8mb4`;
    case "sqlite":
      return null; // an attached database, which only the application can attach
  }
}

function createTable(dialect: Dialect, { full, name }: TableName): readonly string[] {
  switch (dialect) {
    case "postgres":
      return [
        `create sequence if not exists ${full}_seq`,
        `create table if not exists ${full} (
  id bigint not null default nextval('${full}_seq') primary key,
  trans_type varchar(45) default '',
  gid varchar(128) default '',
  branch_id varchar(128) default '',
  op varchar(45) default '',
  barrier_id varchar(45) default '',
  reason varchar(45) default '',
  create_time timestamp(0) with time zone default now(),
  update_time timestamp(0) with time zone default now(),
  constraint uniq_${name} unique (gid, branch_id, op, barrier_id)
)`,
        `create index if not exists ${name}_create_time on ${full} (create_time)`,
      ];
    case "mysql":
      // Compared letter by letter: with dtm's own collation "Order-1" and "order-1" would be one transaction. dtm's script has an index on
      // update_time too, which nobody reads and every call would pay for.
      return [
        `create table if not exists ${full} (
  id bigint not null auto_increment primary key,
  trans_type varchar(45) default '',
  gid varchar(128) default '',
  branch_id varchar(128) default '',
  op varchar(45) default '',
  barrier_id varchar(45) default '',
  reason varchar(45) default '' comment 'the op that inserted this row',
  create_time datetime default now(),
  update_time datetime default now(),
  key (create_time),
  unique key uniq_${name} (gid, branch_id, op, barrier_id)
) engine = InnoDB default charset = utf8mb4 collate = utf8mb4_bin`,
      ];
    case "sqlite":
      return [
        `create table if not exists ${full} (
  id integer primary key,
  trans_type text not null default '',
  gid text not null default '',
  branch_id text not null default '',
  op text not null default '',
  barrier_id text not null default '',
  reason text not null default '',
  create_time text not null default (datetime('now')),
  update_time text not null default (datetime('now')),
  constraint uniq_${name} unique (gid, branch_id, op, barrier_id)
)`,
        `create index if not exists ${full}_create_time on ${name} (create_time)`,
      ];
  }
}

/** What is old enough to be deleted. */
export interface CleanUpOptions {
  /** Age in days since the branch's newest row; default 30, at least 1. Longer than the coordinator ever retries. */
  readonly olderThanDays?: number;
  /** Rows per statement; default 1000, 1 to 100000. */
  readonly batch?: number;
  /** `table` or `schema.table`; default `dtm_barrier.barrier`, on SQLite `barrier`. */
  readonly table?: string;
}

/** What a clean-up did. */
export interface CleanUpResult {
  /** Rows that were deleted. */
  readonly deleted: number;
}

/**
 * Deletes in chunks. The rows of one branch go together, once the newest of them is old: an undo whose origin's row was gone would
 * be taken for an empty one, and its origin, delivered late, would run.
 */
export function* cleanUpSteps(dialect: Dialect, table: TableName, options: CleanUpOptions): Steps<CleanUpResult> {
  const days = whole("olderThanDays", options.olderThanDays ?? 30, { min: 1, max: 36_500 });
  const batch = whole("batch", options.batch ?? 1000, { min: 1, max: 100_000 });
  if (dialect === "postgres") {
    // dtm's table has no default there and its Go SDK writes no time: such rows age from the first clean-up that sees them.
    yield nothing`update ${new Raw(table.full)} set create_time = now() where create_time is null`;
  }
  let deleted = 0;
  // Ends: each round deletes at least one of the rows that are old, and no row becomes older than the database's clock says.
  for (;;) {
    const count = deletedBy(yield deleteOld(dialect, table, { days, batch }));
    deleted += count;
    if (count === 0) return { deleted };
  }
}

function deletedBy(reply: Reply): number {
  return reply.affected ?? rowsIn(reply, "the deleted rows").length;
}

function deleteOld(dialect: Dialect, { full }: TableName, { days, batch }: { days: number; batch: number }): Statement {
  const table = new Raw(full);
  switch (dialect) {
    case "postgres":
      return rows`with old as (
    select gid, branch_id from ${table} a where create_time < now() - make_interval(days => ${new Raw(String(days))})
      and not exists (select 1 from ${table} y where y.gid = a.gid and y.branch_id = a.branch_id
        and y.create_time >= now() - make_interval(days => ${new Raw(String(days))}))
    limit ${new Raw(String(batch))}
  ), gone as (
    delete from ${table} where (gid, branch_id) in (select gid, branch_id from old) returning id
  ) select id from gone`;
    case "mysql":
      // The second look for a young row reads what is committed by then, not what was when the statement began: the undo that came
      // in between keeps its origin's row.
      return affected`delete a from (
    select distinct gid, branch_id from ${table} o where create_time < now() - interval ${new Raw(String(days))} day
      and not exists (select 1 from ${table} n where n.gid = o.gid and n.branch_id = o.branch_id
        and n.create_time >= now() - interval ${new Raw(String(days))} day)
    limit ${new Raw(String(batch))}
  ) old straight_join ${table} a on a.gid = old.gid and a.branch_id = old.branch_id
  left join ${table} y on y.gid = a.gid and y.branch_id = a.branch_id
    and y.create_time >= now() - interval ${new Raw(String(days))} day
  where y.id is null`;
    case "sqlite":
      return rows`delete from ${table} where (gid, branch_id) in (
    select gid, branch_id from ${table} a where create_time < datetime('now', '-${new Raw(String(days))} days')
      and not exists (select 1 from ${table} y where y.gid = a.gid and y.branch_id = a.branch_id
        and y.create_time >= datetime('now', '-${new Raw(String(days))} days'))
    limit ${new Raw(String(batch))}
  ) returning id`;
  }
}

function whole(name: string, value: unknown, { min, max }: { min: number; max: number }): number {
  if (typeof value !== "number" || !Number.isInteger(value) || value < min || value > max) {
    throw new DtmError("OPTION_INVALID", `expected ${name} to be a whole number from ${min} to ${max}, found ${String(value)}`);
  }
  return value;
}
