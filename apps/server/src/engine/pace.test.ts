import { aTransaction, CREATED } from "../../test/kit/views.js";
import { baseInterval, type PaceView, schedule } from "./pace.js";
import { DEFAULT_TYPE_SETTINGS } from "./settings.js";
import { NO_OPTIONS, type Transaction } from "./transaction.js";

function view(transaction: Partial<Transaction> = {}, fields: Partial<PaceView> = {}): PaceView {
  return {
    transaction: aTransaction("saga", "submitted", transaction),
    settings: DEFAULT_TYPE_SETTINGS,
    now: CREATED,
    progressed: false,
    refused: false,
    retryAfterMs: 0,
    random: 0,
    ...fields,
  };
}

/** Seconds from now. */
const dueIn = (times: { readonly nextCronTime: number }): number => (times.nextCronTime - CREATED) / 1000;

describe("the base interval (protocol.md 4.2)", () => {
  test.each([
    ["the server's", 0, 0, 10],
    ["the transaction's own", 7, 0, 7],
    ["a shorter timeout", 0, 4, 4],
    ["not a longer timeout", 0, 40, 10],
    ["its own even when its timeout is shorter", 7, 4, 7],
  ])("is %s", (_name, retryInterval, timeoutToFail, seconds) => {
    expect(baseInterval({ retryInterval, timeoutToFail }, DEFAULT_TYPE_SETTINGS)).toBe(seconds);
  });
});

describe("back-off", () => {
  test("doubles: 20, 40, 80, 160 s, and counts the attempts", () => {
    let transaction: Partial<Transaction> = {};
    const gaps: number[] = [];
    for (let i = 0; i < 4; i++) {
      const times = schedule(view(transaction), { pace: "backOff" });
      gaps.push(dueIn(times));
      transaction = { nextCronInterval: times.nextCronInterval, attempts: times.attempts };
    }
    expect(gaps).toEqual([20, 40, 80, 160]);
    expect(transaction.attempts).toBe(4);
  });

  test("stops at the cap", () => {
    expect(schedule(view({ nextCronInterval: 3_000 }), { pace: "backOff" }).nextCronInterval).toBe(3_600);
  });

  test("the cap is never below the transaction's own base", () => {
    const options = { ...NO_OPTIONS, retryInterval: 5_000 };
    expect(schedule(view({ options, nextCronInterval: 5_000 }), { pace: "backOff" }).nextCronInterval).toBe(5_000);
  });

  test("jitter only adds to the due time, up to its share; the stored interval has none", () => {
    const times = schedule(view({}, { random: 0.5 }), { pace: "backOff" });
    expect(dueIn(times)).toBe(21);
    expect(times.nextCronInterval).toBe(20);
    expect(dueIn(schedule(view({}, { random: 0.999_999 }), { pace: "backOff" }))).toBeLessThan(22);
  });

  test("a drive with a success in it starts again from the base", () => {
    const times = schedule(view({ nextCronInterval: 640, attempts: 6 }, { progressed: true }), { pace: "backOff" });
    expect(times).toMatchObject({ nextCronInterval: 20, attempts: 1 });
  });

  test("what waits for its application too long has the attempts of the stuck at once, and no fewer than it had (R16)", () => {
    expect(schedule(view({ attempts: 2 }), { pace: "backOff", stuck: true }).attempts).toBe(10);
    expect(schedule(view({ attempts: 12 }), { pace: "backOff", stuck: true }).attempts).toBe(13);
    expect(schedule(view({ attempts: 2 }), { pace: "backOff", stuck: false }).attempts).toBe(3);
  });

  test("a row without an interval starts from the base", () => {
    expect(schedule(view({ nextCronInterval: 0 }), { pace: "backOff" }).nextCronInterval).toBe(20);
  });
});

describe("ongoing keeps the interval", () => {
  test("without jitter, and is no attempt", () => {
    const times = schedule(view({ nextCronInterval: 40, attempts: 2 }, { random: 0.9 }), { pace: "keep" });
    expect(times).toMatchObject({ nextCronInterval: 40, attempts: 2 });
    expect(dueIn(times)).toBe(40);
  });

  test("after a success at the base again", () => {
    expect(schedule(view({ nextCronInterval: 40, attempts: 2 }, { progressed: true }), { pace: "keep" })).toMatchObject({
      nextCronInterval: 10,
      attempts: 0,
    });
  });
});

describe("reset", () => {
  test("is the base again, without jitter", () => {
    const times = schedule(view({ nextCronInterval: 640, attempts: 6 }, { random: 0.9 }), { pace: "reset" });
    expect(times).toMatchObject({ nextCronInterval: 10, attempts: 0 });
    expect(dueIn(times)).toBe(10);
  });

  test("until a known moment: exactly then", () => {
    const times = schedule(view({}, { random: 0.9 }), { pace: "reset", until: CREATED + 77_777 });
    expect(dueIn(times)).toBe(77.777);
  });
});

describe("a deferral", () => {
  test("is not an attempt: nothing doubles (R13)", () => {
    const times = schedule(view({ nextCronInterval: 40, attempts: 2, refusals: 1 }), { pace: "defer", until: CREATED + 60_000 });
    expect(times).toMatchObject({ nextCronInterval: 40, attempts: 2, refusals: 1 });
    expect(dueIn(times)).toBe(60);
  });

  test("has a clock of its own even when nothing says until when", () => {
    expect(dueIn(schedule(view(), { pace: "defer" }))).toBe(60);
  });
});

describe("Retry-After", () => {
  test.each([
    ["backOff", 30_000, 30],
    ["backOff", 5_000, 20],
    ["keep", 30_000, 30],
    ["keep", 5_000, 10],
  ] as const)("%s: %i ms lengthens only", (pace, retryAfterMs, seconds) => {
    expect(dueIn(schedule(view({}, { retryAfterMs }), { pace }))).toBe(seconds);
  });

  test.each(["backOff", "keep"] as const)("%s: never past the cap", (pace) => {
    expect(dueIn(schedule(view({}, { retryAfterMs: 1e9 }), { pace }))).toBe(3_600);
  });

  test("the stored interval doesn't learn from it", () => {
    expect(schedule(view({}, { retryAfterMs: 30_000 }), { pace: "backOff" }).nextCronInterval).toBe(20);
  });
});

describe("refusals of what must succeed (R16)", () => {
  test("count up in a row", () => {
    expect(schedule(view({ refusals: 2 }, { refused: true }), { pace: "backOff" }).refusals).toBe(3);
  });

  test("end with a success", () => {
    expect(schedule(view({ refusals: 2 }, { progressed: true }), { pace: "backOff" }).refusals).toBe(0);
  });

  test("begin again when one succeeded and the next refuses", () => {
    expect(schedule(view({ refusals: 2 }, { progressed: true, refused: true }), { pace: "backOff" }).refusals).toBe(1);
  });
});
