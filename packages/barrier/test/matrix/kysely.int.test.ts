import { CompiledQuery, type Dialect, Kysely, MysqlDialect, PostgresDialect, SqliteDialect, type Transaction } from "kysely";
import mysql from "mysql2";
import pg from "pg";
import { barrier } from "../../src/kysely.js";
import type { Database, Kind } from "../kit/databases.js";
import { Sqlite } from "../kit/sqlite-driver.js";
import type { Bed } from "./bed.js";
import { matrix } from "./matrix.js";

const DIALECTS: Readonly<Record<Kind, (database: Database) => Dialect>> = {
  postgres: ({ host, port, user, password, name }) =>
    new PostgresDialect({ pool: new pg.Pool({ host, port, user, password, database: name, max: 8 }) }),
  mysql: ({ host, port, user, password, name }) =>
    new MysqlDialect({ pool: mysql.createPool({ host, port, user, password, database: name, connectionLimit: 8 }) }),
  sqlite: ({ name }) => new SqliteDialect({ database: new Sqlite(name) }),
};

type Tables = Record<string, never>;

function bed(on: Kind): Bed {
  return {
    name: `Kysely on ${on}`,
    on,
    async open(database) {
      const db = new Kysely<Tables>({ dialect: DIALECTS[on](database) });
      return {
        barrier,
        pool: db,
        db,
        transaction: (work) => db.transaction().execute(async (trx) => await work(trx)),
        exec: (tx, sql) => (tx as Transaction<Tables>).executeQuery(CompiledQuery.raw(sql)),
        async idle(use) {
          const trx = await db.startTransaction().execute();
          await trx.rollback().execute();
          await use(trx);
        },
        close: () => db.destroy(),
      };
    },
  };
}

matrix(bed("postgres"));
matrix(bed("mysql"));
matrix(bed("sqlite"));
