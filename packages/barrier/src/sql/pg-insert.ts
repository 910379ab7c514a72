/**
 * The barrier's insert as a query object of its own, with nothing asked back but how many rows it inserted: less work for the server and for
 * the driver than a described and listed row. Where it begins the transaction, BEGIN travels in the same message, and a guarded transaction
 * takes no round trip more than a bare one. pg has no call for either, but takes objects that speak on its connection (pg-cursor is one).
 */
import { isRecord } from "./statement.js";

/** A client of pg with the parts that a query object needs. */
export interface PgWire {
  query(query: object): unknown;
}

/** What pg hands to a query object: the messages of the extended query protocol. */
interface PgConnection {
  readonly stream: { cork(): void; uncork(): void };
  /** Which names the server has parsed, with their texts; pg's own queries look here, too. */
  readonly parsedStatements: Readonly<Record<string, string>>;
  parse(message: { name: string; text: string; types: readonly number[] }): void;
  bind(message: { portal: string; statement: string; values: readonly unknown[] }): void;
  execute(message: { portal: string; rows: number }): void;
  sync(): void;
}

interface NamedStatement {
  readonly name: string;
  readonly text: string;
  readonly values: readonly unknown[];
}

/** Null for a client that can't: pg's native one, one in pipeline mode (which refuses query objects), a stand-in, an older pg. */
export function wireOf(client: object): PgWire | null {
  const connection: unknown = Reflect.get(client, "connection");
  if (Reflect.get(client, "pipeline") === true || !isConnection(connection)) return null;
  return client as PgWire;
}

function isConnection(value: unknown): value is PgConnection {
  if (!isRecord(value) || !isRecord(value["parsedStatements"]) || !isRecord(value["stream"])) return false;
  const { stream } = value;
  // Before pg 8.2 every message was a piece of one buffer, which the next one overwrites while they wait for each other.
  if ("writer" in value) return false;
  return (
    ["parse", "bind", "execute", "sync"].every((method) => typeof value[method] === "function") &&
    ["cork", "uncork"].every((method) => typeof stream[method] === "function")
  );
}

/**
 * Runs an insert that has a name, and tells how many rows it inserted.
 *
 * @param begins - It is the first statement of a transaction, which it begins.
 */
export function sendInsert(client: PgWire, statement: NamedStatement, begins: boolean): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    const sent: unknown = client.query(
      new Insert(statement, begins, (cause, inserted) => {
        if (cause) reject(cause);
        else resolve(inserted);
      }),
    );
    // pg answers with the query object itself; who wraps pg's clients may answer with a promise, and refuse by it.
    if (isRecord(sent) && typeof sent["then"] === "function") Promise.resolve(sent).catch(reject);
  });
}

const INSERTED = /^INSERT \d+ (\d+)$/;

/**
 * pg calls its methods as the server's messages come in. At each ParseComplete it notes `name` as known to the server, so the statement is
 * parsed before BEGIN is: whichever of the two answers is noted, the name is known by then.
 */
class Insert {
  readonly name: string;
  readonly text: string;
  private inserted: number | undefined;

  constructor(
    private readonly statement: NamedStatement,
    private readonly begins: boolean,
    /** pg puts its own around it when the client has a `query_timeout`. */
    private callback: (cause: unknown, inserted?: number) => void,
  ) {
    this.name = statement.name;
    this.text = statement.text;
  }

  submit(connection: PgConnection): null {
    const { name, text, values } = this.statement;
    connection.stream.cork();
    try {
      if (connection.parsedStatements[name] === undefined) connection.parse({ name, text, types: [] });
      if (this.begins) {
        connection.parse({ name: "", text: "begin", types: [] });
        connection.bind({ portal: "", statement: "", values: [] });
        connection.execute({ portal: "", rows: 0 });
      }
      connection.bind({ portal: "", statement: name, values });
      connection.execute({ portal: "", rows: 0 });
      connection.sync();
    } finally {
      connection.stream.uncork();
    }
    return null;
  }

  handleCommandComplete(message: { text?: unknown }): void {
    const found = typeof message.text === "string" ? INSERTED.exec(message.text) : null;
    if (found !== null) this.inserted = Number(found[1]);
  }

  handleReadyForQuery(): void {
    this.callback(null, this.inserted);
  }

  handleError(cause: unknown): void {
    this.callback(cause);
  }

  handleRowDescription(): void {}

  handleDataRow(): void {}

  handlePortalSuspended(): void {}

  handleEmptyQuery(): void {}
}
