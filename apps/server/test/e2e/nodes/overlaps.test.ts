import { type Call, deadEpochs, doubledOf, epochOf, lateCalls, overlapsOf } from "./overlaps.js";

const call = (pid: number, start: number, end: number, more: Partial<Call> = {}): Call => ({
  gid: "g",
  branchId: "01",
  op: "action",
  pid,
  begunAt: start,
  start,
  end,
  status: 200,
  ...more,
});
const noticed = (epoch: string, at: number): string =>
  JSON.stringify({ level: "warn", ts: new Date(at).toISOString(), epoch, msg: "epoch was declared dead" });
const E1 = "host.example.1.aa";
const E2 = "host.example.1.bb";

test("calls of one branch, one after the other, and calls of different branches don't overlap", () => {
  const calls = [call(1, 0, 10), call(2, 10, 20), call(2, 5, 15, { op: "compensate" }), call(2, 5, 15, { gid: "h" })];
  expect(overlapsOf(calls, [])).toEqual([]);
});

test.each([
  ["its node was declared dead before", 40, 1],
  ["its node was declared dead later", 60, 0],
])("a call beside one that hangs: %s", (_, deadAt, explained) => {
  const hanging = call(1, 0, 100);
  const again = call(2, 50, 70);
  const [overlap] = overlapsOf([again, hanging], deadEpochs(new Map([[E1, deadAt]]), []));
  expect(overlap).toMatchObject({ first: hanging, second: again });
  expect(overlap?.epoch?.name).toBe(explained === 1 ? E1 : undefined);
});

test("a call under way is one that overlaps", () => {
  expect(overlapsOf([call(1, 0, Number.POSITIVE_INFINITY, { status: null }), call(2, 50, 70)], [])).toHaveLength(1);
});

test("nobody's death explains two calls of one epoch, or of two that live", () => {
  const dead = deadEpochs(new Map([[E1, 10]]), []);
  expect(overlapsOf([call(1, 0, 100), call(1, 50, 70)], dead)[0]?.epoch).toBeNull();
  expect(overlapsOf([call(2, 0, 100), call(3, 50, 70)], dead)[0]?.epoch).toBeNull();
});

test("a process that noticed its death goes on as another epoch, which explains what it repeats itself", () => {
  const deaths = new Map([
    [E1, 40],
    [E2, 200],
  ]);
  const epochs = deadEpochs(deaths, ["nonsense", noticed(E1, 45), noticed(E2, 300)]);
  expect(epochOf(call(1, 45, 46), epochs)?.name).toBe(E1);
  expect(epochOf(call(1, 46, 47), epochs)?.name).toBe(E2);
  expect(epochOf(call(1, 301, 302), epochs)).toBeNull();
  expect(overlapsOf([call(1, 0, 100), call(1, 50, 70)], epochs)[0]?.epoch?.name).toBe(E1);
});

test("what a dead epoch began is late", () => {
  const epochs = deadEpochs(new Map([[E1, 40]]), [noticed(E1, 60)]);
  const late = call(1, 50, 55);
  expect([...lateCalls([call(1, 40, 99), late, call(1, 61, 70), call(2, 50, 55)], epochs).values()]).toEqual([[late]]);
});

test("a branch is doubled when it was called after it had answered success", () => {
  const again = call(2, 20, 30);
  expect(doubledOf([again, call(1, 0, 10)])).toEqual([again]);
  expect(doubledOf([call(1, 0, 10, { status: 409 }), call(1, 20, 30)])).toEqual([]);
  expect(doubledOf([call(1, 0, 10), call(2, 5, 15)])).toEqual([]);
});
