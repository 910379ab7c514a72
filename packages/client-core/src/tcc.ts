/** TCC: each branch is registered, then tried; the coordinator confirms or cancels all of them (protocol.md 6.4). */
import { type Address, requireKnown, urlOf, type WithPayload } from "./address.js";
import { type BranchAnswer, callBranch } from "./answer.js";
import { Deadline } from "./deadline.js";
import { BranchScope, headersOf } from "./global.js";
import type { CallOptions } from "./options.js";

/** One branch; `try`, `confirm` and `cancel` get the same payload. */
export type TccBranch<Payload> = {
  readonly try: Address<Payload>;
  readonly confirm: Address<Payload>;
  readonly cancel: Address<Payload>;
  /** Headers of the try call, in addition to the transaction's `branchHeaders`. Default: none. */
  readonly headers?: Readonly<Record<string, string>> | undefined;
} & CallOptions &
  WithPayload<Payload>;

const BRANCH = {
  try: true,
  confirm: true,
  cancel: true,
  headers: true,
  payload: true,
  timeoutMs: true,
  signal: true,
} satisfies Record<keyof TccBranch<object>, true>;

/** The branches of one TCC transaction; made by {@link Client.tcc} and {@link Client.tccFrom}. */
export class Tcc extends BranchScope {
  /**
   * Registers a branch and calls its try, once. An error here rolls the whole transaction back, even when the callback catches it: the
   * coordinator knows the branch already and would confirm it.
   *
   * @returns The branch's answer.
   * @throws Failure when the branch refused, Ongoing when it isn't done, DtmError BRANCH_UNKNOWN without a definite answer;
   * STEP_INVALID, PAYLOAD_INVALID, or what the registration ended with.
   */
  branch<Payload>(branch: TccBranch<Payload>): Promise<BranchAnswer> {
    return this.track(async () => {
      const { coordinator, gid, ids, headers, call, address } = this.parts;
      const { transport } = coordinator;
      requireKnown(branch, BRANCH, { code: "STEP_INVALID", what: "branch" });
      const [url, confirm, cancel] = (["try", "confirm", "cancel"] as const).map((op) => {
        const target = urlOf(branch[op], `branch: ${op}`);
        if (op === "try") transport.checkCallable(target, "branch: try");
        else transport.checkAddress(target, `branch: ${op}`);
        return target;
      }) as [string, string, string];
      const payload = "payload" in branch ? transport.encode(branch.payload, [branch.try, branch.confirm, branch.cancel]) : "";
      const own = { timeoutMs: branch.timeoutMs ?? call.timeoutMs, signal: branch.signal ?? call.signal };
      const limits = this.limits(own, "registerBranch");
      const deadline = new Deadline(limits);
      const sent = headersOf(headers, branch.headers);
      const branchId = ids.next();
      const registration = { gid, transType: "tcc" as const, branchId, payload, data: { confirm, cancel } };
      await coordinator.registerBranch(registration, deadline.share(1), address);
      const invocation = {
        url,
        gid,
        transType: "tcc" as const,
        branchId,
        op: "try",
        payload,
        headers: sent,
        coordinator: address,
      };
      // Asked again, since the registration took its time: a closed client tries nothing.
      return callBranch(transport, invocation, this.limits(deadline.share(1), `try of branch ${branchId}`));
    });
  }
}
