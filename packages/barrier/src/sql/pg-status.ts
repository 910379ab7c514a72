import { hasCode } from "./error-codes.js";
import { type Executor, isRecord, type Left, type Reply, rows } from "./statement.js";

/** What the server's last answer said (since pg 8.17 the client keeps it); where it isn't kept, the server is to be asked. */
export function pgStatus(client: unknown): Executor["open"] {
  const status = statusOf(client);
  return status === undefined ? "unasked" : status !== "I";
}

/**
 * What the work left. When a statement failed and whoever called it went on, COMMIT would be answered without an error, and roll back. A
 * statement's error is told before its server is ready again, and only then is the status known; what the work hasn't awaited stands before
 * the COMMIT too. So both are waited for, which sends nothing.
 */
export function pgLeft(client: unknown): Promise<Left> | Left {
  const settled = pgSettled(client);
  return settled === null ? leftOf(client) : settled.then(() => leftOf(client));
}

/**
 * {@link pgLeft} where nothing keeps what the server said: asked by a statement, which a transaction refuses in which another one has failed.
 */
export async function pgAsked(send: Executor<PromiseLike<Reply>>["send"]): Promise<Left> {
  try {
    await send(rows`select 1 as whole`);
    return "open";
  } catch (cause) {
    if (hasCode(cause, IN_FAILED_TRANSACTION)) return "aborted";
    throw cause;
  }
}

/** in_failed_sql_transaction. */
const IN_FAILED_TRANSACTION: ReadonlySet<unknown> = new Set(["25P02"]);

/**
 * Until the server has answered all that was sent; null when there is nothing to wait for, or nobody knows. Where the application has limited its queries
 * (`query_timeout`), this wait is one of them: a query that met its limit is still unanswered.
 */
export function pgSettled(client: unknown): Promise<void> | null {
  return statusOf(client) !== undefined && isBusy(client) ? idle(client) : null;
}

function leftOf(client: unknown): Left {
  switch (statusOf(client)) {
    case "E":
      return "aborted";
    case "I":
      return "ended";
    default:
      return "open";
  }
}

interface BusyClient {
  on(event: "drain" | "end", listener: () => void): unknown;
  off(event: "drain" | "end", listener: () => void): unknown;
}

function isBusy(client: unknown): client is BusyClient {
  return (
    isRecord(client) && client["readyForQuery"] === false && client["_ended"] !== true && typeof client["off"] === "function"
  );
}

function idle(client: BusyClient): Promise<void> {
  return new Promise((resolve, reject) => {
    const limitMs = queryTimeoutOf(client);
    const end = (): void => {
      clearTimeout(timer);
      client.off("drain", done);
      client.off("end", done);
    };
    const done = (): void => {
      end();
      resolve();
    };
    const late = (): void => {
      end();
      reject(new Error(`expected the server to have answered what this connection was asked, found no answer in ${limitMs} ms`));
    };
    const timer = limitMs === null ? undefined : setTimeout(late, limitMs);
    client.on("drain", done);
    client.on("end", done);
  });
}

function queryTimeoutOf(client: unknown): number | null {
  const told = isRecord(client) ? client["connectionParameters"] : undefined;
  // In a connection string it is a text.
  const limitMs = Number(isRecord(told) ? told["query_timeout"] : 0);
  return limitMs > 0 ? limitMs : null;
}

function statusOf(client: unknown): string | undefined {
  if (!isRecord(client) || typeof client["getTransactionStatus"] !== "function") return undefined;
  const status: unknown = client["getTransactionStatus"]();
  return typeof status === "string" ? status : undefined;
}
