/**
 * BEGIN and the barrier's insert in one statement, a block without a name: on MariaDB a guarded transaction takes no round trip more than a
 * bare one. MySQL has no such statement, and a proxy that reads along (MaxScale) may overlook that a block begins a transaction.
 *
 * What somebody left open on the connection is rolled back with it, since BEGIN would commit it.
 */
import { hasCode } from "./error-codes.js";
import { type Executor, isRecord, type Left, Raw, type Reply, rows, type Statement, withQuestionMarks } from "./statement.js";

/** A connection that has been greeted by its server. */
export interface Greeted {
  readonly threadId?: unknown;
}

/** Rolls back and begins in one statement, with the level that is set for the next transaction. */
export const BEGIN_ANEW = "rollback and chain";

/**
 * How a transaction is begun: by a block with the insert, by {@link BEGIN_ANEW}, or by one statement after another, since a proxy that reads along
 * may see no more in that than its ROLLBACK.
 */
export type Way = "block" | "anew" | "apart";

/** What the servers of a pool take, as far as it is known. */
const WAYS = new WeakMap<object, Way>();

/** A block's answer doesn't say what it inserted. The session's variable keeps it, whatever the work inserts afterwards. */
const ROW_ID = new Raw("@dtm_barrier_row");

/** ER_PARSE_ERROR. */
const SYNTAX_ERROR: ReadonlySet<unknown> = new Set([1064, "1064", "ER_PARSE_ERROR"]);

/** Undefined as long as nobody has asked. */
export function wayOf(pool: object): Way | undefined {
  return WAYS.get(lasting(pool));
}

/** Whether who answers is who greeted the connection: nobody is in between. A question that fails is asked again next time. */
export async function askWay(pool: object, { threadId }: Greeted, executor: Executor): Promise<Way> {
  try {
    const reply = await executor.send(rows`select version() as version, connection_id() as id`);
    const { version, id } = reply.rows?.[0] ?? {};
    const way = String(id) !== String(threadId) ? "apart" : /mariadb/i.test(String(version)) ? "block" : "anew";
    WAYS.set(lasting(pool), way);
    return way;
  } catch {
    return "apart";
  }
}

/** Of mysql2 each `pool.promise()` is another object around the same pool. */
function lasting(pool: object): object {
  const inner: unknown = Reflect.get(pool, "pool");
  return isRecord(inner) ? inner : pool;
}

/** Begins a transaction by the first statement that it is given. */
export class Block implements Executor<Promise<Reply>> {
  readonly dialect = "mysql";
  readonly open = true;
  private sent = false;

  /**
   * @param executor - Works on the connection that the transaction is to be begun on.
   * @param beginApart - Begins it there by statements of their own.
   */
  constructor(
    private readonly pool: object,
    private readonly executor: Executor<Promise<Reply>>,
    private readonly beginApart: () => Promise<void>,
  ) {}

  left(): PromiseLike<Left> | Left {
    return this.executor.left?.() ?? "open";
  }

  async send(statement: Statement): Promise<Reply> {
    if (this.sent) return await this.executor.send(statement);
    this.sent = true;
    try {
      const { affected, open } = await this.executor.send(inBlock(statement));
      return { affected, open, rowId: ROW_ID };
    } catch (cause) {
      if (!hasCode(cause, SYNTAX_ERROR)) throw cause;
      // A block is parsed whole before anything of it is done. Should a trigger have said so, the insert comes to the same end again.
      WAYS.set(lasting(this.pool), "apart");
      await this.beginApart();
      return await this.executor.send(statement);
    }
  }
}

const BLOCKS = new WeakMap<readonly string[], readonly string[]>();

function inBlock(statement: Statement): Statement {
  let parts = BLOCKS.get(statement.parts);
  if (parts === undefined) {
    const insert = `${withQuestionMarks(statement)}; set ${ROW_ID.text} = last_insert_id()`;
    parts = `begin not atomic ${BEGIN_ANEW}; ${insert}; end`.split("?");
    BLOCKS.set(statement.parts, parts);
  }
  return { ...statement, parts };
}
