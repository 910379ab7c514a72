/**
 * BEGIN and the barrier's insert in one statement, a block without a name: on MariaDB a guarded transaction takes no round trip more than a
 * bare one. MySQL has no such statement, and a proxy that reads along (MaxScale) may overlook that a block begins a transaction.
 *
 * What somebody left open on the connection is rolled back with it, since BEGIN would commit it.
 */
import { hasCode } from "./error-codes.js";
import { type Executor, isRecord, Raw, rows, type Statement, withQuestionMarks } from "./statement.js";

/** A connection that a transaction is to be begun on. */
interface Beginning {
  readonly pool: object;
  readonly connection: { readonly threadId?: unknown };
  begin(): PromiseLike<unknown>;
}

/** Null where it takes a statement of its own to begin. `executor` works on the same connection. */
export async function mariadbOpening({ pool, connection, begin }: Beginning, executor: Executor): Promise<Executor | null> {
  const key = lasting(pool);
  if ((WAYS.get(key) ?? (await asks(key, connection, executor))) !== "block") return null;
  let sent = false;
  return {
    ...executor,
    open: true,
    async send(statement) {
      if (sent) return await executor.send(statement);
      sent = true;
      try {
        return { ...(await executor.send(inBlock(statement))), rowId: ROW_ID };
      } catch (cause) {
        if (!hasCode(cause, SYNTAX_ERROR)) throw cause;
        // A block is parsed whole before anything of it is done. Should a trigger have said so, the insert comes to the same end again.
        WAYS.set(key, "apart");
        await begin();
        return await executor.send(statement);
      }
    },
  };
}

/** Rolls back and begins in one statement, with the level that is set for the next transaction. */
export const BEGIN_ANEW = "rollback and chain";

/** Whether {@link BEGIN_ANEW} may be said on a connection of the pool: a proxy that reads along may see no more in it than its ROLLBACK. */
export function beginsAnew(pool: object): boolean {
  const way = WAYS.get(lasting(pool));
  return way === "block" || way === "anew";
}

/** How a transaction is begun: by a block with the insert, by a statement of its own that ends what was there, or by one after another. */
type Way = "block" | "anew" | "apart";

/** What the servers of a pool take, as far as it is known. */
const WAYS = new WeakMap<object, Way>();

/** A block's answer doesn't say what it inserted. The session's variable keeps it, whatever the work inserts afterwards. */
const ROW_ID = new Raw("@dtm_barrier_row");

/** ER_PARSE_ERROR. */
const SYNTAX_ERROR: ReadonlySet<unknown> = new Set([1064, "1064", "ER_PARSE_ERROR"]);

/** Whether who answers is who greeted the connection: nobody is in between. A question that fails is asked again next time. */
async function asks(key: object, { threadId }: Beginning["connection"], executor: Executor): Promise<Way> {
  try {
    const reply = await executor.send(rows`select version() as version, connection_id() as id`);
    const { version, id } = reply.rows?.[0] ?? {};
    const way = String(id) !== String(threadId) ? "apart" : /mariadb/i.test(String(version)) ? "block" : "anew";
    WAYS.set(key, way);
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
