export * as dtmgimp from "./gen/dtmgimp.js";
export { Empty } from "./gen/google/protobuf/empty.js";
export * as workflow from "./gen/workflow.js";
export * from "./outcome.js";
export * from "./outcome-rules.js";
export * from "./reflection.js";
export * from "./retry-after.js";
export * from "./words.js";
export * from "./workflow-data.js";
