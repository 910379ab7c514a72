/** XA, the global part: each branch is called once and registers itself before its database prepares (protocol.md 6.4, 6.5). */
import { type Address, requireKnown, urlOf, type WithPayload } from "./address.js";
import { type BranchAnswer, callBranch } from "./answer.js";
import { BranchScope, headersOf } from "./global.js";
import type { CallOptions } from "./options.js";

/** One branch; its `url` also gets the commit or the rollback. */
export type XaBranch<Payload> = {
  readonly url: Address<Payload>;
  /** Headers of this call, in addition to the transaction's `branchHeaders`. Default: none. */
  readonly headers?: Readonly<Record<string, string>> | undefined;
} & CallOptions &
  WithPayload<Payload>;

const BRANCH = { url: true, headers: true, payload: true, timeoutMs: true, signal: true } satisfies Record<
  keyof XaBranch<object>,
  true
>;

/** What a service registers for its own local XA branch. */
export interface XaRegistration {
  readonly gid: string;
  readonly branchId: string;
  /** Where the coordinator sends commit and rollback. */
  readonly url: string;
  /** The coordinator that the caller named; default, also for null and an empty text: this client's own. */
  readonly coordinator?: string | null | undefined;
}

/** The branches of one XA transaction; made by {@link Client.xa} and {@link Client.xaFrom}. */
export class Xa extends BranchScope {
  /**
   * Calls a branch, once. An error here rolls the whole transaction back, even when the callback catches it.
   *
   * @returns The branch's answer.
   * @throws Failure when the branch refused, Ongoing when it isn't done, DtmError BRANCH_UNKNOWN without a definite answer;
   * STEP_INVALID, PAYLOAD_INVALID.
   */
  branch<Payload>(branch: XaBranch<Payload>): Promise<BranchAnswer> {
    return this.track(async () => {
      const { gid, ids, headers, call, address } = this.parts;
      const { transport } = this.parts.coordinator;
      requireKnown(branch, BRANCH, { code: "STEP_INVALID", what: "branch" });
      const url = urlOf(branch.url, "branch: url");
      transport.checkCallable(url, "branch: url");
      const payload = "payload" in branch ? transport.encode(branch.payload, [branch.url]) : "";
      const own = { timeoutMs: branch.timeoutMs ?? call.timeoutMs, signal: branch.signal ?? call.signal };
      const limits = this.limits(own, "a branch call");
      const invocation = {
        url,
        gid,
        transType: "xa" as const,
        branchId: ids.next(),
        op: "action",
        payload,
        headers: headersOf(headers, branch.headers),
        phase2Url: url,
        coordinator: address,
      };
      return callBranch(transport, invocation, limits);
    });
  }
}
