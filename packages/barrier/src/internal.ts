/** For sibling packages only: not covered by semantic versioning. */

export { barrierId, decide, type Guard, type RunOptions, type RunResult, settle } from "./barrier.js";
export { BranchCall, type BranchCallParts, currentBranch, runInBranch } from "./context.js";
export { type Inserted, judge, originOp, type Verdict } from "./judge.js";
export { type NestedScope, nest, runAsBranch } from "./nested.js";
