/** What clients send, decoded: a test says only what it is about. */
import type { BranchInput, StepInput, TransactionInput } from "../../src/engine/coordinator.js";
import { NO_OPTIONS, type TransactionOptions } from "../../src/engine/transaction.js";

export function anInput(
  type: string,
  gid: string,
  fields: Omit<Partial<TransactionInput>, "options"> & { readonly options?: Partial<TransactionOptions> } = {},
): TransactionInput {
  const steps = fields.steps ?? [];
  return {
    gid,
    type,
    protocol: "http",
    payloads: steps.map((_, index) => Buffer.from(`{"step":${index}}`)),
    queryPrepared: "",
    customData: "",
    rollbackReason: "",
    extra: {},
    ...fields,
    steps,
    options: { ...NO_OPTIONS, ...fields.options },
  };
}

/** Each action's compensation is `<action>-undo`. */
export function undoable(...actions: readonly string[]): StepInput[] {
  return actions.map((action) => ({ action, compensate: `${action}-undo` }));
}

export function sends(...actions: readonly string[]): StepInput[] {
  return actions.map((action) => ({ action, compensate: "" }));
}

export function aRegistration(type: string, gid: string, branchId: string, fields: Partial<BranchInput> = {}): BranchInput {
  return {
    gid,
    type,
    branchId,
    payload: Buffer.from("{}"),
    confirm: "",
    cancel: "",
    url: "",
    op: "",
    status: "",
    ...fields,
  };
}
