/** From settings to a store: the only file that knows all of them. */
import type { Config } from "../config/schema.js";
import type { Log } from "../engine/coordinator.js";
import { StartError } from "../service.js";
import { openMemory } from "./memory/store.js";
import type { Store } from "./store.js";

export interface StoreParts {
  readonly log: Log;
  /** It can't go on, and neither can the process (R25). */
  readonly onFatal: (cause: Error) => void;
  /** One group commit. */
  readonly flushed: (operations: number, seconds: number) => void;
}

export function openStore(config: Config, parts: StoreParts): Store {
  const { Driver } = config.Store;
  switch (Driver) {
    case "sqlite":
      throw new StartError("Store.Driver sqlite is being built");
    case "memory":
      return openMemory({ now: () => Date.now() });
    case "mysql":
    case "postgres":
    case "redis":
      throw new StartError(`Store.Driver ${Driver} comes with a later release: use sqlite until then`);
    case "boltdb":
    case "sqlserver":
      throw new StartError(`Store.Driver ${Driver} is none of ours: use sqlite`);
  }
}
