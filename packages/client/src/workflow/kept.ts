/** What the coordinator keeps of a workflow beside its steps, and how much of it fits. */
import { describe, toJsonText } from "@dtm/client-core/internal";
import { DtmError } from "@dtm/protocol";
import type { StepKey } from "./progress.js";

/** dtm's column, in characters: a transaction's custom_data, and its result in base64. */
const COLUMN = 1024;
/** Of one row of progress; dtm on MySQL takes 65,535. */
const LONGEST_ROW_BYTES = 1024 * 1024;
const MARK = "run";

/** No step has this id: a result that is too long for its column, and a decision that a later run couldn't make again. */
export const RESULT: StepKey = { branchId: "00", op: "result" };
/** Which workflow it is, and its input, where the coordinator's answers don't tell: what {@link customDataOf} makes, without a mark. */
export const NAME: StepKey = { branchId: "00", op: "name" };
export const UNDONE: StepKey = { branchId: "00", op: "rollback" };

/** @throws DtmError PAYLOAD_INVALID when it can't be kept at all. */
export function needsRow(result: Uint8Array, gid: string): boolean {
  if (Math.ceil(result.length / 3) * 4 <= COLUMN) return false;
  if (result.length <= LONGEST_ROW_BYTES) return true;
  throw new DtmError(
    "PAYLOAD_INVALID",
    `the result of workflow ${gid}: expected at most ${LONGEST_ROW_BYTES} bytes of JSON, found ${result.length}: it stays open`,
  );
}

/**
 * @throws DtmError PAYLOAD_INVALID for an input that JSON can't carry, or that a strict JSON parser before the callback would refuse when
 * the workflow is resumed.
 */
export function encodeInput(input: unknown): Uint8Array {
  if (input === undefined) return new Uint8Array();
  if (typeof input === "object" && input !== null) {
    const text = toJsonText(input);
    if (/^[{[]/.test(text)) return Buffer.from(text);
  }
  throw new DtmError("PAYLOAD_INVALID", `a workflow's input: expected an object, an array or nothing, found ${describe(input)}`);
}

/**
 * The text that the coordinator keeps to call the workflow again. dtm reads the name and the data; the mark of who begins it is ours, and left out
 * where it finds no room: the workflow is taken for an older one then.
 *
 * @throws DtmError PAYLOAD_INVALID when it is too long.
 */
export function customDataOf(name: string, data: Uint8Array, mark: string | null): string {
  const kept = { name, data: Buffer.from(data).toString("base64") };
  const marked = mark === null ? "" : JSON.stringify({ ...kept, [MARK]: mark });
  if (marked !== "" && fits(marked)) return marked;
  const text = JSON.stringify(kept);
  if (fits(text)) return text;
  const length = [...text].length;
  throw new DtmError(
    "PAYLOAD_INVALID",
    `the input of workflow ${name}: its ${data.length} bytes of JSON, in base64 and with the name, take ${length} characters; ` +
      `the coordinator keeps ${COLUMN}: give it an id to look the rest up by`,
  );
}

function fits(text: string): boolean {
  return [...text].length <= COLUMN;
}

/** The name in what {@link customDataOf} made; null for anything else. */
export function nameIn(customData: string): string | null {
  return textOrNull(memberOf(customData, "name"));
}

/** Likewise the input, for which dtm's Go client writes null when there is none. */
export function dataIn(customData: string): Uint8Array | null {
  const data = memberOf(customData, "data");
  if (data === null) return new Uint8Array();
  return typeof data === "string" ? Buffer.from(data, "base64") : null;
}

/** Likewise the mark of who has begun it. */
export function markIn(customData: string): string | null {
  return textOrNull(memberOf(customData, MARK));
}

function textOrNull(value: unknown): string | null {
  return typeof value === "string" ? value : null;
}

function memberOf(customData: string, key: string): unknown {
  try {
    const value: unknown = JSON.parse(customData);
    return typeof value === "object" && value !== null ? Reflect.get(value, key) : undefined;
  } catch {
    return undefined;
  }
}
