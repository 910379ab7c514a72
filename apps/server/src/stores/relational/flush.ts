/**
 * One batch, one transaction, and what may happen to it (rules.md R7). Rolled back for sure: the same batch again. Refused for its data:
 * once more with a savepoint per operation, so that the bad one fails alone. A reply of COMMIT that never came: the lane's own row is
 * read, which waits for the transaction in doubt, so the answer is final; only when it can't be read the outcome stays unknown.
 * A database that takes connections and answers none is as good as away: from its first silence on nobody waits longer than the patience.
 */
import { randomBytes } from "node:crypto";
import { StoreRejected, StoreUnavailable } from "../store.js";
import { type AnswerOf, RowVanished, runBatch } from "./batch.js";
import { backOff, TRIES } from "./contended.js";
import { endsConnection, isRefusal, messageOf, type Session, type Trouble } from "./database.js";
import { Late, type Line, pause, within } from "./line.js";
import type { Answer, Operation } from "./operation.js";
import { Overtaken } from "./quick.js";

type Outcome = ReadonlyMap<Operation, Answer | Error>;
type Run = (session: Session, batch: readonly Operation[], troubleOf: TroubleOf) => Promise<Outcome>;
type TroubleOf = (cause: unknown) => Trouble;
type InTime = <T>(work: Promise<T>) => Promise<T>;

interface How {
  readonly run: Run;
  readonly inTime: InTime;
}

type Attempt =
  | { readonly kind: "done"; readonly outcome: Outcome }
  | { readonly kind: "failed"; readonly trouble: Trouble; readonly cause: unknown }
  | { readonly kind: "unknown"; readonly outcome: Outcome; readonly token: string; readonly cause: unknown };

export class Flusher {
  readonly #line: Line;
  /** Renamed whenever a batch was given up in doubt, so that the next one doesn't wait for it. */
  #lane = newLane();
  #batches = 0;

  constructor(line: Line) {
    this.#line = line;
  }

  async flush(batch: readonly Operation[]): Promise<readonly (Answer | Error)[]> {
    const outcome = await this.#settle(batch);
    return batch.map(
      (operation) => outcome.get(operation) ?? new StoreUnavailable("the batch gave no answer for this operation"),
    );
  }

  async close(): Promise<void> {
    try {
      const session = await this.#line.session();
      await session.forgetLane(this.#lane);
    } catch {
      // A row too many; whoever opens the store later removes it.
    }
    await this.#line.close();
  }

  async #settle(batch: readonly Operation[]): Promise<Outcome> {
    let run: Run = runQuickly;
    const silence = new Silence(this.#line.patienceMs);
    for (let tried = 1; ; tried++) {
      const session = await this.#line.session();
      const attempt = await this.#attempt(session, batch, { run, inTime: silence.limit() });
      switch (attempt.kind) {
        case "done":
          return attempt.outcome;
        case "unknown":
          this.#line.drop();
          silence.noticed();
          if (await this.#committed(attempt)) return attempt.outcome;
          break;
        case "failed":
          if (endsConnection(attempt.trouble)) this.#line.drop();
          if (attempt.trouble === "lost") silence.noticed();
          if (isRefusal(attempt.trouble) || tried >= TRIES || silence.isTooLong()) throw unavailable(attempt.cause);
          // What the quick way ran into may be no more than a taken gid.
          if (run === runQuickly && (attempt.trouble === "data" || attempt.cause instanceof Overtaken)) run = runTogether;
          else if (attempt.trouble === "data") run = runApart;
          else await backOff(tried);
      }
      if (tried >= TRIES) throw new StoreUnavailable(`the batch could not be committed in ${TRIES} tries`);
      if (attempt.kind === "unknown" && silence.isTooLong()) throw unavailable(attempt.cause);
    }
  }

  async #attempt(session: Session, batch: readonly Operation[], { run, inTime }: How): Promise<Attempt> {
    const token = `${++this.#batches}`;
    let outcome: Outcome;
    const before = session.changes;
    try {
      await inTime(Promise.resolve(session.begin()));
      // With the first statement, so that it costs no round trip of its own; but nothing is written while idle: a claim that finds
      // nothing leaves no trace.
      const writes = batch.some((operation) => "gid" in operation);
      if (writes) session.noteBatch(this.#lane, token);
      outcome = await inTime(run(session, batch, (cause) => troubleOf(session, cause)));
      if (!writes && session.changes > before) session.noteBatch(this.#lane, token);
      await inTime(session.noted());
    } catch (cause) {
      return this.#failed(session, troubleOf(session, cause), cause);
    }
    try {
      await inTime(session.commit());
      return { kind: "done", outcome };
    } catch (cause) {
      if (session.changes === before) return { kind: "done", outcome };
      const trouble = troubleOf(session, cause);
      return trouble === "lost" ? { kind: "unknown", outcome, token, cause } : this.#failed(session, trouble, cause);
    }
  }

  async #failed(session: Session, trouble: Trouble, cause: unknown): Promise<Attempt> {
    if (trouble === "lost") return { kind: "failed", trouble, cause };
    try {
      await session.rollback();
    } catch {
      // COMMIT was never sent, so the server rolls back when it finds the connection gone.
      this.#line.drop();
    }
    return { kind: "failed", trouble, cause };
  }

  /** Whether the transaction in doubt was committed. */
  async #committed({ token, cause }: Extract<Attempt, { kind: "unknown" }>): Promise<boolean> {
    const lane = this.#lane;
    const deadline = performance.now() + this.#line.patienceMs;
    do {
      try {
        const session = await this.#line.session();
        return (await within(deadline, session.lastBatch(lane))) === token;
      } catch {
        this.#line.drop();
        await pause(20);
      }
    } while (performance.now() < deadline);
    this.#lane = newLane();
    throw new StoreUnavailable(`what came of this is not known: ${messageOf(cause)}`, { cause });
  }
}

const runQuickly: Run = (session, batch) => runBatch(session.statements, batch, "quickly");

const runTogether: Run = (session, batch) => runBatch(session.statements, batch, "carefully");

const runApart: Run = async (session, batch, trouble) => {
  const outcome = new Map<Operation, Answer | Error>();
  for (const operation of batch) {
    await session.savepoint();
    try {
      const answers: AnswerOf = await runBatch(session.statements, [operation], "carefully");
      for (const [of, answer] of answers) outcome.set(of, answer);
      await session.release();
    } catch (cause) {
      if (trouble(cause) !== "data") throw cause;
      await session.rollbackToSavepoint();
      outcome.set(operation, new StoreRejected(messageOf(cause), { cause }));
    }
  }
  return outcome;
};

/** How long one batch has met a database that doesn't answer. */
class Silence {
  #since: number | null = null;

  constructor(private readonly patienceMs: number) {}

  noticed(): void {
    this.#since ??= performance.now();
  }

  isTooLong(): boolean {
    return this.#since !== null && performance.now() - this.#since >= this.patienceMs;
  }

  /** For one attempt. The first may take as long as statements take; who was silent once gets the patience and no more. */
  limit(): InTime {
    if (this.#since === null) return (work) => work;
    const deadline = performance.now() + this.patienceMs;
    return (work) => within(deadline, work);
  }
}

function troubleOf(session: Session, cause: unknown): Trouble {
  if (cause instanceof Late) return "lost";
  return cause instanceof RowVanished || cause instanceof Overtaken ? "again" : session.troubleOf(cause);
}

function unavailable(cause: unknown): StoreUnavailable {
  return new StoreUnavailable(`the database can't do it now: ${messageOf(cause)}`, { cause });
}

function newLane(): string {
  return randomBytes(12).toString("base64url");
}
