/** Work is over when its value is there. Some values are only descriptions of work that nobody has begun: committed now, it would never be done. */
import { DtmError } from "@dtm/protocol";
import { isRecord } from "./statement.js";

const GENERATOR_FUNCTIONS: ReadonlySet<string> = new Set(["[object GeneratorFunction]", "[object AsyncGeneratorFunction]"]);

/**
 * From JavaScript anything may come; found out before anything is written.
 *
 * @throws DtmError OPTION_INVALID.
 */
export function requireWork(work: unknown): void {
  if (typeof work !== "function") throw invalid("a function", work === null ? "null" : typeof work);
  if (GENERATOR_FUNCTIONS.has(Object.prototype.toString.call(work))) {
    throw invalid("a function that does its work when it is called", "a generator function, which only makes an iterator");
  }
}

/**
 * The value of work that is over.
 *
 * @throws DtmError OPTION_INVALID when it stands for work that hasn't begun: the transaction is to be rolled back.
 */
export function requireDone<T>(value: T): T {
  const found = undone(value);
  if (found === null) return value;
  throw invalid("its statements to have been executed when it returns", found);
}

function undone(value: unknown): string | null {
  if (!isRecord(value)) return null;
  if (typeof value["toOperationNode"] === "function")
    return "that it returned a query of Kysely that isn't executed: call execute()";
  if (typeof value["getQueryAndParameters"] === "function") {
    return "that it returned a query builder of TypeORM that isn't executed: call execute(), getMany() or the like";
  }
  const isGenerator = Object.prototype.toString.call(value) === "[object Generator]";
  if (isGenerator || typeof Reflect.get(value, Symbol.asyncIterator) === "function") {
    return "that it returned an iterator or a stream, which is read when the transaction is over: read it to its end inside the work";
  }
  return null;
}

function invalid(expected: string, found: string): DtmError {
  return new DtmError("OPTION_INVALID", `work: expected ${expected}, found ${found}`);
}
