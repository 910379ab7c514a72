/**
 * Names for a statement that pg sends again and again: its server parses and plans it once per connection, which is more than half of what it
 * costs. A name lives in one server process. Behind a pooler in transaction mode the next transaction may meet another one, where the name
 * is unknown, and the user's transaction would break: so a name is used once the server's process has shown itself to be the very one that
 * greeted the client. PgBouncer and its like greet with a made-up number.
 */
import { hasCode } from "./error-codes.js";
import { isRecord, type Row } from "./statement.js";

/** Connections of pg that lead to one server process. */
const direct = new WeakSet<object>();

/** invalid_sql_statement_name, duplicate_prepared_statement, feature_not_supported ("cached plan must not change result type"). */
const BROKEN_NAME: ReadonlySet<unknown> = new Set(["26000", "42P05", "0A000"]);

const UNKNOWN_NAME: ReadonlySet<unknown> = new Set(["26000"]);

/** Somebody deallocates names behind our back (DISCARD ALL between transactions): found out once, and that is enough. */
let given = true;

/** @param wanted - The caller's word; undefined leaves it to what the connection has shown. */
export function mayName(client: object, wanted: boolean | undefined): boolean {
  return wanted ?? (given && direct.has(client));
}

/** Looks at the rows of an insert that was asked for `pid`. */
export function learn(client: object, rows: readonly Row[] | undefined): void {
  const pid = rows?.[0]?.["pid"];
  if (pid === undefined) return;
  // A stand-in for pg's client, which may know nothing of names, hasn't all of this.
  if (typeof pid === "number" && pid === Reflect.get(client, "processID") && knowsNames(client)) direct.add(client);
  else direct.delete(client);
}

function knowsNames(client: object): boolean {
  const connection: unknown = Reflect.get(client, "connection");
  return isRecord(connection) && isRecord(connection["parsedStatements"]);
}

/** After the error of a named statement. What its server doesn't know must be parsed again, also when the caller insists on names. */
export function doubt(client: object, name: string, cause: unknown): void {
  if (!hasCode(cause, BROKEN_NAME)) return;
  given = false;
  const connection: unknown = Reflect.get(client, "connection");
  const parsed = isRecord(connection) ? connection["parsedStatements"] : undefined;
  if (isRecord(parsed) && hasCode(cause, UNKNOWN_NAME)) delete parsed[name];
}
