import { createPool, type PoolConnection } from "mariadb";
import { barrier } from "../../src/mariadb.js";
import { type Bed, wholeTransactions } from "./bed.js";
import { matrix } from "./matrix.js";

const bed: Bed = {
  name: "mariadb",
  on: "mysql",
  async open({ host, port, user, password, name }) {
    const pool = createPool({
      host,
      port,
      user,
      password,
      database: name,
      connectionLimit: 8,
      acquireTimeout: 60_000,
      allowPublicKeyRetrieval: true,
    });
    return {
      barrier,
      pool,
      db: pool,
      async transaction(work) {
        const connection = await pool.getConnection();
        try {
          await connection.beginTransaction();
          const value = await work(connection);
          await connection.commit();
          return value;
        } catch (cause) {
          await connection.rollback();
          throw cause;
        } finally {
          await connection.release();
        }
      },
      exec: (tx, sql) => (tx as PoolConnection).query(sql),
      async idle(use) {
        const connection = await pool.getConnection();
        try {
          await use(connection);
        } finally {
          await connection.release();
        }
      },
      close: () => pool.end(),
    };
  },
};

matrix(bed);
matrix(wholeTransactions(bed));
