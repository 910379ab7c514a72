import { MYSQL, openTemporaryMysql } from "../../../../test/kit/temporary-mysql.js";
import { withServer } from "../../../../test/kit/with-server.js";
import { branch, NOW, saga, statuses, tcc } from "../../contract/fixtures.js";
import { StoreRejected } from "../../store.js";

withServer(MYSQL, () => {
  test("a branch that the table takes for another one is not mistaken for a key that exists, and costs nobody a branch", async () => {
    const { store, dispose } = await openTemporaryMysql();
    const { transaction } = tcc();
    const { gid } = transaction;
    await store.create({ transaction, branches: [branch(gid, "01", "cancel")] });
    const neighbour = saga();
    // One batch; spaces at the end don't count in the unique key.
    const [created, alike, key] = await Promise.allSettled([
      store.create(neighbour),
      store.registerBranches(gid, [branch(gid, "01 ", "cancel")]),
      store.createKey({ cat: "topics", key: "orders", value: "[]", at: NOW }),
    ]);
    expect(alike.status === "rejected" && alike.reason).toBeInstanceOf(StoreRejected);
    expect(key).toMatchObject({ status: "fulfilled", value: "created" });
    expect(created).toMatchObject({ status: "fulfilled", value: { kind: "created" } });
    expect(await statuses(store, neighbour.transaction.gid)).toHaveLength(neighbour.branches.length);
    expect(await statuses(store, gid)).toEqual(["01 cancel prepared"]);
    expect(await store.findKeys({ cat: "topics", key: "" })).toMatchObject([{ key: "orders" }]);
    await dispose();
  }, 60_000);
});
