/** For sibling packages only: not covered by semantic versioning. */
export { baseOf } from "./address.js";
export { checkToken } from "./client.js";
export type { Exchange, HttpAnswer, HttpRequest } from "./exchange.js";
export { HttpTransport, type HttpTransportOptions } from "./transport.js";
