export * from "@dtm/client-core";
export type { TlsOptions } from "@dtm/client-http";
export { type BranchAddress, branch, DtmError, type ErrorCode, Failure, Ongoing } from "@dtm/protocol";
export { GrpcClient, type GrpcClientOptions } from "./client.js";
export { type GrpcBranch, type GrpcMethod, grpcBranch, grpcTopic } from "./codec.js";
