import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { quiet } from "../../../test/kit/quiet-log.js";
import { storeContract } from "../contract/contract.js";
import type { Store } from "../store.js";
import { openSqlite } from "./store.js";

storeContract("sqlite", async () => {
  const folder = mkdtempSync(join(tmpdir(), "dtm-sqlite-"));
  const open = async (): Promise<Store> => {
    const store = openSqlite({ folder, log: quiet, onFatal: fail });
    await store.open();
    return store;
  };
  let store = await open();
  return {
    store,
    async reopen() {
      await store.close();
      store = await open();
      return store;
    },
    async dispose() {
      await store.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
});

function fail(cause: Error): void {
  throw cause;
}
