import { inMysql, MYSQL, mysqlAddress, mysqlDatabase } from "../../../../test/kit/temporary-mysql.js";
import { withServer } from "../../../../test/kit/with-server.js";
import { saga, storedTransaction } from "../../contract/fixtures.js";
import { Connection } from "../connection.js";
import { Pool } from "../pool.js";
import { openMysql } from "../store.js";
import { adopt } from "./adopt.js";

withServer(MYSQL, () => {
  test("what somebody long dead left is not taken from a node that claimed it while it was looked for (R3)", async () => {
    const database = await mysqlDatabase();
    const store = openMysql(mysqlAddress(database.name));
    await store.open();
    const [claimed, left] = [saga({ owner: "long_dead:1" }), saga({ owner: "long_dead:2" })];
    for (const one of [claimed, left]) await store.create(one);
    await inMysql(
      (connection) =>
        connection.query(
          "INSERT INTO dtm_node (epoch, expires_at, dead_at) VALUES ('long_dead', utc_timestamp() - INTERVAL 25 HOUR, utc_timestamp() - INTERVAL 25 HOUR)",
        ),
      database.name,
    );
    const pool = new Pool(mysqlAddress(database.name), 1);
    const driver = await pool.dedicated();
    const db = new Connection(driver, pool.zone);
    const run = db.run.bind(db);
    let halted = false;
    jest.spyOn(db, "run").mockImplementation(async (sql, values) => {
      if (!halted) {
        halted = true;
        const { gid } = claimed.transaction;
        const claim = "UPDATE trans_global SET owner = 'here:1' WHERE gid = ?";
        await inMysql((connection) => connection.query(claim, [gid]), database.name);
      }
      return run(sql, values);
    });
    await adopt(db);
    expect(halted).toBe(true);
    expect((await storedTransaction(store, claimed.transaction.gid)).owner).toBe("here:1");
    expect((await storedTransaction(store, left.transaction.gid)).owner).toBe("");
    await driver.end();
    await pool.end();
    await store.close();
    await database.drop();
  }, 60_000);
});
