import type pg from "pg";
import {
  POSTGRES,
  postgresAddress,
  postgresClient,
  postgresDatabase,
  type TemporaryDatabase,
} from "../../../../test/kit/temporary-postgres.js";
import { withServer } from "../../../../test/kit/with-server.js";
import { Connection } from "../connection.js";
import { postgresMigrator } from "../migrator.js";
import { tablesIn } from "../tables.js";
import { lastBatch, noteBatch } from "./lanes.js";

withServer(POSTGRES, () => {
  let database: TemporaryDatabase;
  const clients: pg.Client[] = [];
  beforeAll(async () => {
    database = await postgresDatabase();
    await postgresMigrator(postgresAddress(database.name)).migrate();
  }, 60_000);
  afterAll(async () => {
    for (const client of clients) await client.end();
    await database.drop();
  }, 60_000);

  const connect = async (): Promise<Connection> => {
    const client = await postgresClient(database.name);
    clients.push(client);
    return new Connection(client, tablesIn("public"));
  };

  test.each(["COMMIT", "ROLLBACK"])("the first batch of a lane is waited for, until its %s (R7)", async (end) => {
    const [writer, asking] = [await connect(), await connect()];
    await writer.client.query("BEGIN");
    await noteBatch(writer, end, "1")();
    let isTold = false;
    const told = lastBatch(asking, end).then((token) => {
      isTold = true;
      return token;
    });
    await new Promise((resolve) => setTimeout(resolve, 200));
    expect(isTold).toBe(false);
    await writer.client.query(end);
    expect((await told) === "1").toBe(end === "COMMIT");
  });

  test("a later batch too", async () => {
    const [writer, asking] = [await connect(), await connect()];
    await noteBatch(writer, "later", "1")();
    await writer.client.query("BEGIN");
    await noteBatch(writer, "later", "2")();
    const told = lastBatch(asking, "later");
    await new Promise((resolve) => setTimeout(resolve, 200));
    await writer.client.query("COMMIT");
    expect(await told).toBe("2");
  });
});
