/**
 * BEGIN and the barrier's insert in one statement, a block without a name: on MariaDB a guarded transaction takes no round trip more than a
 * bare one. MySQL has no such statement, and a proxy that reads along (MaxScale) may overlook that a block begins a transaction.
 */
import { hasCode } from "./error-codes.js";
import { type Executor, isRecord, rows, type Statement, withQuestionMarks } from "./statement.js";

/** A connection that a transaction is to be begun on. */
interface Beginning {
  readonly pool: object;
  readonly connection: { readonly threadId?: unknown };
  begin(): PromiseLike<unknown>;
}

/** Null where it takes a statement of its own to begin. `executor` works on the same connection. */
export async function mariadbOpening({ pool, connection, begin }: Beginning, executor: Executor): Promise<Executor | null> {
  const key = lasting(pool);
  if (!(TAKES_BLOCKS.get(key) ?? (await asks(key, connection, executor)))) return null;
  let sent = false;
  return {
    ...executor,
    open: true,
    async send(statement) {
      if (sent) return await executor.send(statement);
      sent = true;
      try {
        return await executor.send(inBlock(statement));
      } catch (cause) {
        if (!hasCode(cause, SYNTAX_ERROR)) throw cause;
        // A block is parsed whole before anything of it is done. Should a trigger have said so, the insert comes to the same end again.
        TAKES_BLOCKS.set(key, false);
        await begin();
        return await executor.send(statement);
      }
    },
  };
}

/** What the servers of a pool take, as far as it is known. */
const TAKES_BLOCKS = new WeakMap<object, boolean>();

/** ER_PARSE_ERROR. */
const SYNTAX_ERROR: ReadonlySet<unknown> = new Set([1064, "1064", "ER_PARSE_ERROR"]);

/** Whether MariaDB answers, and is who greeted the connection: nobody is in between. A question that fails is asked again next time. */
async function asks(key: object, { threadId }: Beginning["connection"], executor: Executor): Promise<boolean> {
  try {
    const reply = await executor.send(rows`select version() as version, connection_id() as id`);
    const { version, id } = reply.rows?.[0] ?? {};
    const takes = /mariadb/i.test(String(version)) && String(id) === String(threadId);
    TAKES_BLOCKS.set(key, takes);
    return takes;
  } catch {
    return false;
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
    parts = `begin not atomic start transaction; ${withQuestionMarks(statement)}; end`.split("?");
    BLOCKS.set(statement.parts, parts);
  }
  return { ...statement, parts };
}
