import type { Section } from "./contract.js";
import { branch, NOW, newGid, plain, saga, stored, tcc, transaction } from "./fixtures.js";

export function createContract({ store }: Section): void {
  test("what was created is found as it was given, branches in creation order", async () => {
    const given = saga({
      type: "msg",
      status: "prepared",
      protocol: "grpc",
      queryPrepared: "http://service/query",
      options: {
        waitResult: true,
        timeoutToFail: 7,
        requestTimeout: 2,
        retryInterval: 3,
        retryLimit: 4,
        concurrent: true,
        branchHeaders: { "x-tenant": "ü", second: "" },
      },
      customData: '{"concurrent":true}',
      nextCronInterval: 3,
    });
    expect(await store().create(given)).toEqual({ kind: "created" });
    expect(await stored(store(), given.transaction.gid)).toEqual(plain(given));
  });

  test("a branch comes back as it was given, however long its URL and whatever its payload holds", async () => {
    const gid = newGid();
    const branches = [`http://${"long".repeat(200)}/é`, "http://bücher/☃", 'http://"quoted"/ \\ and spaces', ""].map((url, at) =>
      branch(gid, `0${at + 1}`, "action", { url, payload: Buffer.from([0, 10, 255, 32, 10]) }),
    );
    const given = { ...saga({ gid }), branches };
    await store().create(given);
    expect(await stored(store(), gid)).toEqual(plain(given));
  });

  test("ids are given by the store: positive, and rising in branch order", async () => {
    const given = saga();
    await store().create(given);
    const found = await store().find(given.transaction.gid);
    expect(found?.transaction.id).toBeGreaterThan(0);
    const ids = found?.branches.map((row) => row.id) ?? [];
    expect(ids).toHaveLength(4);
    expect([...ids].sort((a, b) => a - b)).toEqual(ids);
    expect(new Set(ids).size).toBe(4);
  });

  test("a second create of the gid finds the first untouched, whatever its status is by now", async () => {
    const first = saga({ status: "prepared", type: "msg" });
    const { gid } = first.transaction;
    await store().create(first);
    const again = await store().create(saga({ gid, customData: "other", type: "tcc" }));
    expect(again.kind).toBe("exists");
    expect(again.kind === "exists" && plain(again.current)).toEqual(plain(first));
    expect(await stored(store(), gid)).toEqual(plain(first));
    await store().change(gid, { from: ["prepared"], to: "failed", at: NOW, owner: "" });
    const late = await store().create(first);
    expect(late.kind === "exists" && late.current.transaction.status).toBe("failed");
  });

  test("of 64 parallel creates of one gid exactly one is told created", async () => {
    const gid = newGid();
    const answers = await Promise.all(
      Array.from({ length: 64 }, (_, place) => store().create(saga({ gid, customData: String(place) }))),
    );
    const winners = answers.flatMap((answer, place) => (answer.kind === "created" ? [place] : []));
    expect(winners).toHaveLength(1);
    const found = await store().find(gid);
    expect(found?.transaction.customData).toBe(String(winners[0]));
    expect(found?.branches).toHaveLength(4);
    for (const answer of answers) if (answer.kind === "exists") expect(plain(answer.current)).toEqual(plain(found));
  });

  test("one gid that begins like another has only its own branches (Q12)", async () => {
    const short = newGid();
    const long = `${short}1`;
    await store().create(saga({ gid: short }));
    await store().create({ transaction: transaction({ gid: long }), branches: [branch(long, "01", "action")] });
    expect((await store().find(short))?.branches).toHaveLength(4);
    expect((await store().find(long))?.branches).toHaveLength(1);
    expect(await store().find(short.slice(0, -1))).toBeNull();
  });

  test("gids that differ by case are two transactions", async () => {
    const gid = newGid("case-a");
    await store().create(saga({ gid }));
    expect(await store().find(gid.toUpperCase())).toBeNull();
    expect(await store().create(tcc({ gid: gid.toUpperCase() }))).toEqual({ kind: "created" });
    expect((await store().find(gid))?.transaction.type).toBe("saga");
  });

  test("payloads come back byte by byte: none, binary, any text, half a character, a mebibyte, a view into a larger buffer", async () => {
    const gid = newGid();
    const pool = Buffer.alloc(4096, 7);
    const payloads = [
      new Uint8Array(0),
      Uint8Array.from({ length: 256 }, (_, byte) => byte),
      Buffer.from("\ufeff\0ä€😀\r\n"),
      Buffer.from("€").subarray(0, 2),
      Buffer.alloc(1024 * 1024, "x"),
      pool.subarray(100, 110),
    ];
    const branches = payloads.map((payload, place) => branch(gid, `0${place}`, "action", { payload }));
    await store().create({ transaction: transaction({ gid }), branches });
    const found = await store().find(gid);
    const bytes = (payload: Uint8Array): string => Buffer.from(payload).toString("base64");
    expect(found?.branches.map(({ payload }) => bytes(payload))).toEqual(payloads.map(bytes));
  });

  test("many branches of one transaction are all there, in order", async () => {
    const gid = newGid();
    const branches = Array.from({ length: 150 }, (_, place) => branch(gid, String(place), "action"));
    await store().create({ transaction: transaction({ gid }), branches });
    expect((await store().find(gid))?.branches.map((row) => row.branchId)).toEqual(branches.map((row) => row.branchId));
  });

  test("an acknowledged create is found at once, by many at a time", async () => {
    const found = await Promise.all(
      Array.from({ length: 32 }, async () => {
        const given = saga();
        await store().create(given);
        return (await store().find(given.transaction.gid)) !== null;
      }),
    );
    expect(found).not.toContain(false);
  });

  test("an unknown gid is found as null", async () => {
    expect(await store().find(newGid())).toBeNull();
    expect(await store().find("")).toBeNull();
  });
}
