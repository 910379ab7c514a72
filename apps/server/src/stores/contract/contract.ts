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
import { sweepContract } from "./sweep.js";
import { waitingContract } from "./waiting.js";

export interface Opened {
  readonly store: Store;
  /** Closes this one and opens another over the same data. Absent: nothing outlives the store. */
  readonly reopen?: () => Promise<Store>;
  /** Removes every row, for stores that are slow to open. Absent: another one is opened instead. */
  readonly clear?: () => Promise<void>;
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
    let shared: Opened | null = null;
    /** The store of the run, emptied; `reopen` closes it, so that section has its own. */
    const emptied: OpenEmpty = async () => {
      if (shared !== null && shared.clear === undefined) await close();
      shared ??= await open();
      await shared.clear?.();
      return { ...shared, dispose: async () => undefined };
    };
    const close = async (): Promise<void> => {
      await shared?.dispose();
      shared = null;
    };
    afterAll(close, SLOW_MS);
    section("create", emptied, "once", createContract);
    section("submit", emptied, "once", submitContract);
    section("register", emptied, "once", registerContract);
    section("change", emptied, "once", changeContract);
    section("move", emptied, "once", moveContract);
    section("record", emptied, "once", recordContract);
    section("rest", emptied, "once", restContract);
    section("bad input", emptied, "once", badInputContract);
    section("claim", emptied, "each", claimContract);
    section("waiting", emptied, "each", waitingContract);
    section("list", emptied, "each", listContract);
    section("sweep", emptied, "each", sweepContract);
    section("keys", emptied, "each", keysContract);
    section("shared", emptied, "each", sharedContract);
    section("reopen", open, "each", reopenContract);
  });
}

/** Opening a store on a busy machine; nothing is measured here. */
const SLOW_MS = 60_000;

/** "once": its tests own their gids and share a store. "each": every test finds an empty one. */
function section(title: string, open: OpenEmpty, empty: "once" | "each", tests: (section: Section) => void): void {
  describe(title, () => {
    jest.setTimeout(SLOW_MS);
    let opened: Opened | null = null;
    const begin = async (): Promise<void> => {
      opened = await open();
    };
    const end = async (): Promise<void> => {
      await opened?.dispose();
      opened = null;
    };
    if (empty === "once") {
      beforeAll(begin, SLOW_MS);
      afterAll(end, SLOW_MS);
    } else {
      beforeEach(begin, SLOW_MS);
      afterEach(end, SLOW_MS);
    }
    const current = (): Opened => {
      if (opened === null) throw new Error("no store is open outside of a test");
      return opened;
    };
    tests({ store: () => current().store, opened: current });
  });
}
