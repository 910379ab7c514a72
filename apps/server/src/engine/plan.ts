/** What `custom_data` says to the engine (protocol.md 1.3): read once per drive, checked once at creation. */
import type { TransactionType } from "./transaction.js";

export interface Plan {
  /** Saga: actions run side by side, in the order `orders` gives. */
  readonly concurrent: boolean;
  /** Saga: step -> steps that must succeed before it. */
  readonly orders: ReadonlyMap<number, readonly number[]>;
  /** Msg: seconds from submit to the first action. */
  readonly delay: number;
  /** Workflow: the registered name, which is the recall's op. */
  readonly name: string;
  /** Workflow: the input, decoded. */
  readonly data: Uint8Array;
}

const NOTHING = new Uint8Array(0);
const EMPTY: Plan = { concurrent: false, orders: new Map(), delay: 0, name: "", data: NOTHING };

/** Throws an Error with a message for the caller when the text can't be used. */
export function readPlan(type: TransactionType, customData: string): Plan {
  if (customData === "" || type === "tcc" || type === "xa") return EMPTY;
  const data = parseObject(customData);
  switch (type) {
    case "saga":
      return {
        ...EMPTY,
        concurrent: readConcurrent(fieldOf(data, "concurrent")),
        orders: readOrders(fieldOf(data, "orders")),
      };
    case "msg":
      return { ...EMPTY, delay: readDelay(fieldOf(data, "delay")) };
    case "workflow":
      return { ...EMPTY, name: readName(fieldOf(data, "name")), data: readBytes(fieldOf(data, "data")) };
  }
}

/** A row that another server wrote may hold anything: it is driven as if nothing was said. */
export function readPlanLeniently(type: TransactionType, customData: string): Plan {
  try {
    return readPlan(type, customData);
  } catch {
    return EMPTY;
  }
}

/** Orders that point outside the steps or form a cycle would keep a saga waiting for ever (Q43, R22). */
export function checkOrders(plan: Plan, steps: number): void {
  for (const [step, before] of plan.orders) {
    for (const index of [step, ...before]) {
      if (!Number.isInteger(index) || index < 0 || index >= steps)
        throw new Error(`orders names step ${index}, but there are ${steps} steps`);
    }
  }
  const state = new Map<number, "open" | "closed">();
  const visit = (step: number): void => {
    if (state.get(step) === "closed") return;
    if (state.get(step) === "open") throw new Error(`orders form a cycle at step ${step}`);
    state.set(step, "open");
    for (const before of plan.orders.get(step) ?? []) visit(before);
    state.set(step, "closed");
  };
  for (const step of plan.orders.keys()) visit(step);
}

function parseObject(customData: string): Record<string, unknown> {
  let parsed: unknown;
  try {
    parsed = JSON.parse(customData);
  } catch (cause) {
    throw new Error(`custom_data is not JSON: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
  }
  if (parsed === null) return {};
  if (typeof parsed !== "object" || Array.isArray(parsed)) throw new Error("custom_data is not a JSON object");
  return { ...parsed };
}

/** Go matches keys case-insensitively; an exact one wins here. */
function fieldOf(data: Record<string, unknown>, name: string): unknown {
  const key = Object.hasOwn(data, name) ? name : Object.keys(data).find((each) => each.toLowerCase() === name);
  return key === undefined ? undefined : data[key];
}

function readConcurrent(value: unknown): boolean {
  if (value !== null && value !== undefined && typeof value !== "boolean") throw new Error("concurrent is not true or false");
  return value === true;
}

/** PHP sends a list when the keys happen to be 0..n, and null when there are none (protocol.md 6.7). */
function readOrders(value: unknown): ReadonlyMap<number, readonly number[]> {
  if (value === null || value === undefined) return new Map();
  if (typeof value !== "object") throw new Error("orders is not a map of step numbers");
  const orders = new Map<number, readonly number[]>();
  for (const [step, before] of Object.entries(value)) {
    if (before === null) continue;
    if (!Array.isArray(before)) throw new Error(`orders[${step}] is not a list of step numbers`);
    orders.set(stepNumber(step), before.map(stepNumber));
  }
  return orders;
}

/** A key is always a text, and a number may be one; whether there is such a step is checkOrders' question. */
function stepNumber(value: unknown): number {
  const number = typeof value === "string" && /^-?\d+$/.test(value) ? Number(value) : value;
  if (typeof number === "number" && Number.isInteger(number)) return number;
  throw new Error(`orders names step ${String(JSON.stringify(value)).slice(0, 45)}, which is not a whole number`);
}

function readDelay(value: unknown): number {
  const delay = typeof value === "string" ? Number(value) : (value ?? 0);
  if (typeof delay !== "number" || !Number.isFinite(delay) || delay < 0) throw new Error("delay is not a number of seconds");
  return delay;
}

function readName(value: unknown): string {
  if (value !== null && value !== undefined && typeof value !== "string") throw new Error("name is not a text");
  return value ?? "";
}

/** Line ends are passed over. */
const BASE64 = /^[\w+/\r\n-]*={0,2}[\r\n]*$/;

/** As Go's JSON reads bytes: base64, or a list of numbers, which clients in Rust send. With another input a recall would do other work. */
function readBytes(value: unknown): Uint8Array {
  if (value === null || value === undefined) return NOTHING;
  if (typeof value === "string" && BASE64.test(value)) return Buffer.from(value, "base64");
  if (Array.isArray(value) && value.every(isByte)) return Uint8Array.from(value);
  throw new Error("data is neither base64 nor a list of bytes");
}

function isByte(value: unknown): value is number {
  return typeof value === "number" && Number.isInteger(value) && value >= 0 && value <= 255;
}
