/** For sibling packages only: not covered by semantic versioning. */
export {
  type AddressLike,
  describe,
  encoderOf,
  hasUsablePort,
  isBranchUrl,
  isHttpUrl,
  isMethodAddress,
  requireFunction,
  requireKnown,
  requireObject,
  requireText,
  urlOf,
  withoutUserinfo,
} from "./address.js";
export { BranchIds } from "./branch-ids.js";
export { coordinatorOf } from "./client.js";
export { Coordinator, type CoordinatorSettings } from "./coordinator.js";
export { Deadline, isRealTime, underClock } from "./deadline.js";
export { clientClosed } from "./errors.js";
export { checkGid } from "./gid.js";
export { reasonOf } from "./global.js";
export { checkHeaders } from "./headers.js";
export { flag, toWireOptions, type WireOptions } from "./options.js";
export { toJsonText } from "./payload.js";
export { isRefusalText } from "./refusals.js";
export { checkCompensation, isNoCompensation } from "./saga.js";
export { onAbort } from "./signals.js";
export type * from "./transport.js";
export type { Begun } from "./unsent.js";
