/** Who is part of the application, and what each of them waits for. */

let made = 0;

/** One piece of the application's code: a handler under way, or what the test itself runs. */
export class Worker {
  /** Where several could go on, those that were made earlier go first. */
  readonly order = ++made;
  waits = 0;
  /** Where its handler is served; empty for what is none. */
  place = "";
  /** Real time since which it has been at work. */
  since = 0;
  /** Settled when its process dies. */
  readonly died: Promise<void>;
  /** Ends what dies with its process. */
  readonly endings = new Set<() => unknown>();
  #die: () => void = () => undefined;
  #dead = false;

  /** `label` names what it does, as in `g1/01.action`. */
  constructor(readonly label: string) {
    this.died = new Promise((resolve) => {
      this.#die = resolve;
    });
  }

  /** Whatever it waits for never comes. */
  get dead(): boolean {
    return this.#dead;
  }

  die(): void {
    this.#dead = true;
    this.#die();
  }
}

/** Something that a worker waits for in virtual time. */
export class Wait {
  /** How many workers, or the coordinator, are bringing it about: as long as anybody is, it isn't the clock that it waits for. */
  acting = 0;

  /** Real time that others may be at work before the clock goes on for this one, which may hold the lock that they need. */
  constructor(readonly patienceMs: number) {}
}
