import { type Dialect, Sequelize, type Transaction } from "sequelize";
import { barrier } from "../../src/sequelize.js";
import type { Kind } from "../kit/databases.js";
import { NATIVE } from "../kit/sqlite-driver.js";
import { unavailable } from "../kit/with-server.js";
import { type Bed, oneAtATime } from "./bed.js";
import { matrix } from "./matrix.js";

function bed(dialect: Dialect, on: Kind): Bed {
  return {
    name: `Sequelize with ${dialect}`,
    on,
    async open({ host, port, user, password, name }) {
      const sequelize = new Sequelize({
        dialect,
        host,
        port,
        username: user,
        password,
        database: name,
        logging: false,
        ...(on === "sqlite" ? { storage: name, dialectModule: NATIVE?.("sqlite3") } : {}),
        pool: { max: 8, acquire: 120_000 },
      });
      const alone = oneAtATime();
      return {
        barrier,
        pool: sequelize,
        db: sequelize,
        transaction: (work) => {
          const go = () => sequelize.transaction(async (transaction) => await work(transaction));
          // Its driver waits for locks in four threads: with more transactions than that nobody could commit.
          return on === "sqlite" ? alone(go) : go();
        },
        exec: (tx, sql) => sequelize.query(sql, { transaction: tx as Transaction }),
        async idle(use) {
          const transaction = await sequelize.transaction();
          await transaction.commit();
          await use(transaction);
        },
        close: () => sequelize.close(),
      };
    },
  };
}

matrix(bed("postgres", "postgres"));
matrix(bed("mysql", "mysql"));
matrix(bed("mariadb", "mysql"));
if (NATIVE !== null) matrix(bed("sqlite", "sqlite"));
else unavailable("tests of @dtm/barrier on Sequelize's SQLite, whose driver has to be compiled: npm run soak -- --only native");
