import type { Server } from "node:http";
import type { AddressInfo } from "node:net";
import { bank } from "./bank.js";
import { openDatabase } from "./database.js";
import { Ledger } from "./ledger.js";

interface Reply {
  readonly status: number;
  readonly text: string;
}

describe("a bank over HTTP", () => {
  let server: Server;
  let base: string;
  let ledger: Ledger;
  let database: ReturnType<typeof openDatabase>;

  beforeEach(async () => {
    database = openDatabase(":memory:");
    ledger = new Ledger(database);
    ledger.open({ id: "alice", balance: 10_000, frozen: false });
    ledger.open({ id: "carol", balance: 5_000, frozen: true });
    server = bank(database).listen(0, "127.0.0.1");
    await new Promise((resolve) => server.once("listening", resolve));
    base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  });

  afterEach(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
    database.close();
  });

  async function call(path: string, body: unknown, branch: Readonly<Record<string, string>> = {}): Promise<Reply> {
    const op = path.split(/[/-]/).at(-1) ?? "";
    const sagaOp = op === "undo" ? "compensate" : "action";
    const query = new URLSearchParams({
      gid: "g",
      branch_id: "01",
      trans_type: "x",
      op: path.startsWith("/tcc") ? op : sagaOp,
      ...branch,
    });
    const answer = await fetch(`${base}${path}?${query}`, {
      method: "POST",
      body: typeof body === "string" ? body : JSON.stringify(body),
    });
    return { status: answer.status, text: await answer.text() };
  }
  const order = (account: string, amount = 3_000) => ({ account, amount });
  const balance = (id: string) => ledger.account(id)?.balance;

  test("a debit moves money once, though it is called twice, and its undo brings it back once", async () => {
    for (const path of ["/saga/debit", "/saga/debit"]) {
      expect(await call(path, order("alice"))).toEqual({ status: 200, text: '{"dtm_result":"SUCCESS"}' });
    }
    expect(balance("alice")).toBe(7_000);
    for (const path of ["/saga/debit-undo", "/saga/debit-undo"]) expect((await call(path, order("alice"))).status).toBe(200);
    expect(balance("alice")).toBe(10_000);
  });

  test("a credit and its undo", async () => {
    await call("/saga/credit", order("alice"));
    expect(balance("alice")).toBe(13_000);
    await call("/saga/credit-undo", order("alice"));
    expect(balance("alice")).toBe(10_000);
  });

  test.each([
    ["/saga/credit", order("carol"), "account carol is frozen"],
    ["/saga/debit", order("carol"), "account carol is frozen"],
    ["/saga/credit", order("nobody"), "there is no account nobody"],
    ["/saga/debit", order("alice", 10_001), "account alice has not enough money"],
    ["/tcc/debit/try", order("alice", 10_001), "account alice has not enough money"],
    ["/tcc/credit/try", order("carol"), "account carol is frozen"],
    ["/saga/debit", order("alice", 0), "an order has an amount in whole cents, above zero"],
    ["/saga/debit", order("alice", -1), "an order has an amount in whole cents, above zero"],
    ["/saga/debit", order("alice", 0.5), "an order has an amount in whole cents, above zero"],
    ["/saga/debit", "{", "the body is a JSON object"],
    ["/saga/debit", "", "the body is a JSON object"],
  ])("%s of %j is refused for good: %s", async (path, body, message) => {
    expect(await call(path, body)).toEqual({ status: 409, text: JSON.stringify({ dtm_result: "FAILURE", message }) });
    expect(ledger.accounts().map((account) => [account.balance, account.held, account.incoming])).toEqual([
      [10_000, 0, 0],
      [5_000, 0, 0],
    ]);
  });

  test("the undo of a refused action succeeds and moves nothing, even when the order is nonsense", async () => {
    await call("/saga/credit", order("carol"));
    expect((await call("/saga/credit-undo", order("carol"))).status).toBe(200);
    await call("/saga/debit", "{", { gid: "g2" });
    expect((await call("/saga/debit-undo", "{", { gid: "g2" })).status).toBe(200);
    expect([balance("alice"), balance("carol")]).toEqual([10_000, 5_000]);
  });

  test("an undo works on an account that was frozen since", async () => {
    await call("/saga/debit", order("alice"));
    expect((await fetch(`${base}/accounts/alice/freeze`, { method: "POST" })).status).toBe(200);
    expect((await call("/saga/debit", order("alice"), { gid: "next" })).status).toBe(409);
    expect((await call("/saga/debit-undo", order("alice"))).status).toBe(200);
    expect(balance("alice")).toBe(10_000);
  });

  test("tcc: held money can't be spent twice; confirm takes it", async () => {
    expect((await call("/tcc/debit/try", order("alice", 8_000))).status).toBe(200);
    expect((await call("/tcc/debit/try", order("alice", 8_000), { gid: "other" })).status).toBe(409);
    for (let i = 0; i < 2; i++) expect((await call("/tcc/debit/confirm", order("alice", 8_000))).status).toBe(200);
    expect(ledger.account("alice")).toMatchObject({ balance: 2_000, held: 0 });
  });

  test("tcc: cancel lets held money go, and a try that comes after its cancel does nothing", async () => {
    await call("/tcc/debit/try", order("alice", 8_000));
    await call("/tcc/debit/cancel", order("alice", 8_000));
    expect(ledger.account("alice")).toMatchObject({ balance: 10_000, held: 0 });
    await call("/tcc/debit/cancel", order("alice"), { gid: "late" });
    expect((await call("/tcc/debit/try", order("alice"), { gid: "late" })).status).toBe(200);
    expect(ledger.account("alice")).toMatchObject({ balance: 10_000, held: 0 });
  });

  test("tcc: incoming money counts when it is confirmed", async () => {
    await call("/tcc/credit/try", order("alice"));
    expect(ledger.account("alice")).toMatchObject({ balance: 10_000, incoming: 3_000 });
    await call("/tcc/credit/confirm", order("alice"));
    expect(ledger.account("alice")).toMatchObject({ balance: 13_000, incoming: 0 });
  });

  test("msg: query-prepared says what became of the local part, and closes the door behind a no", async () => {
    const local = { branch_id: "00", op: "msg", trans_type: "msg" };
    const ask = async (gid: string) => (await fetch(`${base}/msg/query?${new URLSearchParams({ gid, ...local })}`)).status;
    expect((await call("/msg/debit", order("alice"), { gid: "sent", ...local })).status).toBe(200);
    expect(await ask("sent")).toBe(200);
    expect(await ask("never")).toBe(409);
    expect((await call("/msg/debit", order("alice"), { gid: "never", ...local })).status).toBe(409);
    expect(balance("alice")).toBe(7_000);
  });

  test("without the coordinator's parameters nothing happens", async () => {
    const answer = await fetch(`${base}/saga/debit?gid=g`, { method: "POST", body: JSON.stringify(order("alice")) });
    expect(answer.status).toBe(400);
    expect(balance("alice")).toBe(10_000);
  });

  test("accounts open once, can be read and be paid into", async () => {
    const put = () => fetch(`${base}/accounts/dave`, { method: "PUT", body: JSON.stringify({ balance: 100 }) });
    expect((await put()).status).toBe(201);
    const deposit = await fetch(`${base}/accounts/dave/deposit`, { method: "POST", body: JSON.stringify({ amount: 50 }) });
    expect(await deposit.json()).toMatchObject({ id: "dave", balance: 150, frozen: false });
    expect((await put()).status).toBe(200);
    expect(await (await fetch(`${base}/accounts/dave`)).json()).toMatchObject({ balance: 150 });
    expect((await fetch(`${base}/accounts/nobody`)).status).toBe(404);
    expect(((await (await fetch(`${base}/accounts`)).json()) as unknown[]).length).toBe(3);
  });

  test("the journal tells what was asked of one transaction, in order", async () => {
    await call("/saga/debit", order("alice"));
    await call("/saga/debit", order("alice"));
    await call("/saga/credit", order("carol"), { branch_id: "02" });
    await call("/saga/debit", order("alice"), { gid: "other" });
    const entries = (await (await fetch(`${base}/journal?gid=g`)).json()) as Record<string, unknown>[];
    expect(entries.map(({ path, branchId, did, why }) => [path, branchId, did, why])).toEqual([
      ["/saga/debit", "01", "ran", undefined],
      ["/saga/debit", "01", "skipped", undefined],
      ["/saga/credit", "02", "refused", "account carol is frozen"],
    ]);
  });
});
