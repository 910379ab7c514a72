import { branch, saga } from "../contract/fixtures.js";
import { StoreRejected } from "../store.js";
import { NO_LIMITS, refuseLoaded, refusePayloads } from "./texts.js";

const MEBIBYTE = 1024 * 1024;

function actions(count: number, bytes: number) {
  return Array.from({ length: count }, (_, place) => ({
    ...branch("g", String(place), "action"),
    payload: new Uint8Array(bytes),
  }));
}

function refusal(branches: ReturnType<typeof actions>, limits: Parameters<typeof refusePayloads>[2]): string {
  try {
    refusePayloads("g", branches, limits);
    return "taken";
  } catch (cause) {
    return cause instanceof StoreRejected ? cause.message : `threw ${String(cause)}`;
  }
}

test.each(["customData", "result", "rollbackReason"])("a %s that would not come back as it is", (column) => {
  expect(() => refuseLoaded(saga({ [column]: "no money" }))).not.toThrow();
  for (const text of ["no\0money", "\ud800", "a".repeat(1025)])
    expect(() => refuseLoaded(saga({ [column]: text }))).toThrow(StoreRejected);
});

test("a payload that its column can't hold", () => {
  const limits = { ...NO_LIMITS, payload: 65_535 };
  expect(refusal(actions(1, 65_535), limits)).toBe("taken");
  expect(refusal(actions(1, 65_536), limits)).toBe(
    "the payload of 0 action of g has 65536 bytes, its column bin_data takes 65535",
  );
});

test("together what one request can't hold, as it is written there", () => {
  const limits = { ...NO_LIMITS, packet: 4 * MEBIBYTE };
  expect(refusal(actions(1, MEBIBYTE), limits)).toBe("taken");
  expect(refusal(actions(2, MEBIBYTE), limits)).toMatch(
    /^the branches of g make \d+ bytes .* takes 4194304 at once \(max_allowed_packet\)$/,
  );
  expect(refusal(actions(2, MEBIBYTE), NO_LIMITS)).toBe("taken");
});
