/**
 * A lane's statements are prepared once per connection, since parsing and planning them costs about as much as running them for a batch. Not
 * behind a pooler that hands each transaction another connection: it isn't there that the name was given.
 */
import pg from "pg";
import { literal, type Request } from "./connection.js";

/** Only on that connection would they know the name, or would it be taken. */
const UNKNOWN_NAME = "26000";
const TAKEN_NAME = "42P05";

/** Whether names are given at all; one for all connections of a store. */
export class Naming {
  #works = true;

  /** Null: it can't be shown that this connection is the server's own. */
  async on(client: pg.Client): Promise<Prepared | null> {
    if (!this.#works) return null;
    const { rows } = await client.query<{ pid: number }>("SELECT pg_backend_pid() AS pid");
    return rows[0]?.pid === processOf(client) ? new Prepared() : null;
  }

  /** A name that isn't there, or is there already: somebody is in between after all. */
  doubt(cause: unknown): void {
    if (cause instanceof pg.DatabaseError && (cause.code === UNKNOWN_NAME || cause.code === TAKEN_NAME)) this.#works = false;
  }
}

/** The process that greeted the client; a pooler greets with a number of its own. */
function processOf(client: pg.Client): unknown {
  return (client as unknown as { readonly processID?: unknown }).processID;
}

export class Prepared {
  readonly #names = new Map<string, string>();

  /** What must be sent before these; a rollback leaves it as it is. */
  missing(requests: readonly Request[]): string[] {
    const statements: string[] = [];
    for (const { sql } of requests) {
      if (this.#names.has(sql)) continue;
      const name = `dtm_${this.#names.size + 1}`;
      this.#names.set(sql, name);
      statements.push(`PREPARE ${name} AS ${sql}`);
    }
    return statements;
  }

  execute({ sql, values }: Request): string {
    const name = this.#names.get(sql);
    if (name === undefined) throw new Error("a statement was executed before it was prepared");
    return values.length === 0 ? `EXECUTE ${name}` : `EXECUTE ${name}(${values.map(literal).join(", ")})`;
  }
}
