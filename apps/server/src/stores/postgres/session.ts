/** A lane's connection. Nothing here outlives a transaction, so a pooler may hand each one another connection of its own. */
import { HALTED_S, type Session, type Trouble } from "../relational/database.js";
import type { Statements } from "../relational/statements.js";
import { type Connection, cut } from "./connection.js";
import { troubleOf } from "./errors.js";
import type { Naming } from "./prepared.js";
import { forgetLane, lastBatch, noteBatch } from "./sql/lanes.js";
import { statementsOn } from "./statements.js";

/**
 * READ COMMITTED whatever the server's default. The rows of a batch are always found by an index; what the planner believes of a table
 * that grew since it was last analysed must not make it read all of it. Compiling takes longer than any of these statements.
 */
const BEGIN = `
  BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE;
  SET LOCAL jit = off; SET LOCAL enable_seqscan = off; SET LOCAL enable_hashjoin = off; SET LOCAL enable_mergejoin = off;
  SET LOCAL plan_cache_mode = force_generic_plan; SET LOCAL idle_in_transaction_session_timeout = '${HALTED_S}s'`;

export class PostgresSession implements Session {
  readonly statements: Statements;
  #noted: () => Promise<void> = async () => undefined;

  constructor(
    readonly connection: Connection,
    private readonly naming: Naming,
    private readonly ended: () => Promise<void>,
  ) {
    this.statements = statementsOn(connection);
  }

  get changes(): number {
    return this.connection.changes;
  }

  begin(): void {
    this.connection.begin(BEGIN);
  }

  commit(): Promise<void> {
    return this.connection.control("COMMIT");
  }

  rollback(): Promise<void> {
    return this.connection.undo("ROLLBACK");
  }

  savepoint(): Promise<void> {
    return this.connection.control("SAVEPOINT one");
  }

  release(): Promise<void> {
    return this.connection.control("RELEASE SAVEPOINT one");
  }

  rollbackToSavepoint(): Promise<void> {
    return this.connection.undo("ROLLBACK TO SAVEPOINT one; RELEASE SAVEPOINT one");
  }

  noteBatch(lane: string, token: string): void {
    this.#noted = noteBatch(this.connection, lane, token);
  }

  noted(): Promise<void> {
    return this.#noted();
  }

  lastBatch(lane: string): Promise<string | null> {
    return lastBatch(this.connection, lane);
  }

  forgetLane(lane: string): Promise<void> {
    return forgetLane(this.connection, lane);
  }

  troubleOf(cause: unknown): Trouble {
    this.naming.doubt(cause);
    return troubleOf(cause, this.connection.broken);
  }

  destroy(): void {
    cut(this.connection.client);
  }

  close(): Promise<void> {
    return this.ended();
  }
}
