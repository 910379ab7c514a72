import type { LookupAddress } from "node:dns";
import { Lookups } from "./lookups.js";

const ADDRESS: LookupAddress[] = [{ address: "192.0.2.1", family: 4 }];

/** Names that begin with "dead" are answered only when `end` is called. */
function resolver(): { readonly lookups: Lookups; readonly asked: string[]; end(): void } {
  const asked: string[] = [];
  const dead: (() => void)[] = [];
  const lookups = new Lookups((hostname) => {
    asked.push(hostname);
    if (!hostname.startsWith("dead")) return Promise.resolve(ADDRESS);
    return new Promise((_resolve, reject) => dead.push(() => reject(new Error(`getaddrinfo EAI_AGAIN ${hostname}`))));
  });
  return { lookups, asked, end: () => dead.splice(0).forEach((fail) => void fail()) };
}

const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

test("who asks for a name that is being looked up gets the same answer, whatever it is", async () => {
  const { lookups, asked, end } = resolver();
  const answers = [lookups.of("dead.test", {}), lookups.of("dead.test", {})];
  expect(asked).toEqual(["dead.test"]);
  end();
  await expect(Promise.allSettled(answers)).resolves.toEqual([
    { status: "rejected", reason: expect.objectContaining({ message: "getaddrinfo EAI_AGAIN dead.test" }) },
    { status: "rejected", reason: expect.objectContaining({ message: "getaddrinfo EAI_AGAIN dead.test" }) },
  ]);
  await expect(lookups.of("well.test", {})).resolves.toEqual(ADDRESS);
  await expect(lookups.of("well.test", { family: 4 })).resolves.toEqual(ADDRESS);
  expect(asked).toEqual(["dead.test", "well.test", "well.test"]);
});

test("names that took long are looked up one after the other, and hold up no other", async () => {
  jest.useFakeTimers({ doNotFake: ["setImmediate"] });
  try {
    const { lookups, asked, end } = resolver();
    const names = ["dead1.test", "dead2.test", "dead3.test"];
    const first = Promise.allSettled(names.map((name) => lookups.of(name, {})));
    jest.advanceTimersByTime(2_000);
    end();
    await first;
    const again = Promise.allSettled(names.map((name) => lookups.of(name, {})));
    await settled();
    expect(asked).toEqual([...names, "dead1.test"]);
    await expect(lookups.of("well.test", {})).resolves.toEqual(ADDRESS);
    for (let turn = 0; turn < names.length; turn++) {
      end();
      await settled();
    }
    await again;
    expect(asked).toEqual([...names, "dead1.test", "well.test", "dead2.test", "dead3.test"]);
    // They were answered at once this time, so they are slow no more.
    const quick = Promise.allSettled(names.map((name) => lookups.of(name, {})));
    await settled();
    expect(asked).toHaveLength(10);
    end();
    await quick;
  } finally {
    jest.useRealTimers();
  }
});
