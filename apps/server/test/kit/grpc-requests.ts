/** dtm's requests, field by field as the SDKs of other languages put them on the wire (protocol.md 2.1, 6.7). */
import { bytes, entry, type Field, message, nested, text, whole } from "./protobuf.js";

export interface TransactionFields {
  readonly gid: string;
  readonly type: string;
  /** Absent: no TransOptions at all. */
  readonly options?: readonly Field[];
  readonly customData?: string;
  readonly payloads?: readonly Uint8Array[];
  readonly queryPrepared?: string;
  /** JSON text. */
  readonly steps?: string;
  readonly extra?: Readonly<Record<string, string>>;
  readonly rollbackReason?: string;
  /** What no version of ours knows. */
  readonly unknown?: readonly Field[];
}

/** DtmRequest. What is absent here is absent on the wire. */
export function transaction(fields: TransactionFields): Buffer {
  const {
    gid,
    type,
    options,
    customData,
    payloads = [],
    queryPrepared,
    steps,
    extra = {},
    rollbackReason,
    unknown = [],
  } = fields;
  return message(
    text(1, gid),
    text(2, type),
    ...(options === undefined ? [] : [nested(3, ...options)]),
    ...maybe(4, customData),
    ...payloads.map((payload) => bytes(5, payload)),
    ...maybe(6, queryPrepared),
    ...maybe(7, steps),
    ...Object.entries(extra).map(([key, value]) => entry(8, key, value)),
    ...maybe(9, rollbackReason),
    ...unknown,
  );
}

/** DtmTransOptions. */
export const OPTION = {
  waitResult: whole(1, true),
  timeoutToFail: (seconds: number | bigint) => whole(2, seconds),
  retryInterval: (seconds: number | bigint) => whole(3, seconds),
  /** Field 4, `repeated string`, gone from the proto and still sent by the Node and PHP clients. */
  passthroughHeader: (name: string) => text(4, name),
  branchHeader: (name: string, value: string) => entry(5, name, value),
  requestTimeout: (seconds: number | bigint) => whole(6, seconds),
  retryLimit: (times: number | bigint) => whole(7, times),
} as const;

export function steps(...list: readonly { readonly action: string; readonly compensate?: string }[]): string {
  return JSON.stringify(list);
}

/** A saga whose payloads are `{"step":0}`, `{"step":1}`, …; a compensation is `<action>-undo`. */
export function saga(gid: string, actions: readonly string[], fields: Partial<TransactionFields> = {}): Buffer {
  return transaction({
    gid,
    type: "saga",
    steps: steps(...actions.map((action) => ({ action, compensate: `${action}-undo` }))),
    payloads: actions.map((_, index) => Buffer.from(`{"step":${index}}`)),
    ...fields,
  });
}

export function msg(gid: string, actions: readonly string[], fields: Partial<TransactionFields> = {}): Buffer {
  return transaction({
    gid,
    type: "msg",
    steps: steps(...actions.map((action) => ({ action }))),
    payloads: actions.map((_, index) => Buffer.from(`{"step":${index}}`)),
    ...fields,
  });
}

export interface BranchFields {
  readonly gid: string;
  readonly type: string;
  readonly branchId: string;
  readonly op?: string;
  readonly data?: Readonly<Record<string, string>>;
  readonly payload?: Uint8Array;
}

/** DtmBranchRequest. */
export function branch({ gid, type, branchId, op, data = {}, payload }: BranchFields): Buffer {
  return message(
    text(1, gid),
    text(2, type),
    text(3, branchId),
    ...maybe(4, op),
    ...Object.entries(data).map(([key, value]) => entry(5, key, value)),
    ...(payload === undefined ? [] : [bytes(6, payload)]),
  );
}

/** DtmTopicRequest. */
export function topic(name: string, url = "", remark = ""): Buffer {
  return message(text(1, name), text(2, url), text(3, remark));
}

function maybe(number: number, value: string | undefined): Field[] {
  return value === undefined ? [] : [text(number, value)];
}
