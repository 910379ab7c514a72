/**
 * The suite that every store passes (design.md 4). A store is enrolled by one line: `storeContract("sqlite", open)`. What a store
 * can't do is declared and read here, never skipped in silence.
 */
import type { Store } from "../store.js";
import { badInputContract } from "./bad-input.js";
import { changeContract } from "./change.js";
import { claimContract } from "./claim.js";
import { createContract } from "./create.js";
import { keysContract } from "./keys.js";
import { listContract } from "./list.js";
import { moveContract } from "./move.js";
import { recordContract } from "./record.js";
import { registerContract } from "./register.js";
import { reopenContract } from "./reopen.js";
import { restContract } from "./rest.js";
import { sharedContract } from "./shared.js";
import { submitContract } from "./submit.js";
import { waitingContract } from "./waiting.js";

export interface Opened {
  readonly store: Store;
  /** Closes this one and opens another over the same data. Absent: nothing outlives the store. */
  readonly reopen?: () => Promise<Store>;
  /** Closes and removes what was stored. */
  dispose(): Promise<void>;
}

/** An open store without a row in it. */
export type OpenEmpty = () => Promise<Opened>;

export interface Section {
  /** The store of the running test. */
  readonly store: () => Store;
  readonly opened: () => Opened;
}

export function storeContract(name: string, open: OpenEmpty): void {
  describe(`${name} keeps the store contract`, () => {
    section("create", open, "once", createContract);
    section("submit", open, "once", submitContract);
    section("register", open, "once", registerContract);
    section("change", open, "once", changeContract);
    section("move", open, "once", moveContract);
    section("record", open, "once", recordContract);
    section("rest", open, "once", restContract);
    section("bad input", open, "once", badInputContract);
    section("claim", open, "each", claimContract);
    section("waiting", open, "each", waitingContract);
    section("list", open, "each", listContract);
    section("keys", open, "each", keysContract);
    section("shared", open, "each", sharedContract);
    section("reopen", open, "each", reopenContract);
  });
}

/** "once": its tests own their gids and share a store. "each": every test finds an empty one. */
function section(title: string, open: OpenEmpty, empty: "once" | "each", tests: (section: Section) => void): void {
  describe(title, () => {
    let opened: Opened | null = null;
    const begin = async (): Promise<void> => {
      opened = await open();
    };
    const end = async (): Promise<void> => {
      await opened?.dispose();
      opened = null;
    };
    if (empty === "once") {
      beforeAll(begin);
      afterAll(end);
    } else {
      beforeEach(begin);
      afterEach(end);
    }
    const current = (): Opened => {
      if (opened === null) throw new Error("no store is open outside of a test");
      return opened;
    };
    tests({ store: () => current().store, opened: current });
  });
}
