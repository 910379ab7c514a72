import { type Executor, isRecord } from "./statement.js";

/** What the server's last answer said (since pg 8.17 the client keeps it); where it isn't kept, the server is to be asked. */
export function pgStatus(client: unknown): Executor["open"] {
  const status = statusOf(client);
  return status === undefined ? "unasked" : status !== "I";
}

/** A statement failed, and whoever called it went on: COMMIT would be answered without an error, and roll back. */
export function pgAborted(client: unknown): boolean {
  return statusOf(client) === "E";
}

function statusOf(client: unknown): string | undefined {
  if (!isRecord(client) || typeof client["getTransactionStatus"] !== "function") return undefined;
  const status: unknown = client["getTransactionStatus"]();
  return typeof status === "string" ? status : undefined;
}
