import Libsql from "libsql";
import { barrier } from "../../src/libsql.js";
import type { Bed } from "./bed.js";
import { matrix } from "./matrix.js";

/** Also stands for better-sqlite3, whose interface it has. */
const bed: Bed = {
  name: "libsql",
  on: "sqlite",
  sync: true,
  async open({ name }) {
    const db = new Libsql(name);
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
