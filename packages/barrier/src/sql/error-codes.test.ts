import { isLockTimeout } from "./error-codes.js";

test.each([
  { code: "55P03" },
  { errno: 1205 },
  { code: "ER_LOCK_WAIT_TIMEOUT" },
  new Error("of an ORM", { cause: { code: "55P03" } }),
  { parent: { errno: 1205 } },
  { code: "P2010", meta: { driverAdapterError: { cause: { originalCode: "55P03" } } } },
])("%j is a lock that somebody else holds", (cause) => {
  expect(isLockTimeout(cause)).toBe(true);
});

test.each([null, "55P03", { code: "40P01" }, { errno: 1213 }, new Error("55P03")])("%j isn't", (cause) => {
  expect(isLockTimeout(cause)).toBe(false);
});
