import { barrier } from "../../src/libsql.js";
import { SQLITE_DRIVER, Sqlite } from "../kit/sqlite-driver.js";
import type { Bed } from "./bed.js";
import { matrix } from "./matrix.js";

const bed: Bed = {
  name: SQLITE_DRIVER,
  on: "sqlite",
  sync: true,
  async open({ name }) {
    const db = new Sqlite(name);
    return {
      barrier,
      pool: null,
      db,
      transaction: async (work) => db.transaction(() => work(db)).immediate(),
      exec: (_tx, sql) => db.prepare(sql).run(),
      idle: async (use) => use(db),
      async close() {
        db.close();
      },
    };
  },
};

matrix(bed);
