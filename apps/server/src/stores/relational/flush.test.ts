/** What a batch's callers wait for when the database is neither here nor away. What a real one does is in contract/faults.ts. */
import { NOW } from "../contract/fixtures.js";
import { StoreUnavailable } from "../store.js";
import type { Session } from "./database.js";
import { Flusher } from "./flush.js";
import { Line } from "./line.js";
import type { Operation } from "./operation.js";
import type { Statements } from "./statements.js";

const PATIENCE_MS = 200;
const NEVER = new Promise<never>(() => undefined);
const CONNECTION_LOST = new Error("the connection is lost");
const BATCH: readonly Operation[] = [{ kind: "wakeWaiting", destination: "http://a/", limit: 1, at: NOW }];

type Answers = Partial<Pick<Session, "begin" | "commit" | "lastBatch" | "troubleOf">>;

/** The first connection answers as the first of these says, and so on; the last one's answers are repeated. */
function flusher(...answers: readonly [Answers, ...Answers[]]) {
  const asked = { connections: 0, destroyed: 0 };
  const connect = async (): Promise<Session> => {
    const given = answers[Math.min(asked.connections++, answers.length - 1)] ?? {};
    return session(given, () => void asked.destroyed++);
  };
  return { asked, flusher: new Flusher(new Line(connect, PATIENCE_MS)) };
}

function session(answers: Answers, destroy: () => void): Session {
  const done = async (): Promise<void> => undefined;
  let changes = 0;
  const statements = {
    wakeWaiting: async () => ++changes,
  } as unknown as Statements;
  return {
    statements,
    get changes() {
      return changes;
    },
    begin: done,
    commit: done,
    rollback: done,
    savepoint: done,
    release: done,
    rollbackToSavepoint: done,
    noteBatch: () => undefined,
    noted: done,
    lastBatch: async () => null,
    forgetLane: done,
    troubleOf: () => "lost",
    destroy,
    close: done,
    ...answers,
  };
}

const lost = (): Promise<never> => Promise.reject(CONNECTION_LOST);
const afterMs = (millis: number, then: () => Promise<never>): Promise<never> =>
  new Promise((wake) => setTimeout(wake, millis)).then(then);

test("one that answers nothing is tried until the patience has passed, not a dozen times", async () => {
  const { flusher: blocked, asked } = flusher({ begin: () => afterMs(120, lost) });
  await expect(blocked.flush(BATCH)).rejects.toThrow(StoreUnavailable);
  expect(asked.connections).toBeGreaterThan(1);
  expect(asked.connections).toBeLessThan(6);
});

test("who was silent once gets the patience and no more", async () => {
  const { flusher: blocked, asked } = flusher({ begin: lost }, { begin: () => NEVER });
  await expect(blocked.flush(BATCH)).rejects.toThrow("the database can't do it now: no answer in time");
  expect(asked).toEqual({ connections: 2, destroyed: 2 });
});

test("a COMMIT that is silent is read back, also when time is short", async () => {
  const { flusher: blocked } = flusher({ begin: lost }, { commit: () => NEVER }, { lastBatch: async () => "2" });
  expect(await blocked.flush(BATCH)).toEqual([1]);
});

test("one COMMIT in doubt that was none is done again", async () => {
  const { flusher: back, asked } = flusher({ commit: lost }, {});
  expect(await back.flush(BATCH)).toEqual([1]);
  expect(asked.connections).toBe(2);
});

test("a right that is missing is refused at once, and the next batch begins with the rights of then", async () => {
  const denied = { begin: () => Promise.reject(new Error("INSERT command denied")), troubleOf: () => "denied" } as const;
  const { flusher: refused, asked } = flusher(denied, {});
  await expect(refused.flush(BATCH)).rejects.toThrow("the database can't do it now: INSERT command denied");
  expect(asked).toEqual({ connections: 1, destroyed: 1 });
  expect(await refused.flush(BATCH)).toEqual([1]);
});
