import { dtmgimp } from "@dtm/protocol";
import { fieldsOf } from "./fields.js";

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
  // Seven of its own and four of its options.
  expect(fieldsOf(bytes, 11)).toBe("few");
  expect(fieldsOf(bytes, 10)).toBe("too many");
  expect(fieldsOf(new Uint8Array(), 0)).toBe("few");
});

test("fixed numbers of four and eight bytes are passed over", () => {
  const bytes = Uint8Array.from([0x0d, 1, 2, 3, 4, 0x11, 1, 2, 3, 4, 5, 6, 7, 8, 0x18, 0xff, 0x01]);
  expect(fieldsOf(bytes, 3)).toBe("few");
  expect(fieldsOf(bytes, 2)).toBe("too many");
});

test.each([
  ["a group, which proto3 hasn't", [0x7b, 0x7c]],
  ["a length beyond the end", [0x0a, 0xff, 0xff, 0xff, 0xff, 0x0f]],
  ["a length that is 0 when cut to 32 bits", [0x7a, 0x80, 0x80, 0x80, 0x80, 0x10, 0x2a, 0x00]],
  ["a varint without an end", [0x08, 0xff, 0xff, 0xff]],
  ["a length without an end", [0x0a, 0x80, 0x80]],
  ["a fixed number without an end", [0x0d, 1, 2]],
])("%s is broken", (_, bytes) => {
  expect(fieldsOf(Uint8Array.from(bytes), 5)).toBe("broken");
});

test("a text where the options would be is none of the count's business", () => {
  expect(fieldsOf(Uint8Array.from([0x1a, 0x02, 0x30, 0x31]), 5)).toBe("few");
});

test("tens of thousands of entries of one map are too many", () => {
  const entries = Object.fromEntries(Array.from({ length: 30_000 }, (_, at) => [String(at), ""]));
  expect(fieldsOf(encoded({ Gid: "g", TransOptions: { BranchHeaders: entries } }), 20_000)).toBe("too many");
});

test("two million of them are told quickly, by the limit alone", () => {
  const bytes = new Uint8Array(4_000_000);
  for (let at = 0; at < bytes.length; at += 2) bytes[at] = 0x2a;
  expect(fieldsOf(bytes, 20_000)).toBe("too many");
});
