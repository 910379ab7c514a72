/** A store whose writes a test can count, fail or hold back; what it keeps is the memory store's. */
import type { MemoryStore } from "../../src/stores/memory/store.js";
import { type Store, StoreUnavailable } from "../../src/stores/store.js";

/** `before`: nothing was stored. `after`: stored, but the reply is lost. */
export type Failure = "before" | "after";

type Method = keyof Store;

const WRITES: ReadonlySet<string> = new Set<Method>([
  "create",
  "submit",
  "registerBranches",
  "change",
  "nudge",
  "move",
  "recordBranches",
  "rest",
]);

export class WatchedStore {
  /** Writes that were asked for, in order: the figure of R6. */
  readonly writes: string[] = [];
  readonly store: Store;
  readonly #failures = new Map<string, Failure[]>();
  readonly #gates = new Map<string, Promise<void>>();
  readonly #late = new Map<string, (work: () => unknown) => void>();
  #down = false;

  constructor(
    readonly inner: MemoryStore,
    private readonly after: (method: string, args: readonly unknown[]) => void = () => undefined,
  ) {
    this.store = new Proxy<Store>(inner, {
      get: (target, property) => {
        const value: unknown = Reflect.get(target, property, target);
        if (typeof value !== "function" || typeof property !== "string") return value;
        return (...args: unknown[]) => this.#call(property, () => Reflect.apply(value, target, args), args);
      },
    });
  }

  /** The next calls of this method fail, one per failure given. */
  fail(method: Method, ...failures: readonly Failure[]): void {
    this.#failures.set(method, [...(this.#failures.get(method) ?? []), ...failures]);
  }

  /** Nothing works until it is up again. */
  set down(down: boolean) {
    this.#down = down;
  }

  /** Calls of this method wait before they are carried out; the function returned lets them go. */
  block(method: Method): () => void {
    let open: () => void = () => undefined;
    this.#gates.set(
      method,
      new Promise((resolve) => {
        open = () => {
          this.#gates.delete(method);
          resolve();
        };
      }),
    );
    return () => open();
  }

  /** The next call of this method fails, and is carried out only when the function returned is called: a commit that was still on its way. */
  late(method: Method): () => Promise<void> {
    let land: () => Promise<void> = async () => undefined;
    this.#late.set(method, (work) => {
      land = async () => {
        await work();
      };
    });
    return () => land();
  }

  async #call(method: string, work: () => unknown, args: readonly unknown[]): Promise<unknown> {
    if (WRITES.has(method)) this.writes.push(method);
    await this.#gates.get(method);
    if (this.#down) throw new StoreUnavailable("the store is down");
    const late = this.#late.get(method);
    if (late !== undefined) {
      this.#late.delete(method);
      late(work);
      throw new StoreUnavailable(`${method} is still on its way`);
    }
    const failure = this.#failures.get(method)?.shift();
    if (failure === "before") throw new StoreUnavailable(`${method} never arrived`);
    const result = await work();
    this.after(method, args);
    if (failure === "after") throw new StoreUnavailable(`the reply of ${method} was lost`);
    return result;
  }
}
