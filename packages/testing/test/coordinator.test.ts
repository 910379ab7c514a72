import { Failure } from "@dtm/protocol";
import express from "express";
import { startCoordinator, type TestCoordinator } from "../src/index.js";
import { Bank, give, guarded, take } from "./corpus/bank.js";

let dtm: TestCoordinator;
beforeEach(async () => {
  dtm = await startCoordinator();
});
afterEach(() => dtm.stop());

const DAY_MS = 86_400_000;

function mount(): { readonly from: Bank; readonly to: Bank } {
  const handlers = {
    "/debit": guarded((bank, amount) => {
      if (bank.balance < amount) throw new Failure("not enough money");
      bank.add(-amount);
    }),
    "/debit-undo": guarded(give),
    "/credit": guarded(give),
    "/credit-undo": guarded(take),
  };
  const banks = { from: new Bank(handlers), to: new Bank(handlers) };
  dtm.serve("http://from", banks.from.listener);
  dtm.serve("http://to", banks.to.listener);
  return banks;
}

const transfer = (amount: number) =>
  dtm.client
    .saga()
    .step({ action: "http://from/debit", compensate: "http://from/debit-undo", payload: { amount } })
    .step({ action: "http://to/credit", compensate: "http://to/credit-undo", payload: { amount } });

test("a saga commits, and one that is refused is undone", async () => {
  const { from, to } = mount();
  const good = await transfer(30).submit();
  expect(await dtm.ended(good.gid)).toBe("succeed");
  expect([from.balance, to.balance]).toEqual([70, 130]);
  await expect(transfer(300).submit({ waitResult: true })).rejects.toMatchObject({ code: "TRANSACTION_FAILED" });
  expect([from.balance, to.balance]).toEqual([70, 130]);
});

test("a week of an outage takes no time, and an Express app is served without a socket", async () => {
  let up = false;
  let calls = 0;
  const app = express();
  app.use(express.json());
  app.post("/ship", (request, response) => {
    calls++;
    response.status(up ? 200 : 503).json({ got: request.body, gid: request.query["gid"] });
  });
  dtm.serve("http://shop", app);
  const { gid } = await dtm.client
    .msg()
    .step({ action: "http://shop/ship", payload: { order: 1 } })
    .submit();
  await dtm.advance(7 * DAY_MS);
  expect((await dtm.client.query(gid))?.status).toBe("submitted");
  up = true;
  expect(await dtm.ended(gid)).toBe("succeed");
  expect(calls).toBeGreaterThan(100);
});

test("services behind one host are told apart by the longest beginning of a path", async () => {
  const calls: string[] = [];
  const serve = (origin: string, name: string): void =>
    dtm.serve(origin, ({ url = "" }, response) => {
      calls.push(`${name} ${url.split("?")[0]}`);
      response.end("{}");
    });
  serve("http://gateway/bank", "bank");
  serve("http://gateway/shop/", "a shop that is replaced");
  serve("http://gateway/shop", "shop");
  serve("http://gateway/bank/vault", "vault");
  const ends = async (path: string): Promise<string> => {
    const { gid } = await dtm.client
      .msg()
      .step({ action: `http://gateway${path}` })
      .submit();
    return dtm.ended(gid, DAY_MS);
  };
  for (const path of ["/bank/debit", "/shop/ship", "/bank/vault/open", "/bank"]) expect(await ends(path)).toBe("succeed");
  expect(calls).toEqual(["bank /bank/debit", "shop /shop/ship", "vault /bank/vault/open", "bank /bank"]);
  await expect(ends("/banking/debit")).rejects.toMatchObject({ code: "DEADLINE_EXCEEDED" });
  serve("http://gateway", "rest");
  expect(await ends("/banking/debit")).toBe("succeed");
  expect(calls.at(-1)).toBe("rest /banking/debit");
});

test("a restart of the coordinator loses nothing", async () => {
  const { from, to } = mount();
  const { gid } = await transfer(10).submit();
  await dtm.restart();
  expect(await dtm.ended(gid)).toBe("succeed");
  expect([from.balance, to.balance]).toEqual([90, 110]);
});

test("an unknown gid and a transaction that doesn't end are told", async () => {
  dtm.serve("http://shop", (_, response) => void response.writeHead(500).end());
  const { gid } = await dtm.client.msg().step({ action: "http://shop/ship", payload: {} }).submit();
  await expect(dtm.ended("nobody")).rejects.toMatchObject({ code: "TRANSACTION_UNKNOWN" });
  await expect(dtm.ended(gid, DAY_MS)).rejects.toMatchObject({ code: "DEADLINE_EXCEEDED" });
});

test("a message that was prepared and never submitted is asked about in time", async () => {
  const asked: number[] = [];
  const begun = dtm.now();
  dtm.serve("http://shop", (_, response) => {
    asked.push(dtm.now() - begun);
    response.writeHead(409).end();
  });
  const message = dtm.client.msg().step({ action: "http://shop/never" });
  await message.prepare("http://shop/asked");
  await dtm.advance(60_000);
  // The server's timeout_to_fail of messages.
  expect(asked).toHaveLength(1);
  expect(asked[0]).toBeLessThan(40_000);
  expect(await dtm.ended(message.gid)).toBe("failed");
});
