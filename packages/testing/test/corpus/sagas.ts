import { noCompensation } from "@dtm/client-core";
import { Failure, Ongoing } from "@dtm/protocol";
import type { Kit, Run, Scenario } from "../../src/index.js";
import { Bank, give, guarded, type Handler, type Handlers, take } from "./bank.js";

export interface Banks {
  readonly from: Bank;
  readonly to: Bank;
}

export interface Case {
  readonly scenario: Scenario<Banks>;
  readonly invariant: (run: Run<Banks>) => unknown;
}

export const AMOUNT = 30;

export type Story = (kit: Kit, state: Banks) => Promise<unknown>;

/** All moved, or nothing; and nothing is left frozen. */
export function allOrNothing({ state, transactions }: Run<Banks>): void {
  const moved = transactions.some(({ status }) => status === "succeed") ? AMOUNT : 0;
  expect({ from: state.from.balance, to: state.to.balance, frozen: state.from.frozen + state.to.frozen }).toEqual({
    from: 100 - moved,
    to: 100 + moved,
    frozen: 0,
  });
}

export function banks(from: Handlers, to: Handlers, run: Story): Case {
  return {
    scenario: {
      setup(kit) {
        const state = { from: new Bank(from, kit.io), to: new Bank(to, kit.io) };
        kit.serve("http://from", state.from.listener);
        kit.serve("http://to", state.to.listener);
        return state;
      },
      run,
    },
    invariant: allOrNothing,
  };
}

const RIGHT: Handlers = {
  "/debit": guarded(take),
  "/debit-undo": guarded(give),
  "/credit": guarded(give),
  "/credit-undo": guarded(take),
};

const debit = { action: "http://from/debit", compensate: "http://from/debit-undo", payload: { amount: AMOUNT } };
const credit = { action: "http://to/credit", compensate: "http://to/credit-undo", payload: { amount: AMOUNT } };

const transfer: Story = (kit) => kit.client.saga().step(debit).step(credit).submit();
const together: Story = (kit) => kit.client.saga().concurrent().step(debit).step(credit).submit();

/** A transfer with other handlers in place of the right ones. */
function saga(other: Handlers = {}, run = transfer): Case {
  const handlers = { ...RIGHT, ...other };
  return banks(handlers, handlers, run);
}

/** What the barrier does, by hand. */
function byHand(work: (bank: Bank, amount: number) => void): Handler {
  return (bank, amount, { gid, branchId, op }) =>
    bank.local(() => {
      const never = op === "compensate" && bank.mark(`${gid} ${branchId} action`);
      if (bank.mark(`${gid} ${branchId} ${op}`) && !never) work(bank, amount);
    });
}

/** Knows repeats, and nothing else: an undo that comes first undoes what never was. */
function repeatsOnly(work: (bank: Bank, amount: number) => void): Handler {
  return (bank, amount, { gid, branchId, op }) =>
    bank.local(() => {
      if (bank.mark(`${gid} ${branchId} ${op}`)) work(bank, amount);
    });
}

/** Looks whether the action came, and doesn't keep it from coming later. */
function noHanging(undo: (bank: Bank, amount: number) => void): Handler {
  return (bank, amount, { gid, branchId, op }) =>
    bank.local(() => {
      if (!bank.marked(`${gid} ${branchId} action`)) return;
      if (bank.mark(`${gid} ${branchId} ${op}`)) undo(bank, amount);
    });
}

const poor = (bank: Bank, amount: number): void => {
  if (bank.balance < amount * 4) throw new Failure("not enough money");
  take(bank, amount);
};

export const RIGHT_SAGAS: Readonly<Record<string, Case>> = {
  "two guarded steps": saga(),
  "the caller waits": saga({}, (kit) => kit.client.saga().step(debit).step(credit).submit({ waitResult: true })),
  "both at once": saga({}, together),
  "ordered, declared backwards": saga({}, (kit) =>
    kit.client
      .saga()
      .concurrent()
      .step({ ...credit, after: [1] })
      .step(debit)
      .submit(),
  ),
  "a refusal for good": saga({ "/debit": guarded(poor) }),
  "a refusal of the second": saga({ "/credit": guarded(poor) }),
  "a barrier by hand": saga({
    "/debit": byHand(take),
    "/debit-undo": byHand(give),
    "/credit": byHand(give),
    "/credit-undo": byHand(take),
  }),
  "a step that only looks": saga({ "/look": () => undefined }, (kit) =>
    kit.client
      .saga()
      .step({ action: "http://to/look", compensate: noCompensation(), payload: { amount: 0 } })
      .step(debit)
      .step(credit)
      .submit(),
  ),
  "not done at once": saga({
    "/credit": (bank, amount, call) => {
      if (bank.mark(`${call.gid} asked`)) throw new Ongoing();
      return guarded(give)(bank, amount, call);
    },
  }),
  "a timeout": saga({}, (kit) => kit.client.saga({ timeoutToFailSeconds: 20 }).step(debit).step(credit).submit()),
  "a retry limit": saga({}, (kit) => kit.client.saga({ retryLimit: 2 }).step(debit).step(credit).submit()),
  "written elsewhere, awaited": saga({
    "/credit": async (bank, amount, call) => {
      await bank.io(() => guarded(give)(bank, amount, call));
    },
  }),
};

export const WRONG_SAGAS: Readonly<Record<string, Case>> = {
  "no barrier around the second action": saga({ "/credit": give }),
  "no barrier around the first action": saga({ "/debit": take }),
  "no barrier around a compensation": saga({ "/debit-undo": give }),
  "no barrier anywhere": saga({ "/debit": take, "/debit-undo": give, "/credit": give, "/credit-undo": take }),
  "repeats are known, an undo that comes first isn't": saga({ "/credit": repeatsOnly(give), "/credit-undo": repeatsOnly(take) }),
  "an action that comes after its undo": saga({ "/debit": repeatsOnly(take), "/debit-undo": noHanging(give) }, together),
  "a first call that comes after its repeat was refused and undone": saga({
    "/credit": repeatsOnly(give),
    "/credit-undo": noHanging(take),
  }),
  "one mark for action and undo": saga({
    "/debit": (bank, amount, { gid }) => void (bank.mark(gid) && take(bank, amount)),
    "/debit-undo": (bank, amount, { gid }) => void (bank.mark(gid) && give(bank, amount)),
  }),
  "an error swallowed": saga({
    "/debit": (bank, amount, call) => {
      try {
        guarded(poor)(bank, amount, call);
      } catch {
        // "It will be all right."
      }
    },
  }),
  "a refusal told as a success": saga({
    "/debit": (bank, amount, call) => {
      if (bank.balance < amount * 4) return { ok: false };
      return guarded(take)(bank, amount, call);
    },
  }),
  "a write that isn't awaited": saga({
    // The barrier itself refuses a handler that has ended.
    "/credit": (bank, amount, call) => {
      void bank.io(() => byHand(give)(bank, amount, call));
    },
  }),
  "an undo that isn't awaited": saga({
    "/debit-undo": (bank, amount, call) => {
      void bank.io(() => byHand(give)(bank, amount, call));
    },
  }),
  "marked first, written later": saga({
    "/credit": async (bank, amount, { gid }) => {
      if (!bank.mark(gid)) return;
      await bank.io(() => give(bank, amount));
    },
  }),
  "written first, marked later": saga({
    "/credit": async (bank, amount, { gid }) => {
      if (bank.marked(gid)) return;
      give(bank, amount);
      await bank.io(() => bank.mark(gid));
    },
  }),
  "looked up first, written later": saga({
    "/credit": async (bank, amount, { gid }) => {
      const seen = bank.marked(gid);
      await bank.io(() => undefined);
      if (seen) return;
      bank.local(() => {
        bank.mark(gid);
        give(bank, amount);
      });
    },
  }),
  "a compensation that may refuse": saga({
    "/debit-undo": (bank) => {
      if (bank.balance < 100) throw new Failure("ask the clerk");
    },
  }),
  "a compensation that does nothing": saga({ "/debit-undo": () => undefined }),
  "a compensation of another amount": saga({ "/debit-undo": guarded((bank) => give(bank, 10)) }),
  "no compensation where one is needed": saga({}, (kit) =>
    kit.client
      .saga()
      .step({ ...debit, compensate: noCompensation() })
      .step(credit)
      .submit(),
  ),
  "money taken before the submit": saga({}, async (kit, { from }) => {
    take(from, AMOUNT);
    await kit.client.saga().step(credit).submit();
  }),
  "two sagas where one is meant": saga({}, async (kit) => {
    await kit.client.saga().step(debit).submit({ waitResult: true });
    await kit.client.saga().step(credit).submit({ waitResult: true });
  }),
};
