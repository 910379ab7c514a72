import { decide, type Guard, IN_SQL } from "./barrier.js";

const message = (): Guard => ({
  branch: { gid: "told-1", transType: "msg", branchId: "00", op: "msg" },
  id: "01",
  origin: null,
});
const there = { own: false, origin: false };

test("a message that was decided before this call: nothing was done", () => {
  expect(() => decide(message(), IN_SQL, there)).toThrow(
    expect.objectContaining({ code: "DUPLICATED", message: expect.stringMatching(/decided before: nothing was done$/) }),
  );
});

test("a message whose row an earlier attempt of this very call may have committed: it isn't said that nothing was done", () => {
  const guard = message();
  expect(decide(guard, IN_SQL, { own: true, origin: false })).toBe("run");
  expect(() => decide(guard, IN_SQL, there)).toThrow(
    expect.objectContaining({
      code: "DUPLICATED",
      message: expect.stringMatching(/an earlier attempt of this call was committed/),
    }),
  );
});
