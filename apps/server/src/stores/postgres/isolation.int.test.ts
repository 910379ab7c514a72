/** What an operator sets as the default of a database doesn't reach a lane's transactions. */
import { inPostgres, POSTGRES, postgresAddress, postgresDatabase } from "../../../test/kit/temporary-postgres.js";
import { withServer } from "../../../test/kit/with-server.js";
import { branch, NOW, saga, tcc } from "../contract/fixtures.js";
import { openPostgres } from "./store.js";

withServer(POSTGRES, () => {
  test.each(["serializable", "repeatable read"])(
    "under %s each kind of statement does its work the first time",
    async (level) => {
      const database = await postgresDatabase();
      await inPostgres((client) =>
        client.query(`ALTER DATABASE ${database.name} SET default_transaction_isolation = '${level}'`),
      );
      const store = openPostgres(postgresAddress(database.name));
      await store.open();
      try {
        expect(await store.heartbeat("here", 60_000)).toBe(true);
        expect(await store.create(saga())).toEqual({ kind: "created" });
        const prepared = tcc();
        const { gid } = prepared.transaction;
        await store.create(prepared);
        expect(await store.registerBranches(gid, [branch(gid, "02", "confirm")])).toBe("registered");
        const submitted = { ...prepared.transaction, status: "submitted" as const, owner: "here:1", submitTime: NOW };
        expect(await store.submit({ ...prepared, transaction: submitted })).toMatchObject({ kind: "moved", leased: true });
        const move = { owner: "here:1", status: "submitted", to: "succeed", at: NOW, results: [] } as const;
        expect(await store.move(gid, move)).toMatchObject({ kind: "moved" });
      } finally {
        await store.close();
        await database.drop();
      }
    },
  );
});
