/** Tests that need a server which somebody has to start: without it they are named as not run, never skipped in silence. */
import { appendFileSync } from "node:fs";

export interface Server {
  readonly name: string;
  /** The environment's name for its URL. */
  readonly variable: string;
  readonly present: boolean;
}

export function withServer(server: Server, tests: () => void): void {
  if (server.present) return tests();
  const line = `tests on ${server.name}: ${server.variable} names no server`;
  const file = process.env["NOT_RUN_FILE"] ?? "";
  if (file !== "") appendFileSync(file, `${line}\n`);
  // In CI a missing server is a failure.
  test(`${server.name} is named by ${server.variable}`, () => expect(process.env["CI"] === "true" ? line : "").toBe(""));
}
