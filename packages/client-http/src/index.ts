export * from "@dtm/client-core";
export { type BranchAddress, branch, DtmError, type ErrorCode, Failure, Ongoing } from "@dtm/protocol";
export { HttpClient, type HttpClientOptions } from "./client.js";
export type { TlsOptions } from "./tls.js";
