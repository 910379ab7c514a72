import { dtmgimp } from "@dtm/protocol";
import { hasMoreFields } from "./fields.js";

const { DtmRequest } = dtmgimp;
const encoded = (request: Parameters<typeof DtmRequest.fromPartial>[0]): Uint8Array =>
  DtmRequest.encode(DtmRequest.fromPartial(request)).finish();

test("fields are counted, whatever their kind and however long", () => {
  const bytes = encoded({
    Gid: "g",
    TransType: "msg",
    TransOptions: { WaitResult: true, TimeoutToFail: 300, BranchHeaders: { a: "1", b: "2" } },
    BinPayloads: [new Uint8Array(), new Uint8Array(300), new Uint8Array(70_000)],
    Steps: "[]",
  });
  expect(hasMoreFields(bytes, 7)).toBe(false);
  expect(hasMoreFields(bytes, 6)).toBe(true);
  expect(hasMoreFields(new Uint8Array(), 0)).toBe(false);
});

test("fixed numbers of four and eight bytes are passed over", () => {
  const bytes = Uint8Array.from([0x0d, 1, 2, 3, 4, 0x11, 1, 2, 3, 4, 5, 6, 7, 8, 0x18, 0xff, 0x01]);
  expect(hasMoreFields(bytes, 3)).toBe(false);
  expect(hasMoreFields(bytes, 2)).toBe(true);
});

test.each([
  ["a group, which proto3 hasn't", [0x0b, 0x0b]],
  ["a length beyond the end", [0x0a, 0xff, 0xff, 0xff, 0xff, 0x0f]],
  ["a varint without an end", [0xff, 0xff, 0xff]],
  ["a length without an end", [0x0a, 0x80, 0x80]],
])("%s ends the count", (_, bytes) => {
  expect(hasMoreFields(Uint8Array.from(bytes), 5)).toBe(false);
});

test("two million of them are told quickly, by the limit alone", () => {
  const bytes = new Uint8Array(4_000_000);
  for (let at = 0; at < bytes.length; at += 2) bytes[at] = 0x2a;
  expect(hasMoreFields(bytes, 20_000)).toBe(true);
});
