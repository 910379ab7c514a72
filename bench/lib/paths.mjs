import { join } from "node:path";
import { fileURLToPath } from "node:url";

export const BENCH = fileURLToPath(new URL("..", import.meta.url));
export const ROOT = join(BENCH, "..");
/** Git-ignored: built peers and the data of runs. */
export const CACHE = join(ROOT, ".cache");
