import { REFUSALS, Refusal, type RefusalCode } from "../../engine/refusal.js";
import { StoreOverloaded, StoreRejected, StoreUnavailable } from "../../stores/store.js";
import { encodeRefusal, refusalFrom } from "./errors.js";

test.each(Object.keys(REFUSALS) as RefusalCode[])("%s has the status and body of the one table", (code) => {
  const { http, result } = new Refusal(code, "").form;
  const { status, body, headers } = encodeRefusal(new Refusal(code, 'why "so"'));
  expect([status, ...headers.slice(0, 2)]).toEqual([http, "Content-Type", "application/json; charset=utf-8"]);
  expect(JSON.parse(body)).toEqual(result === undefined ? { message: 'why "so"' } : { dtm_result: result, message: 'why "so"' });
});

test.each([
  [new StoreUnavailable("x"), "UNAVAILABLE", 503],
  [new StoreOverloaded("x"), "UNAVAILABLE", 503],
  [new StoreRejected("x"), "STORE_REFUSED", 500],
  [new Error("x"), "INTERNAL", 500],
  [undefined, "INTERNAL", 500],
])("%p is %s", (cause, code, status) => {
  const refusal = refusalFrom(cause);
  expect([refusal.code, encodeRefusal(refusal).status, refusal.options.cause]).toEqual([code, status, cause]);
});

test("only a missing or wrong token tells how to come in", () => {
  expect(encodeRefusal(new Refusal("UNAUTHENTICATED", "")).headers.slice(-2)).toEqual(["WWW-Authenticate", "Bearer"]);
  expect(encodeRefusal(new Refusal("FORBIDDEN", "")).headers).not.toContain("WWW-Authenticate");
});
