import knex, { type Knex } from "knex";
import { barrier } from "../../src/knex.js";
import type { Database, Kind } from "../kit/databases.js";
import type { Bed } from "./bed.js";
import { matrix } from "./matrix.js";

const server = ({ host, port, user, password, name }: Database): Knex.StaticConnectionConfig => ({
  host,
  port,
  user,
  password,
  database: name,
});

const CONFIGS: Readonly<Record<Kind, (database: Database) => Knex.Config>> = {
  postgres: (database) => ({ client: "pg", connection: server(database), pool: { max: 8 } }),
  mysql: (database) => ({ client: "mysql2", connection: server(database), pool: { max: 8 } }),
  sqlite: ({ name }) => ({ client: "better-sqlite3", connection: { filename: name }, useNullAsDefault: true }),
};

function bed(on: Kind): Bed {
  return {
    name: `Knex on ${on}`,
    on,
    async open(database) {
      const db = knex({ ...CONFIGS[on](database), acquireConnectionTimeout: 120_000 });
      return {
        barrier,
        pool: db,
        db,
        transaction: (work) => db.transaction(async (trx) => await work(trx)),
        exec: (tx, sql) => (tx as Knex.Transaction).raw(sql).then(() => undefined),
        async idle(use) {
          const trx = await db.transaction();
          await trx.commit();
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
