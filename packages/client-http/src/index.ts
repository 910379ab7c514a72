export * from "@dtm/client-core";
export { DtmError, Failure, Ongoing, type BranchAddress, type ErrorCode, branch } from "@dtm/protocol";
export type { TlsOptions } from "./agents.js";
export { HttpClient, type HttpClientOptions } from "./client.js";
