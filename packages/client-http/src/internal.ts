/** For sibling packages only: not covered by semantic versioning. */
export { baseOf, serverOf } from "./address.js";
export { checkToken } from "./client.js";
export type { Exchange, HttpAnswer, HttpRequest } from "./exchange.js";
export { askedWithoutToken } from "./replies.js";
export { checkTls } from "./tls.js";
export { HttpTransport, type HttpTransportOptions } from "./transport.js";
