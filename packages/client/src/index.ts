export * from "@dtm/barrier";
export * from "@dtm/client-core";
export * from "@dtm/client-grpc";
export * from "@dtm/client-http";
export { type Branch, type BranchAddress, branch, DtmError, type ErrorCode, Failure, Ongoing } from "@dtm/protocol";
export * from "./workflow.js";
