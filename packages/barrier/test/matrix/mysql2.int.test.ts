import mysqlCallbacks from "mysql2";
import mysql from "mysql2/promise";
import { barrier } from "../../src/mysql2.js";
import { type Bed, wholeTransactions } from "./bed.js";
import { matrix } from "./matrix.js";

const promises: Bed = {
  name: "mysql2, promises",
  on: "mysql",
  async open({ host, port, user, password, name }) {
    const pool = mysql.createPool({ host, port, user, password, database: name, connectionLimit: 8 });
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
          connection.release();
        }
      },
      exec: (tx, sql) => (tx as mysql.PoolConnection).query(sql),
      async idle(use) {
        const connection = await pool.getConnection();
        try {
          await use(connection);
        } finally {
          connection.release();
        }
      },
      close: () => pool.end(),
    };
  },
};

/** A callback as a promise. */
function told<T>(call: (done: (cause: Error | null, value: T) => void) => void): Promise<T> {
  return new Promise((resolve, reject) => call((cause, value) => (cause ? reject(cause) : resolve(value))));
}

const callbacks: Bed = {
  name: "mysql2, callbacks",
  on: "mysql",
  async open({ host, port, user, password, name }) {
    const pool = mysqlCallbacks.createPool({ host, port, user, password, database: name, connectionLimit: 8 });
    const connect = (): Promise<mysqlCallbacks.PoolConnection> => told((done) => pool.getConnection(done));
    return {
      barrier,
      pool,
      db: pool,
      async transaction(work) {
        const connection = await connect();
        try {
          await told((done) => connection.beginTransaction((cause) => done(cause, null)));
          const value = await work(connection);
          await told((done) => connection.commit((cause) => done(cause, null)));
          return value;
        } catch (cause) {
          await told((done) => connection.rollback((trouble) => done(trouble, null)));
          throw cause;
        } finally {
          connection.release();
        }
      },
      exec: (tx, sql) => told((done) => (tx as mysqlCallbacks.PoolConnection).query(sql, done)),
      async idle(use) {
        const connection = await connect();
        try {
          await use(connection);
        } finally {
          connection.release();
        }
      },
      close: () => told((done) => pool.end((cause) => done(cause, undefined))),
    };
  },
};

matrix(promises);
matrix(wholeTransactions(promises));
matrix(callbacks);
