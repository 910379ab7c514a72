import { join } from "node:path";
import { runReadme } from "../../client-core/test/kit/readme.js";
import { openDatabase, SERVERS } from "./kit/databases.js";
import { withServer } from "./kit/with-server.js";

const server = SERVERS.postgres;
if (server === null) throw new Error("PostgreSQL is a server");

withServer(server, () => {
  test("the README's example prints what it says", async () => {
    const database = await openDatabase("postgres");
    try {
      const { host, port, user, password, name } = database;
      const url = Object.assign(new URL(`postgres://${host}:${port}/${name}`), { username: user, password });
      const printed = await runReadme(join(__dirname, ".."), { DATABASE_URL: url.href });
      expect(printed).toBe("ran\nskipped\nbalance: 70\n");
    } finally {
      await database.drop();
    }
  });
});
