/** TCC transactions and messages. */
import { barrier } from "@dtm/barrier/libsql";
import { Failure } from "@dtm/protocol";
import { give, guarded, type Handlers, take } from "./bank.js";
import { AMOUNT, type Banks, banks, type Case, type Story } from "./sagas.js";

/** The first bank freezes what it will give, the second one what it will get. */
const FROM: Handlers = {
  "/try": guarded((bank, amount) => bank.freeze(amount)),
  "/confirm": guarded((bank, amount) => {
    bank.freeze(-amount);
    take(bank, amount);
  }),
  "/cancel": guarded((bank, amount) => bank.freeze(-amount)),
};
const TO: Handlers = {
  ...FROM,
  "/confirm": guarded((bank, amount) => {
    bank.freeze(-amount);
    give(bank, amount);
  }),
};

const branchAt = (origin: string) => ({
  try: `${origin}/try`,
  confirm: `${origin}/confirm`,
  cancel: `${origin}/cancel`,
  payload: { amount: AMOUNT },
});

const reserve: Story = (kit) =>
  kit.client.tcc(async (tcc) => {
    await tcc.branch(branchAt("http://from"));
    await tcc.branch(branchAt("http://to"));
  });

function tcc(from: Handlers = {}, to: Handlers = {}, run = reserve): Case {
  return banks({ ...FROM, ...from }, { ...TO, ...to }, run);
}

const ASKED = "http://from/asked";
const deliver = { action: "http://to/credit", payload: { amount: AMOUNT } };

const RECEIVER: Handlers = { "/credit": guarded(give) };
const SENDER: Handlers = { "/asked": (bank) => barrier.queryPrepared(bank.db) };

const pay = ({ from }: Banks): void => from.local(() => void barrier.run(from.db, () => take(from, AMOUNT)));

const send: Story = (kit, state) =>
  kit.client
    .msg()
    .step(deliver)
    .doAndSubmit(ASKED, () => pay(state));

function message(sender: Handlers = {}, receiver: Handlers = {}, run = send): Case {
  return {
    ...banks({ ...SENDER, ...sender }, { ...RECEIVER, ...receiver }, run),
    // Delivered exactly when the sender has paid.
    invariant: ({ state: { from, to } }) => {
      expect([100, 70]).toContain(from.balance);
      expect(to.balance).toBe(200 - from.balance);
    },
  };
}

export const RIGHT_OTHERS: Readonly<Record<string, Case>> = {
  "tcc: two guarded branches": tcc(),
  "tcc: the caller waits": tcc({}, {}, (kit) =>
    kit.client.tcc({ waitResult: true }, async (scope) => {
      await scope.branch(branchAt("http://from"));
      await scope.branch(branchAt("http://to"));
    }),
  ),
  "tcc: both at once": tcc({}, {}, (kit) =>
    kit.client.tcc(async (scope) => {
      await Promise.all([scope.branch(branchAt("http://from")), scope.branch(branchAt("http://to"))]);
    }),
  ),
  "tcc: a refusal": tcc(
    {},
    {
      "/try": () => {
        throw new Failure("closed");
      },
    },
  ),
  "tcc: the caller's own error": tcc({}, {}, (kit) =>
    kit.client.tcc(async (scope) => {
      await scope.branch(branchAt("http://from"));
      throw new Error("changed my mind");
    }),
  ),
  // The client rolls back all the same.
  "tcc: an error of a branch swallowed": tcc(
    {},
    {
      "/try": (bank, amount, call) => {
        if (call.branchId === "02") throw new Failure("closed");
        return guarded(() => bank.freeze(amount))(bank, amount, call);
      },
      "/confirm": (bank, amount, call) => TO["/confirm"]?.(bank, amount, call),
    },
    (kit) =>
      kit.client.tcc(async (scope) => {
        await scope.branch(branchAt("http://from"));
        await scope.branch(branchAt("http://to")).catch(() => undefined);
      }),
  ),
  "msg: with a local transaction": message(),
  "msg: a local transaction that is refused": message({}, {}, (kit) =>
    kit.client
      .msg()
      .step(deliver)
      .doAndSubmit(ASKED, () => {
        throw new Failure("no");
      }),
  ),
  "msg: a local transaction that fails": message({}, {}, (kit, { from }) =>
    kit.client
      .msg()
      .step(deliver)
      .doAndSubmit(ASKED, () =>
        from.local(() => {
          barrier.run(from.db, () => take(from, AMOUNT));
          throw new Error("disk full");
        }),
      ),
  ),
  "msg: later": message({}, {}, (kit, state) =>
    kit.client
      .msg()
      .step(deliver)
      .delay(60)
      .doAndSubmit(ASKED, () => pay(state)),
  ),
};

export const WRONG_OTHERS: Readonly<Record<string, Case>> = {
  "tcc: no barrier around try": tcc({ "/try": (bank, amount) => bank.freeze(amount) }),
  "tcc: no barrier around confirm": tcc({
    "/confirm": (bank, amount) => {
      bank.freeze(-amount);
      take(bank, amount);
    },
  }),
  "tcc: cancels what was never tried": tcc({ "/cancel": (bank, amount) => bank.freeze(-amount) }),
  "tcc: a confirm that may refuse": tcc(
    {},
    {
      "/confirm": () => {
        throw new Failure("too late");
      },
    },
  ),
  "tcc: takes at once, and cancel gives nothing back": tcc({
    "/try": guarded(take),
    "/confirm": () => undefined,
    "/cancel": () => undefined,
  }),
  "msg: the receiver has no barrier": message({}, { "/credit": give }),
  "msg: always says that it was committed": message({ "/asked": () => undefined }),
  "msg: always says that it wasn't": message({
    "/asked": () => {
      throw new Failure("never heard of it");
    },
  }),
  "msg: paid outside of the barrier": message({}, {}, (kit, { from }) =>
    kit.client
      .msg()
      .step(deliver)
      .doAndSubmit(ASKED, () => take(from, AMOUNT)),
  ),
  "msg: submitted before it is paid": message({}, {}, async (kit, { from }) => {
    await kit.client.msg().step(deliver).submit();
    take(from, AMOUNT);
  }),
  "msg: paid before it is submitted": message({}, {}, async (kit, { from }) => {
    take(from, AMOUNT);
    await kit.client.msg().step(deliver).submit();
  }),
  "msg: an error of the local transaction swallowed": message({}, {}, (kit, { from }) =>
    kit.client
      .msg()
      .step(deliver)
      .doAndSubmit(ASKED, () => {
        try {
          from.local(() => {
            throw new Error("disk full");
          });
        } catch {
          // "It will be all right."
        }
      }),
  ),
};
