/**
 * What a step returns: a promise that knows whether anybody deals with its refusal. A step that nobody awaits would otherwise end the
 * process as an unhandled rejection, or, worse, refuse without anybody noticing.
 */
const then = Promise.prototype.then;

interface Watch {
  observed: boolean;
}

export class StepPromise<T> extends Promise<T> {
  /** Shared with the promises that pass its rejection on. */
  #watch: Watch = { observed: false };

  /** What `then` gives by itself is an ordinary promise. */
  static override get [Symbol.species](): PromiseConstructor {
    return Promise;
  }

  static of<T>(taken: Promise<T>): StepPromise<T> {
    const step = new StepPromise<T>((resolve) => resolve(taken));
    then.call(step, undefined, () => undefined);
    return step;
  }

  /** Whether a rejection is dealt with by somebody: by `await`, `catch`, `Promise.all`, or a `then` with two functions. */
  get observed(): boolean {
    return this.#watch.observed;
  }

  // biome-ignore lint/suspicious/noThenProperty: what is awaited has to know it
  override then<A = T, B = never>(
    onDone?: ((value: T) => A | PromiseLike<A>) | null,
    onError?: ((reason: unknown) => B | PromiseLike<B>) | null,
  ): Promise<A | B> {
    const next = super.then(onDone, onError);
    if (typeof onError !== "function") return this.#pass(next);
    this.#watch.observed = true;
    return next;
  }

  override finally(onEnd?: (() => void) | null): Promise<T> {
    const { observed } = this.#watch;
    const next = super.finally(onEnd);
    this.#watch.observed = observed;
    return this.#pass(next);
  }

  /** A promise that only passes the rejection on is dealt with when somebody deals with it. */
  #pass<A>(next: Promise<A>): Promise<A> {
    const passed = new StepPromise<A>((resolve) => resolve(next));
    passed.#watch = this.#watch;
    super.then(undefined, () => void then.call(passed, undefined, () => undefined));
    return passed;
  }
}
