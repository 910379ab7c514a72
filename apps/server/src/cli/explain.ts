import { StartError } from "../service.js";

/** One line for the operator when we know what is wrong, the whole stack when we don't. */
export function explain(cause: unknown): string {
  const known = causes(cause).find((each) => each instanceof StartError);
  if (known !== undefined) return known.message.replaceAll(/\s*\n\s*/g, " ");
  const [first] = causes(cause);
  return first instanceof Error ? (first.stack ?? first.message) : String(first);
}

function causes(cause: unknown): readonly unknown[] {
  return cause instanceof AggregateError ? cause.errors.flatMap(causes) : [cause];
}
