/** For sibling packages only: not covered by semantic versioning. */
export { GrpcTransport, type GrpcTransportOptions } from "./transport.js";
