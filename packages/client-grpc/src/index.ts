export * from "@dtm/client-core";
export { DtmError, Failure, Ongoing, type BranchAddress, type ErrorCode, branch } from "@dtm/protocol";
export type { TlsOptions } from "@dtm/client-http";
export { GrpcClient, type GrpcClientOptions } from "./client.js";
export { type GrpcBranch, type GrpcMethod, grpcBranch, grpcTopic } from "./codec.js";
