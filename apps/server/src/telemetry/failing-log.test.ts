import type { Log } from "../engine/coordinator.js";
import { FailingLog } from "./failing-log.js";

let said: unknown[];
let now: number;
let failing: FailingLog;
beforeEach(() => {
  said = [];
  now = 0;
  const log = { warn: (what: object, text: string) => said.push({ text, ...what }) } as unknown as Log;
  failing = new FailingLog(log, () => now);
});

const event = (gid: string, branch = "http://bank:80/debit") =>
  ({ gid, status: "submitted", branch, error: "answered 500: no", retryCount: 3 }) as const;

test("the first of a destination is said with its reason, then one a minute with the number of the others", () => {
  for (const gid of ["a", "b", "c"]) failing.say(event(gid));
  expect(said).toEqual([
    {
      text: "branch keeps failing",
      gid: "a",
      status: "submitted",
      branch: "http://bank:80/debit",
      attempts: 3,
      error: "answered 500: no",
    },
  ]);
  now = 60_000;
  failing.say(event("d", "http://bank:80/other?x=1"));
  expect(said[1]).toMatchObject({ gid: "d", othersUnsaid: 2 });
});

test("each destination by itself, over gRPC too; however many, they are forgotten again", () => {
  failing.say(event("a"));
  failing.say(event("b", "shop:50051/Shop/Ship"));
  failing.say(event("c", "shop:50051/Shop/Other"));
  expect(said).toHaveLength(2);
  for (let i = 0; i < 1_000; i++) failing.say(event("g", `http://host${i}/`));
  failing.say(event("d"));
  expect(said).toHaveLength(1_003);
});

test("no password and no token of an address is said, nor in an error that quotes it", () => {
  const address = "https://user:secret-1@bank/debit?token=secret-2#secret-3";
  failing.say({ ...event("a", address), error: `no answer from ${address}` });
  failing.say(event("b", "user:secret-4@shop:50051/Shop/Ship?key=secret-5"));
  expect(JSON.stringify(said)).not.toContain("secret");
  expect(said[0]).toMatchObject({ branch: "https://bank/debit", error: "no answer from https://bank/debit" });
  expect(said[1]).toMatchObject({ branch: "shop:50051/Shop/Ship" });
});
