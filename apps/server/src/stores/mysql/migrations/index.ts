import type { Migration } from "../../migrate.js";
import { initial } from "./0001-initial.js";
import { adopted } from "./0002-adopted.js";

/** Forward only; what is listed here never changes again, a change is a new version. */
export const MIGRATIONS: readonly Migration[] = [
  { version: 1, name: "initial", sql: initial },
  { version: 2, name: "adopted", sql: adopted },
];
