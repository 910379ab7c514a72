import pg from "pg";
import { barrier } from "../../src/pg.js";
import { type Bed, wholeTransactions } from "./bed.js";
import { matrix } from "./matrix.js";

const bed: Bed = {
  name: "pg",
  on: "postgres",
  async open({ host, port, user, password, name }) {
    const pool = new pg.Pool({ host, port, user, password, database: name, max: 8 });
    return {
      barrier,
      pool,
      db: pool,
      async transaction(work) {
        const client = await pool.connect();
        try {
          await client.query("begin");
          const value = await work(client);
          await client.query("commit");
          return value;
        } catch (cause) {
          await client.query("rollback");
          throw cause;
        } finally {
          client.release();
        }
      },
      exec: (tx, sql) => (tx as pg.PoolClient).query(sql),
      async idle(use) {
        const client = await pool.connect();
        try {
          await use(client);
          // As with a pg that doesn't keep the server's status.
          Object.defineProperty(client, "getTransactionStatus", { value: undefined, configurable: true });
          await use(client);
        } finally {
          client.release(true);
        }
      },
      close: () => pool.end(),
    };
  },
};

matrix(bed);
matrix(wholeTransactions(bed));
