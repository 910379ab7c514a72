import { type Executor, isRecord } from "./statement.js";

/** What the server's last answer said (since pg 8.17 the client keeps it); where it isn't kept, the server is to be asked. */
export function pgStatus(client: unknown): Executor["open"] {
  if (!isRecord(client) || typeof client["getTransactionStatus"] !== "function") return "unasked";
  const status: unknown = client["getTransactionStatus"]();
  return typeof status === "string" ? status !== "I" : "unasked";
}
