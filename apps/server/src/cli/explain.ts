import { StartError } from "../service.js";
import { StoreUnavailable } from "../stores/store.js";

/** One line for the operator when we know what is wrong, the whole stack when we don't. */
export function explain(cause: unknown): string {
  const all = causes(cause);
  const known = all.find((each) => each instanceof StartError) ?? (isForeseen(all[0]) ? all[0] : undefined);
  if (known !== undefined) return oneLine(known);
  const [first] = all;
  return first instanceof Error ? (first.stack ?? first.message) : String(first);
}

/** What a stop could not do, as fields of one event: words where it was to be expected, else with the stack of the first. */
export function explainStop(cause: unknown): { readonly why: string; readonly err?: unknown } {
  const all = causes(cause);
  const surprise = all.find((each) => !isForeseen(each));
  const why = [...new Set(all.map(oneLine))].join("; ");
  return surprise === undefined ? { why } : { why, err: surprise };
}

function isForeseen(cause: unknown): cause is Error {
  return cause instanceof StartError || cause instanceof StoreUnavailable;
}

function oneLine(cause: unknown): string {
  const { message } = cause instanceof Error ? cause : new Error(String(cause));
  const text = message.replaceAll(/\s*\n\s*/g, " ");
  return cause instanceof StoreUnavailable ? `the store can't be used: ${text}` : text;
}

function causes(cause: unknown): readonly unknown[] {
  return cause instanceof AggregateError ? cause.errors.flatMap(causes) : [cause];
}
