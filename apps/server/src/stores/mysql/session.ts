/** A lane's connection. What a session of ours needs is set once, when it is made (pool.ts). */
import type { Session, Trouble } from "../relational/database.js";
import type { Statements } from "../relational/statements.js";
import type { Connection } from "./connection.js";
import { GidTooAlike, troubleOf } from "./errors.js";
import { forgetLane, lastBatch, noteBatch } from "./sql/lanes.js";
import { statementsOn } from "./statements.js";

export class MysqlSession implements Session {
  readonly statements: Statements;

  constructor(readonly connection: Connection) {
    this.statements = statementsOn(connection);
    connection.driver.on("error", () => {
      connection.broken = true;
    });
  }

  get changes(): number {
    return this.connection.changes;
  }

  begin(): void {
    this.connection.begin("START TRANSACTION READ WRITE");
  }

  async commit(): Promise<void> {
    await this.connection.run("COMMIT");
  }

  async rollback(): Promise<void> {
    await this.connection.undo("ROLLBACK");
  }

  async savepoint(): Promise<void> {
    await this.connection.run("SAVEPOINT one");
  }

  async release(): Promise<void> {
    await this.connection.run("RELEASE SAVEPOINT one");
  }

  async rollbackToSavepoint(): Promise<void> {
    await this.connection.undo("ROLLBACK TO SAVEPOINT one");
  }

  noteBatch(lane: string, token: string): void {
    noteBatch(this.connection, lane, token);
  }

  noted(): Promise<void> {
    return this.connection.noted();
  }

  lastBatch(lane: string): Promise<string | null> {
    return lastBatch(this.connection, lane);
  }

  forgetLane(lane: string): Promise<void> {
    return forgetLane(this.connection, lane);
  }

  troubleOf(cause: unknown): Trouble {
    return cause instanceof GidTooAlike ? "data" : troubleOf(cause, this.connection.broken);
  }

  destroy(): void {
    this.connection.driver.destroy();
  }

  async close(): Promise<void> {
    await this.connection.driver.end();
  }
}
