export * from "@dtm/client-core";
export { type BranchAddress, branch, DtmError, type ErrorCode, Failure, Ongoing } from "@dtm/protocol";
export type { TlsOptions } from "./agents.js";
export { HttpClient, type HttpClientOptions } from "./client.js";
