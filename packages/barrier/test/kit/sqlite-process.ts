/**
 * A connection to a SQLite file in a process of its own, for a look at what a tested driver wrote and for locks that it meets: within
 * one process two builds of SQLite don't see each other's locks, and closing a file in one of them drops those of the other.
 */
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import type { Row } from "./databases.js";

interface Reply {
  readonly rows?: Row[];
  readonly error?: string;
}

export class SqliteProcess {
  readonly #child: ChildProcess;
  #last: Promise<unknown> = Promise.resolve();

  constructor(file: string) {
    this.#child = fork(join(__dirname, "sqlite-child.cjs"), [file], { execArgv: [] });
  }

  /** One statement after the other; gives the rows of a select or pragma. */
  run(sql: string): Promise<Row[]> {
    const reply = this.#last.then(() => this.#ask(sql));
    this.#last = reply.catch(() => undefined);
    return reply;
  }

  async close(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const exit = once(this.#child, "exit");
    this.#child.disconnect();
    await exit;
  }

  async #ask(sql: string): Promise<Row[]> {
    const answered = new Promise<Reply>((resolve) => {
      const gone = (): void => resolve({ error: `the process of ${sql} has ended` });
      this.#child.once("exit", gone);
      this.#child.once("message", (reply: Reply) => {
        this.#child.off("exit", gone);
        resolve(reply);
      });
    });
    this.#child.send({ sql });
    const { rows, error } = await answered;
    if (rows === undefined) throw new Error(error);
    return rows;
  }
}
