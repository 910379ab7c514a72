/** With replicas, Sequelize reads from one whatever it is told is a SELECT: the barrier's rows are in the database that is written to. */
import { randomUUID } from "node:crypto";
import { type Dialect, Sequelize } from "sequelize";
import { BranchCall, runInBranch } from "../../src/context.js";
import { barrier } from "../../src/sequelize.js";
import { type Database, openDatabase, SERVERS } from "../kit/databases.js";
import { withServer } from "../kit/with-server.js";

function suite(on: "postgres" | "mysql", dialect: Dialect, table: string): void {
  let written: Database;
  let replica: Database;
  let sequelize: Sequelize;

  beforeAll(async () => {
    [written, replica] = [await openDatabase(on), await openDatabase(on)];
    const place = ({ host, port, user, password, name }: Database) => ({ host, port, username: user, password, database: name });
    sequelize = new Sequelize({
      dialect,
      // One that never hears of what is written.
      replication: { write: place(written), read: [place(replica)] },
      logging: false,
    });
    await barrier.createTable(sequelize, { table });
  });
  afterAll(async () => {
    await sequelize?.close();
    await written?.drop();
    await replica?.drop();
  });

  test(`${dialect}: queryPrepared and cleanUp go where the transactions are`, async () => {
    const at = (gid: string) => new BranchCall({ gid, transType: "msg", branchId: "00", op: "msg" });
    const gid = randomUUID();
    await runInBranch(at(gid), () =>
      sequelize.transaction((transaction) => barrier.run(transaction, () => undefined, { table })),
    );
    await runInBranch(at(gid), () => barrier.queryPrepared(sequelize, { table }));
    const never = runInBranch(at(randomUUID()), () => barrier.queryPrepared(sequelize, { table }));
    await expect(never).rejects.toMatchObject({ code: "FAILURE" });
    await written.read(`update ${table} set create_time = '2001-01-01'`);
    expect(await barrier.cleanUp(sequelize, { table })).toEqual({ deleted: 2 });
  });
}

withServer(SERVERS.postgres ?? { name: "PostgreSQL", variable: "DTM_TEST_POSTGRES" }, () =>
  suite("postgres", "postgres", "barrier_of_replicas"),
);
withServer(SERVERS.mysql ?? { name: "MariaDB or MySQL", variable: "DTM_TEST_MYSQL" }, () =>
  suite("mysql", "mysql", "barrier_of_replicas"),
);
