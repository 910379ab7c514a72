/** A lane's connection. What any connection of ours needs was set when it was made (pool.ts), what a lane needs is set here. */
import type { Connection as Driver, RowDataPacket } from "mysql2/promise";
import { HALTED_S, type Session, type Trouble } from "../relational/database.js";
import type { Statements } from "../relational/statements.js";
import { Connection, cut, leave } from "./connection.js";
import { GidTooAlike, troubleOf } from "./errors.js";
import { forgetLane, lastBatch, noteBatch } from "./sql/lanes.js";
import { statementsOn } from "./statements.js";
import type { Zone } from "./zone.js";

/** What a server has if nobody sets it. */
const USUAL_S = 28_800;

/** What goes along with a transaction's begin and its end. */
interface Along {
  readonly begin: readonly string[];
  readonly end: readonly string[];
}

/** MariaDB has a setting for transactions that stand idle. */
const NOTHING: Along = { begin: [], end: [] };
/** MySQL has one for connections only: it counts while a transaction is open. */
const clock = (usualS: number): Along => ({
  begin: [`SET SESSION wait_timeout = ${HALTED_S}`],
  end: [`SET SESSION wait_timeout = ${usualS}`],
});

export async function openSession(driver: Driver, zone: Zone): Promise<MysqlSession> {
  const asked = "SHOW SESSION VARIABLES WHERE variable_name IN ('idle_transaction_timeout', 'wait_timeout')";
  const [rows] = await driver.query<RowDataPacket[]>(asked);
  const seconds = new Map(rows.map((row) => [row["Variable_name"], Number(row["Value"])]));
  const counts = seconds.has("idle_transaction_timeout");
  if (counts) await driver.query(`SET SESSION idle_transaction_timeout = ${HALTED_S}`);
  return new MysqlSession(new Connection(driver, zone), counts ? NOTHING : clock(seconds.get("wait_timeout") ?? USUAL_S));
}

class MysqlSession implements Session {
  readonly statements: Statements;

  constructor(
    readonly connection: Connection,
    private readonly along: Along,
  ) {
    this.statements = statementsOn(connection);
    connection.driver.on("error", () => {
      connection.broken = true;
    });
  }

  get changes(): number {
    return this.connection.changes;
  }

  begin(): void {
    this.connection.begin(["START TRANSACTION READ WRITE", ...this.along.begin]);
  }

  async commit(): Promise<void> {
    // COMMIT comes last: an error of what stood behind it would look like its own.
    await this.connection.control([...this.along.end, "COMMIT"]);
  }

  async rollback(): Promise<void> {
    await this.connection.undo(["ROLLBACK", ...this.along.end]);
  }

  async savepoint(): Promise<void> {
    await this.connection.control(["SAVEPOINT one"]);
  }

  async release(): Promise<void> {
    await this.connection.control(["RELEASE SAVEPOINT one"]);
  }

  async rollbackToSavepoint(): Promise<void> {
    await this.connection.undo(["ROLLBACK TO SAVEPOINT one"]);
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
    cut(this.connection.driver);
  }

  close(): Promise<void> {
    return leave(this.connection.driver);
  }
}
