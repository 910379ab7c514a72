/** From the wire to our types. Everything that arrives is `unknown` until it was looked at. */
import type { BranchCall } from "./barrier.js";
import type { Order } from "./ledger.js";
import { Refusal } from "./refusal.js";

/** Null when the coordinator's four parameters aren't all there: then it isn't a branch call (protocol.md 3.2). */
export function branchCallFrom(query: Readonly<Record<string, unknown>>): BranchCall | null {
  const { trans_type: transType, gid, branch_id: branchId, op } = query;
  if (!isText(transType) || !isText(gid) || !isText(branchId) || !isText(op)) return null;
  return { transType, gid, branchId, op };
}

/** An order that makes no sense never will: refused, so that the transaction is undone instead of repeated for ever. */
export function orderFrom(body: unknown): Order {
  const { account } = objectFrom(body);
  if (!isText(account)) throw new Refusal("an order names an account");
  return { account, amount: amountFrom(body) };
}

export function amountFrom(body: unknown): number {
  const { amount } = objectFrom(body);
  if (!isCents(amount) || amount === 0) throw new Refusal("an order has an amount in whole cents, above zero");
  return amount;
}

export function openingFrom(body: unknown): { readonly balance: number; readonly frozen: boolean } {
  const { balance, frozen } = objectFrom(body);
  if (!isCents(balance)) throw new Refusal("an account opens with a balance in whole cents");
  return { balance, frozen: frozen === true };
}

function objectFrom(body: unknown): Readonly<Record<string, unknown>> {
  const value: unknown = typeof body === "string" ? parsed(body) : body;
  if (typeof value !== "object" || value === null) throw new Refusal("the body is a JSON object");
  return value as Record<string, unknown>;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function isText(value: unknown): value is string {
  return typeof value === "string" && value !== "";
}

function isCents(value: unknown): value is number {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0;
}
