/** One connection to PostgreSQL: statements with bound parameters, rows as arrays, and an end to every wait. */
import type { Socket } from "node:net";
import pg from "pg";
import { within } from "../relational/line.js";
import type { Prepared } from "./prepared.js";
import type { Tables } from "./tables.js";

export type Cell = string | number | boolean | Uint8Array | null;
export type Row = readonly Cell[];
export type Bound = string | number | boolean | null;

export interface Request {
  readonly sql: string;
  readonly values: readonly Bound[];
}

/** What a statement needs, whether it comes from a lane's connection or from the pool. */
export interface Query {
  readonly tables: Tables;
  rows(sql: string, values: readonly Bound[]): Promise<readonly Row[]>;
  /** How many rows it changed. */
  run(sql: string, values: readonly Bound[]): Promise<number>;
  /** Sent at once and not waited for; if it fails, so does whatever is waited for next, with its error. Inside a transaction only. */
  later(sql: string, values: readonly Bound[]): void;
}

/** The server stopped answering; the connection is useless. */
export class NoAnswer extends Error {
  override readonly name = "NoAnswer";
}

/** No text of PostgreSQL's has a NUL: a message ends there, and the server would take what follows for a broken protocol. */
export class HasNul extends Error {
  override readonly name = "HasNul";
}

/** Above any ordinary statement, below what a caller waits for. */
export const ANSWER_MS = 15_000;
const INT8 = 20;

/** Ids, versions and milliseconds are far below 2^53. */
export const TYPES: pg.CustomTypesConfig = {
  getTypeParser: (oid: number, format?: "text" | "binary") => (oid === INT8 ? Number : pg.types.getTypeParser(oid, format)),
};

export class Connection implements Query {
  changes = 0;
  /** The connection ended, or must not be used any more. */
  broken = false;
  /** What went wrong first among the statements that nobody waited for. */
  #failure: { readonly cause: unknown } | null = null;
  #unansweredYet: Promise<void> = Promise.resolve();
  #corked = false;
  /** BEGIN, and what belongs to it, not sent yet. */
  #opening: string[] = [];
  /** Sent by itself, and not answered yet. */
  #beginning: Promise<void> | null = null;

  /** `prepares` is null where a pooler may hand each transaction another connection of its own (prepared.ts). */
  constructor(
    readonly client: pg.Client | pg.PoolClient,
    readonly tables: Tables,
    private readonly prepared: Prepared | null = null,
  ) {
    client.on("error", () => {
      this.broken = true;
    });
    client.on("end", () => {
      this.broken = true;
    });
  }

  /** Goes in front of what is sent next, and that either in the same message or once it has succeeded: nothing is done without a transaction. */
  begin(sql: string): void {
    this.#failure = null;
    this.#beginning = null;
    this.#opening = [sql];
  }

  /** All in one message, with BEGIN where it wasn't sent yet; the server does nothing behind the first that fails. */
  async burst(requests: readonly Request[]): Promise<readonly Answer[]> {
    refuseNul(requests);
    this.changes++;
    const begin = this.#opening.slice(0, 1);
    const note = this.#opening.slice(1);
    // Behind BEGIN: under an isolation of the operator's, PREPARE would take the snapshot before BEGIN can set ours.
    const prepares = this.prepared?.missing(requests) ?? [];
    const all = [...begin, ...prepares, ...note, ...requests.map((request) => this.#text(request))];
    this.#opening = [];
    // Without values it is the simple protocol, whose answers are as many as the statements.
    const answers: unknown = await this.#answered(this.#sent({ text: all.join(";\n"), rowMode: "array" }));
    const list = Array.isArray(answers) ? (answers as readonly Answer[]) : [answers as Answer];
    return list.slice(list.length - requests.length);
  }

  #text(request: Request): string {
    return this.prepared?.execute(request) ?? inFull(request);
  }

  /** Goes with BEGIN, or where that was sent, like what isn't waited for. The function returned ends when it was done. */
  note(sql: string, values: readonly Bound[]): () => Promise<void> {
    if (this.#opening.length > 0) {
      this.changes++;
      this.#opening.push(inFull({ sql, values }));
      return () => this.#begun();
    }
    this.later(sql, values);
    const answered = this.#unansweredYet;
    return () => this.#inTime(answered);
  }

  /** Whoever asks meanwhile waits for the same answer, and goes on in the order of asking. */
  #begun(): Promise<void> {
    if (this.#opening.length > 0) {
      const opening = this.#opening.join(";\n");
      this.#opening = [];
      this.#beginning = this.#inTime(this.#sent(opening)).then(() => {
        this.#beginning = null;
      });
    }
    return this.#beginning ?? Promise.resolve();
  }

  /** Several statements at once, without parameters. */
  async control(sql: string): Promise<void> {
    await this.#begun();
    await this.#answered(this.#sent(sql));
  }

  /** Takes back what failed, too. */
  async undo(sql: string): Promise<void> {
    this.#opening = [];
    this.#beginning = null;
    await this.#inTime(asked(this.client, sql));
    this.#failure = null;
  }

  later(sql: string, values: readonly Bound[]): void {
    this.changes++;
    if (this.#opening.length > 0 || this.#beginning !== null)
      throw new Error("a statement that nobody waits for came before its transaction had begun");
    this.#unanswered(this.#sent({ text: sql, values: [...values] }));
  }

  async rows(sql: string, values: readonly Bound[]): Promise<readonly Row[]> {
    await this.#begun();
    const result = await this.#answered(this.#sent({ text: sql, values: [...values], rowMode: "array" }));
    if (result.command !== "SELECT") this.changes += result.rowCount ?? 0;
    return result.rows;
  }

  async run(sql: string, values: readonly Bound[]): Promise<number> {
    await this.#begun();
    const { rowCount } = await this.#answered(this.#sent({ text: sql, values: [...values] }));
    this.changes += rowCount ?? 0;
    return rowCount ?? 0;
  }

  /** What is asked for in one turn travels in one write. */
  #sent(query: string | pg.QueryConfig | pg.QueryArrayConfig): Promise<pg.QueryArrayResult<Cell[]>> {
    const stream = streamOf(this.client);
    if (stream !== undefined && !this.#corked) {
      this.#corked = true;
      stream.cork();
      process.nextTick(() => {
        this.#corked = false;
        stream.uncork();
      });
    }
    return asked(this.client, query);
  }

  /** What was not waited for has been answered before, so a success says that it succeeded as well, and COMMIT that it wasn't a ROLLBACK. */
  async #answered<T>(work: Promise<T>): Promise<T> {
    try {
      const answer = await this.#inTime(work);
      if (this.#failure === null) return answer;
    } catch (cause) {
      if (this.#failure === null) throw cause;
    }
    throw this.#failure.cause;
  }

  #inTime<T>(work: Promise<T>): Promise<T> {
    return inTime(work, ANSWER_MS, () => {
      this.broken = true;
    });
  }

  #unanswered(work: Promise<unknown>): void {
    this.#unansweredYet = work.then(
      () => undefined,
      (cause: unknown) => {
        this.#failure ??= { cause };
      },
    );
  }
}

/** Rejects with NoAnswer when it takes longer, and `late` is told first; what was asked may still be done. */
export async function inTime<T>(work: Promise<T>, limitMs = ANSWER_MS, late?: () => void): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const silence = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      late?.();
      reject(new NoAnswer(`the database gave no answer for ${limitMs / 1000} s`));
    }, limitMs);
  });
  try {
    return await Promise.race([work, silence]);
  } finally {
    clearTimeout(timer);
  }
}

/** The answer to one statement of several. */
export interface Answer {
  readonly rows: readonly Row[];
  readonly rowCount: number | null;
}

/** Before names are given to statements, which are sent then. */
function refuseNul(requests: readonly Request[]): void {
  for (const { values } of requests)
    for (const value of values)
      if (typeof value === "string" && value.includes("\0")) throw new HasNul("a text has a NUL, which no column takes");
}

/**
 * With its values in it; each is written as a literal, which takes the type that the statement gives its parameter. What looks like a
 * parameter in a schema's name is none.
 */
function inFull({ sql, values }: Request): string {
  return sql.replaceAll(/"[^"]*"|\$(\d+)/g, (whole, place: string | undefined) =>
    place === undefined ? whole : literal(values[Number(place) - 1] ?? null),
  );
}

export function literal(value: Bound): string {
  if (typeof value !== "string") return value === null ? "NULL" : String(value);
  // As pg.escapeLiteral, which goes through it sign by sign: these are columns of whole batches.
  const text = value.includes("'") ? value.replaceAll("'", "''") : value;
  return text.includes("\\") ? ` E'${text.replaceAll("\\", "\\\\")}'` : `'${text}'`;
}

/** By a callback: what pg's promises stand for is kept until the old generation is collected (docs/decisions/garbage.md). */
function asked(
  client: pg.Client | pg.PoolClient,
  query: string | pg.QueryConfig | pg.QueryArrayConfig,
): Promise<pg.QueryArrayResult<Cell[]>> {
  return new Promise((resolve, reject) => {
    // Its types know the two kinds of rows apart, and not that this takes both.
    client.query(query as pg.QueryArrayConfig, (cause: Error | null, result: pg.QueryArrayResult<Cell[]>) => {
      if (cause) reject(cause);
      else resolve(result);
    });
  });
}

/** One that must not commit any more: the socket is cut, and the server rolls back. */
export function cut(client: pg.Client | pg.PoolClient): void {
  client.on("error", () => undefined);
  streamOf(client)?.destroy();
}

/** How long a good-bye may take. */
const LEAVE_MS = 2_000;

/** In order, if that is possible soon: the driver would wait for the answers to all that was asked. */
export async function leave(client: pg.Client): Promise<void> {
  try {
    await within(performance.now() + LEAVE_MS, client.end());
  } catch {
    cut(client);
  }
}

function streamOf(client: pg.Client | pg.PoolClient): Socket | undefined {
  return (client as unknown as { readonly connection?: { readonly stream?: Socket } }).connection?.stream;
}
