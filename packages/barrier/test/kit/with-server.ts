/** Tests that need a server which somebody has to start: without it they are named as not run, never skipped in silence. */
import { appendFileSync } from "node:fs";

export interface Server {
  readonly name: string;
  /** The environment's name for its URL. */
  readonly variable: string;
}

export function withServer({ name, variable }: Server, tests: () => void): void {
  if ((process.env[variable] ?? "") !== "") return tests();
  notRun(`tests of @dtm/barrier on ${name}: ${variable} names no server`);
}

/** For servers that no package registry offers: told in the report of the whole run, and no failure in CI. */
export function withServerIfAny({ name, variable }: Server, tests: () => void): void {
  if ((process.env[variable] ?? "") !== "") return tests();
  unavailable(`tests of @dtm/barrier on ${name}: ${variable} names no server, and no registry has one`);
}

/** Told in the report of the whole run, and no failure in CI: what can't be had there. */
export function unavailable(line: string): void {
  const file = process.env["UNAVAILABLE_FILE"] ?? "";
  if (file !== "") appendFileSync(file, `${line}\n`);
}

/** Says so in the report of the whole run; in CI it is a failure. */
export function notRun(line: string): void {
  const file = process.env["NOT_RUN_FILE"] ?? "";
  if (file !== "") appendFileSync(file, `${line}\n`);
  test("is run", () => expect(process.env["CI"] === "true" ? line : "").toBe(""));
}
