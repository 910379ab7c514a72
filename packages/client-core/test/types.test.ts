/**
 * What must not compile. `tsc -p tsconfig.test.json` is the test: an expected error that doesn't come is an error itself. At run time
 * this file only shows that the right forms build.
 */
import { type BranchAddress, branch } from "@dtm/protocol";
import { type Client, type EncodingAddress, noCompensation, topic } from "../src/index.js";
import { ScriptedClient, ScriptedTransport } from "./scripted.js";

interface Debit {
  readonly amount: number;
  readonly note?: string;
}

const debit = branch<Debit>("http://bank/debit");
const debitUndo = branch<Debit>("http://bank/debit-undo");
const ship = branch<{ order: string }>("http://shop/ship");
const ping = branch<undefined>("http://shop/ping");
const bytes: BranchAddress<Uint8Array> = branch<Uint8Array>("http://x/y");
const client: Client = new ScriptedClient(new ScriptedTransport({}));

test("sagas", () => {
  client.saga().step({ action: debit, compensate: debitUndo, payload: { amount: 30 } });
  client.saga().step({ action: debit, compensate: "http://bank/undo", payload: { amount: 30, note: "x" } });
  client.saga().step({ action: "http://bank/debit", compensate: debitUndo, payload: { amount: 30 } });
  client.saga().step({ action: "http://a", compensate: "http://b", payload: { anything: [1] } });
  client.saga().step({ action: "http://a", compensate: noCompensation() });
  client.saga().step({ action: ping, compensate: noCompensation() });
});

test("a query takes addresses of any payload", () => {
  const query: EncodingAddress<Debit> = { url: "bank:1/bank.Bank/Query", encode: () => new Uint8Array() };
  const addresses = [debit, ping, branch<void>("http://x/q"), query, "http://x/q"] as const;
  for (const address of addresses) expect(() => void client.msg().step({ action: ping }).prepare(address)).not.toThrow();
  void client
    .msg()
    .step({ action: ping })
    .doAndSubmit(debit, () => 1);
  void client
    .msg()
    .step({ action: ping })
    .doAndSubmit(query, () => 1);
});

test("topics", () => {
  client
    .msg()
    .topic("orders")
    .topic("orders", { anything: 1 })
    .topic(branch<void>("topic://pings"))
    .topic(topic<undefined>("pings"));
  client.msg().topic(topic<{ order: string }>("orders"), { order: "7" }).topic(topic<Debit | undefined>("debits"));
});

export function doesNotCompile(): void {
  // @ts-expect-error the amount is a number
  client.saga().step({ action: debit, compensate: debitUndo, payload: { amount: "30" } });
  // @ts-expect-error the payload is missing
  client.saga().step({ action: debit, compensate: debitUndo });
  // @ts-expect-error a field that the branch doesn't know
  client.saga().step({ action: debit, compensate: debitUndo, payload: { amount: 30, currency: "EUR" } });
  // @ts-expect-error the compensation takes another payload
  client.saga().step({ action: debit, compensate: ship, payload: { amount: 30 } });
  // @ts-expect-error neither a compensation nor noCompensation()
  client.saga().step({ action: debit, payload: { amount: 30 } });
  // @ts-expect-error nothing is not a compensation
  client.saga().step({ action: debit, compensate: undefined, payload: { amount: 30 } });
  // @ts-expect-error a URL without compensation
  client.saga().step({ action: "http://a" });
  // @ts-expect-error ping takes no payload
  client.saga().step({ action: ping, compensate: noCompensation(), payload: { amount: 30 } });
  // @ts-expect-error no such option
  client.saga({ retryInterval: 5 });
  // @ts-expect-error retryLimit is for sagas
  client.msg({ retryLimit: 5 });
  // @ts-expect-error the order is a text
  client.msg().step({ action: ship, payload: { order: 5 } });
  // @ts-expect-error the topic's messages have an order
  client.msg().topic(topic<{ order: string }>("orders"), { amount: 5 });
  // @ts-expect-error the topic's messages have a payload
  client.msg().topic(topic<{ order: string }>("orders"));
  // @ts-expect-error … also when the topic was declared as a branch
  client.msg().topic(branch<{ order: string }>("topic://orders"));
  // @ts-expect-error pings have no payload
  client.msg().topic(topic<undefined>("pings"), { order: "7" });
  // @ts-expect-error a query is an address
  void client.msg().prepare(5);
  // @ts-expect-error bytes are asked for
  client.msg().step({ action: bytes, payload: "text" });
}

export async function branchesDoNotCompile(): Promise<void> {
  await client.tcc(async (tcc) => {
    await tcc.branch({ try: debit, confirm: debit, cancel: debitUndo, payload: { amount: 1 } });
    // @ts-expect-error the confirmation takes another payload
    await tcc.branch({ try: debit, confirm: ship, cancel: debitUndo, payload: { amount: 1 } });
    // @ts-expect-error the amount is a number
    await tcc.branch({ try: debit, confirm: debit, cancel: debitUndo, payload: { amount: "1" } });
    // @ts-expect-error no cancel
    await tcc.branch({ try: debit, confirm: debit, payload: { amount: 1 } });
  });
  const value: number = await client.xa(async (xa) => {
    await xa.branch({ url: debit, payload: { amount: 1 } });
    // @ts-expect-error the payload is missing
    await xa.branch({ url: debit });
    return 5;
  });
  // @ts-expect-error the value of the callback is a number
  const text: string = await client.tcc(async () => 5);
  void [value, text];
}
