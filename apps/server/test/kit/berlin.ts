/** Clocks in Berlin in 2026, whatever zone the tests run in. */
import { Zone } from "../../src/stores/mysql/zone.js";

export const SET_FORWARD = Date.UTC(2026, 2, 29, 1);
/** They showed three, and then two again. */
export const SET_BACK = Date.UTC(2026, 9, 25, 1);

export class Berlin extends Zone {
  constructor() {
    super(null);
  }

  override toText(at: number): string {
    return new Zone(this.secondsEast(at) / 3_600).toText(at);
  }

  override secondsEast(at: number): number {
    return at >= SET_FORWARD && at < SET_BACK ? 7_200 : 3_600;
  }
}
