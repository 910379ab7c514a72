/** Preloaded into a server: its wall clock runs CLOCK_AHEAD_MS ahead. Timers and the database's own clock stay as they are. */
const ahead = Number(process.env.CLOCK_AHEAD_MS);
const Real = globalThis.Date;
class Ahead extends Real {
  constructor(...given) {
    if (given.length === 0) super(Real.now() + ahead);
    else super(...given);
  }

  static now() {
    return Real.now() + ahead;
  }
}
globalThis.Date = Ahead;
