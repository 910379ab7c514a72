export { type Branch, DtmError, type ErrorCode, Failure, Ongoing } from "@dtm/protocol";
export type { RunOptions, RunResult } from "./barrier.js";
export { BranchCall, currentBranch } from "./context.js";
export { type Inserted, judge, originOp, type Verdict } from "./judge.js";
export {
  type BarrierTableOptions,
  barrierTableSql,
  type CleanUpOptions,
  type CleanUpResult,
  createBarrierTable,
} from "./schema.js";
export type {
  PreparedOption,
  QueryPreparedOptions,
  SqlBarrier,
  SqlRunOptions,
  SyncSqlBarrier,
  TableOption,
} from "./sql/sql-barrier.js";
