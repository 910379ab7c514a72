import { status as Status } from "@grpc/grpc-js";
import { REFUSALS, Refusal } from "../../engine/refusal.js";
import { fitTrailer, toGrpcStatus } from "./errors.js";

const LONGEST = 6 * 1024;

test("every code has its status in the table", () => {
  for (const [code, form] of Object.entries(REFUSALS))
    expect(toGrpcStatus(new Refusal(code as keyof typeof REFUSALS, "why"))).toEqual({ code: form.grpc, details: "why" });
});

test("a branch's own code wins", () => {
  expect(toGrpcStatus(new Refusal("BRANCH_ERROR", "why", { grpcCode: Status.DATA_LOSS })).code).toBe(Status.DATA_LOSS);
  expect(toGrpcStatus(new Refusal("BRANCH_ERROR", "why", { grpcCode: 409 })).code).toBe(409);
});

test.each([
  ["plain", "a".repeat(LONGEST)],
  ["of three bytes each", `${"文".repeat(Math.floor(LONGEST / 9))}aaaaaa`],
  ["of four bytes each", "😀".repeat(LONGEST / 12)],
])("a text that just fits stays whole: %s", (_name, text) => {
  expect(encodeURI(text)).toHaveLength(LONGEST);
  expect(fitTrailer(text)).toBe(text);
});

test.each([
  ["plain", "a"],
  ["of three bytes each", "文"],
  ["of four bytes each", "😀"],
  ["percent signs", "%"],
])("a longer one is cut and keeps the word old SDKs look for: %s", (_name, character) => {
  const fitted = fitTrailer(`${character.repeat(70_000)} FAILURE`);
  expect(fitted).toMatch(/… FAILURE$/);
  expect(encodeURI(fitted).length).toBeLessThanOrEqual(LONGEST);
  expect(encodeURI(fitted).length).toBeGreaterThan(LONGEST - 12);
  expect(fitted.startsWith(character.repeat(500))).toBe(true);
});

test("half a character becomes a replacement that can be encoded", () => {
  const half = "a😀".slice(0, 2);
  expect(() => encodeURI(half)).toThrow(URIError);
  expect(fitTrailer(half)).toBe("a\ufffd");
});
