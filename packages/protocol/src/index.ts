export * from "./words.js";
export * from "./outcome.js";
