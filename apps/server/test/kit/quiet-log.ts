import type { Log } from "../../src/engine/coordinator.js";

/** For tests that expect nothing of the log. */
export const quiet: Log = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined };
