/**
 * MySQL's DATETIME is a wall clock's text without a zone. dtm wrote it in the zone of its process, or in `TimeZoneOffset` (R19); so do
 * we, or rows of dtm would be hours off.
 */
import type { Millis } from "../../engine/transaction.js";

/** Rows of one moment hold the same few seconds many times over. */
const KEPT = 64;

export class Zone {
  readonly #texts = new Map<Millis, string>();
  readonly #times = new Map<string, Millis | null>();

  /** Hours east of Greenwich; null: this process's own zone, summer time included. */
  constructor(private readonly offsetHours: number | null) {}

  /** The second that `at` lies in, or the next one: whole seconds are rounded up. */
  toText(at: Millis): string {
    return kept(this.#texts, Math.ceil(at / 1000) * 1000, (second) => this.#written(second));
  }

  /** How far its clocks are ahead of Greenwich at that time. */
  secondsEast(at: Millis): number {
    return this.offsetHours === null ? -60 * new Date(at).getTimezoneOffset() : 3_600 * this.offsetHours;
  }

  toTextOrNull(at: Millis | null): string | null {
    return at === null ? null : this.toText(at);
  }

  /** Null for what is no time, like the zero date of old MySQL. */
  fromText(stored: string): Millis | null {
    return stored === "" ? null : kept(this.#times, stored, () => this.#read(stored));
  }

  #written(second: Millis): string {
    const date = new Date(second);
    if (this.offsetHours === null) {
      const day = [date.getFullYear(), date.getMonth() + 1, date.getDate()];
      return text(day, [date.getHours(), date.getMinutes(), date.getSeconds()]);
    }
    const moved = new Date(date.getTime() + this.offsetHours * 3_600_000);
    const day = [moved.getUTCFullYear(), moved.getUTCMonth() + 1, moved.getUTCDate()];
    return text(day, [moved.getUTCHours(), moved.getUTCMinutes(), moved.getUTCSeconds()]);
  }

  #read(stored: string): Millis | null {
    const [year = 0, month = 1, day = 1, hour = 0, minute = 0, second = 0] = stored.split(/[-: .]/).map(Number);
    if (year === 0) return null;
    if (this.offsetHours === null) return new Date(year, month - 1, day, hour, minute, second).getTime();
    return Date.UTC(year, month - 1, day, hour, minute, second) - this.offsetHours * 3_600_000;
  }
}

function kept<K, V>(known: Map<K, V>, key: K, make: (key: K) => V): V {
  const found = known.get(key);
  if (found !== undefined) return found;
  if (known.size >= KEPT) known.clear();
  const made = make(key);
  known.set(key, made);
  return made;
}

function text(day: readonly number[], time: readonly number[]): string {
  const [year = 0, ...monthAndDay] = day;
  return `${[String(year).padStart(4, "0"), ...monthAndDay.map(two)].join("-")} ${time.map(two).join(":")}`;
}

function two(value: number): string {
  return String(value).padStart(2, "0");
}
