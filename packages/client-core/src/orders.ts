/** Which steps of a concurrent saga wait for which: from names and indices to the `orders` of the wire, refused when it can't work. */
import { DtmError } from "@dtm/protocol";
import { describe } from "./address.js";

export interface OrderedStep {
  readonly name?: string | undefined;
  /** Indices (from 0) or names of the steps that must have succeeded before. */
  readonly after: readonly (number | string)[];
}

/** @throws DtmError STEP_INVALID for an unknown step, the step itself, a name used twice, or a cycle. */
export function ordersOf(steps: readonly OrderedStep[]): Readonly<Record<string, readonly number[]>> {
  const byName = new Map<string, number>();
  for (const [index, { name }] of steps.entries()) {
    if (name === undefined) continue;
    if (byName.has(name))
      throw new DtmError("STEP_INVALID", `step ${index}: expected a name of its own, found "${name}" a second time`);
    byName.set(name, index);
  }
  const orders = steps.map((step, index) => [...new Set(step.after.map((before) => resolve(before, index)))]);
  refuseCycles(orders);
  return Object.fromEntries(orders.flatMap((before, index) => (before.length === 0 ? [] : [[String(index), before]])));

  function resolve(before: number | string, index: number): number {
    const found = typeof before === "string" ? byName.get(before) : before;
    if (found === undefined || !Number.isInteger(found) || found < 0 || found >= steps.length) {
      throw new DtmError(
        "STEP_INVALID",
        `step ${index}: after: expected the name or index of a step (0 to ${steps.length - 1}), found ${describe(before)}`,
      );
    }
    if (found === index) throw new DtmError("STEP_INVALID", `step ${index}: after: expected another step, found itself`);
    return found;
  }
}

function refuseCycles(orders: readonly (readonly number[])[]): void {
  const waitsFor = orders.map((before) => before.length);
  const ready = [...orders.keys()].filter((index) => waitsFor[index] === 0);
  let done = 0;
  for (let next = ready.pop(); next !== undefined; next = ready.pop()) {
    done += 1;
    for (const [index, before] of orders.entries()) {
      if (!before.includes(next)) continue;
      const left = (waitsFor[index] ?? 0) - 1;
      waitsFor[index] = left;
      if (left === 0) ready.push(index);
    }
  }
  if (done === orders.length) return;
  const stuck = [...orders.keys()].filter((index) => (waitsFor[index] ?? 0) > 0);
  throw new DtmError("STEP_INVALID", `after: expected an order, found a cycle among the steps ${stuck.join(", ")}`);
}
