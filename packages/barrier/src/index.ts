export type { RunOptions, RunResult } from "./barrier.js";
export { BranchCall, currentBranch } from "./context.js";
export { type Inserted, judge, originOp, type Verdict } from "./judge.js";
