import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { StartError } from "../service.js";
import { openLog } from "./log.js";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "dtm-log-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

function lines(path: string): Record<string, unknown>[] {
  return readFileSync(path, "utf8")
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as Record<string, unknown>);
}

test("writes one event per line, with its fields", () => {
  const path = join(folder, "a.log");
  const log = openLog({ level: "info", outputs: [path] });
  log.debug({}, "not now");
  log.info({ gid: "g1" }, "move");
  log.error({ err: new Error("broken") }, "drive broke off");
  log.close();
  const [first, second, ...more] = lines(path);
  expect(first).toEqual({ level: "info", ts: expect.stringMatching(/^\d{4}-.*Z$/), gid: "g1", msg: "move" });
  expect(second).toMatchObject({ level: "error", err: { message: "broken", stack: expect.any(String) } });
  expect(more).toEqual([]);
});

test("writes to every output, and appends", () => {
  const paths = [join(folder, "a.log"), join(folder, "b.log")];
  for (const event of ["one", "two"]) {
    const log = openLog({ level: "debug", outputs: paths });
    log.debug({}, event);
    log.close();
  }
  for (const path of paths) expect(lines(path).map(({ msg }) => msg)).toEqual(["one", "two"]);
});

test("hides secrets that somebody logs by accident", () => {
  const path = join(folder, "a.log");
  const log = openLog({ level: "info", outputs: [path] });
  log.info({ token: "hush", request: { headers: { authorization: "Bearer hush" } }, store: { password: "hush" } }, "careless");
  log.close();
  expect(readFileSync(path, "utf8")).not.toContain("hush");
});

test("an output that can't be written stops the start by name", () => {
  expect(() => openLog({ level: "info", outputs: [join(folder, "no", "a.log")] })).toThrow(StartError);
});
