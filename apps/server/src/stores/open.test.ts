import { loadConfig } from "../config/load.js";
import { openMemory } from "./memory/store.js";
import { opened, openStore } from "./open.js";

const log = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined };

/** Where nobody listens, so that the refusal says where it was looked for. */
async function lookedFor(env: Record<string, string>): Promise<string> {
  const given = { STORE_HOST: "localhost", STORE_PORT: "1", STORE_USER: "u", ...env };
  const store = await openStore(loadConfig({ env: given }).config, { log, onFatal: () => undefined, flushed: () => undefined });
  return store.open().then(() => "opened", String);
}

test.each(["postgres", "mysql"])("an address in brackets is asked for without them: %s", async (driver) => {
  expect(await lookedFor({ STORE_DRIVER: driver, STORE_HOST: "[::1]" })).toMatch(/ at ::1:1: (?!.*ENOTFOUND)/);
});

test.each(["postgres", "mysql"])("in a container localhost is the container's host: %s (protocol.md 3.2)", async (driver) => {
  expect(await lookedFor({ STORE_DRIVER: driver })).toContain(" at localhost:1: ");
  expect(await lookedFor({ STORE_DRIVER: driver, IS_DOCKER: "1" })).toContain(" at host.docker.internal:1: ");
});

test("an opening that takes long is told over and over, one that doesn't isn't", async () => {
  jest.useFakeTimers();
  try {
    const store = openMemory({ now: () => Date.now() });
    let open = (): void => undefined;
    const opening = jest.spyOn(store, "open");
    opening.mockReturnValueOnce(new Promise<void>((resolve) => (open = resolve)));
    const info = jest.fn();
    const slow = opened(store, { ...log, info });
    jest.advanceTimersByTime(25_000);
    expect(info.mock.calls.map(([, event]) => event)).toEqual(Array(2).fill(expect.stringContaining("isn't open yet")));
    open();
    await slow;
    await opened(store, { ...log, info });
    jest.advanceTimersByTime(25_000);
    expect(info).toHaveBeenCalledTimes(2);
  } finally {
    jest.useRealTimers();
  }
});
