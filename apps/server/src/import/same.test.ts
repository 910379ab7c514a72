import type { Branch, GlobalStatus, Loaded, Transaction } from "../engine/transaction.js";
import { saga } from "../stores/contract/fixtures.js";
import { difference } from "./same.js";

const BASE = saga({ gid: "g" });

function changed(transaction: Partial<Transaction>, branch: Partial<Branch> = {}): Loaded {
  return {
    transaction: { ...BASE.transaction, ...transaction },
    branches: BASE.branches.map((each, place) => (place === 1 ? { ...each, ...branch } : each)),
  };
}

test.each<readonly [string, Loaded]>([
  ["as it was imported", BASE],
  ["numbered by the store", changed({ id: 7, owner: "here:1", wake: 3 }, { id: 9 })],
  ["in whole seconds", changed({ createTime: BASE.transaction.createTime })],
  ["under way here", changed({ status: "aborting", nextCronTime: 1, attempts: 4, rollbackReason: "x" }, { status: "failed" })],
  ["ended here", changed({ status: "succeed", finishTime: 1 }, { status: "succeed" })],
  ["with branches registered since", { ...BASE, branches: [...BASE.branches, ...saga().branches] }],
])("the same, or what became of it: %s", (_, stored) => {
  expect(difference(BASE, stored)).toBeNull();
});

test("SQL stores round times up to whole seconds", () => {
  expect(difference(changed({ createTime: 1_001 }), changed({ createTime: 2_000 }))).toBeNull();
});

test.each<readonly [string, Loaded, Loaded]>([
  ["type is saga in Redis, tcc in the store", BASE, changed({ type: "tcc" })],
  ["query_prepared differs", BASE, changed({ queryPrepared: "http://else" })],
  ["custom_data differs", BASE, changed({ customData: "{}" })],
  ["create_time differs", BASE, changed({ createTime: 5 })],
  ["an option differs", BASE, changed({ options: { ...BASE.transaction.options, branchHeaders: { a: "b" } } })],
  ["protocol differs", BASE, changed({ protocol: "grpc" })],
  ["the url of branch 01 action differs", BASE, changed({}, { url: "http://else" })],
  ["the payload of branch 01 action differs", BASE, changed({}, { payload: Buffer.from("x") })],
  ["branch 01 action is not in the store", BASE, changed({}, { op: "try" })],
  ["branch 02 compensate is not in the store", BASE, { ...BASE, branches: BASE.branches.slice(0, 2) }],
  ["branch 01 action is succeed in Redis, prepared in the store", changed({}, { status: "succeed" }), BASE],
  ["it is succeed in Redis, submitted in the store", changed({ status: "succeed" }), BASE],
])("%s", (words, found, stored) => {
  expect(difference(found, stored)).toBe(words);
});

const STATUSES: readonly GlobalStatus[] = ["prepared", "submitted", "aborting", "succeed", "failed"];
test.each(STATUSES.flatMap((found) => STATUSES.map((stored) => [found, stored] as const)))(
  "%s in Redis beside %s in the store",
  (found, stored) => {
    const later = {
      prepared: STATUSES,
      submitted: ["submitted", "aborting", "succeed", "failed"],
      aborting: ["aborting", "failed"],
      succeed: ["succeed"],
      failed: ["failed"],
    }[found] as readonly GlobalStatus[];
    expect(difference(changed({ status: found }), changed({ status: stored })) === null).toBe(later.includes(stored));
  },
);

test("options in another order are the same options", () => {
  const headers = (branchHeaders: Record<string, string>) => changed({ options: { ...BASE.transaction.options, branchHeaders } });
  expect(difference(headers({ a: "1", b: "2" }), headers({ b: "2", a: "1" }))).toBeNull();
});
