import { DataSource, type DataSourceOptions, type EntityManager } from "typeorm";
import { barrier } from "../../src/typeorm.js";
import type { Database, Kind } from "../kit/databases.js";
import { type Bed, oneAtATime } from "./bed.js";
import { matrix } from "./matrix.js";

const OPTIONS: Readonly<Record<Kind, (database: Database) => DataSourceOptions>> = {
  postgres: ({ host, port, user, password, name }) => ({
    type: "postgres",
    host,
    port,
    username: user,
    password,
    database: name,
    extra: { max: 8 },
  }),
  mysql: ({ host, port, user, password, name }) => ({
    type: "mysql",
    host,
    port,
    username: user,
    password,
    database: name,
    extra: { connectionLimit: 8 },
  }),
  sqlite: ({ name }) => ({ type: "better-sqlite3", database: name, statementCacheSize: 0, timeout: 100 }),
};

function bed(on: Kind): Bed {
  return {
    name: `TypeORM on ${on}`,
    on,
    async open(database) {
      const source = await new DataSource(OPTIONS[on](database)).initialize();
      const alone = oneAtATime();
      return {
        barrier,
        pool: source,
        db: source,
        transaction: (work) => {
          const go = () => source.transaction(async (manager) => await work(manager));
          return on === "sqlite" ? alone(go) : go();
        },
        exec: (tx, sql) => (tx as EntityManager).query(sql),
        async idle(use) {
          const runner = source.createQueryRunner();
          try {
            await use(runner);
            await use(runner.manager);
            await use(source.manager);
          } finally {
            await runner.release();
          }
        },
        close: () => source.destroy(),
      };
    },
  };
}

matrix(bed("postgres"));
matrix(bed("mysql"));
matrix(bed("sqlite"));
