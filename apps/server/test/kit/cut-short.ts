/** What a slow machine's budget left out is named in the last lines of `npm test`, so that a short run doesn't pass for a whole one. */
import { appendFileSync } from "node:fs";

/** `npm run soak`, or LONG_FORM=1: tests that take minutes per store run on all of them, else on those that they name. */
export const LONG_FORM = process.env["LONG_FORM"] === "1";

/** Whether a run on a slow machine is so late that what can be left out must be, or continuous integration would end it. */
export function isLate(): boolean {
  const until = Number(process.env["TEST_UNTIL"] ?? "");
  return until > 0 && Date.now() > until;
}

export function cutShort(line: string): void {
  const file = process.env["CUT_SHORT_FILE"] ?? "";
  if (file !== "") appendFileSync(file, `${line}\n`);
  process.stderr.write(`cut short: ${line}\n`);
}
