/** What keeps a start from a Redis: one line that names what is wrong and what to do. */
import { fakeRedis, silentServer } from "../../../test/kit/fake-redis.js";
import type { RedisAddress } from "./address.js";
import { checkServer } from "./check.js";
import { RedisUnusable } from "./errors.js";
import { hostsFrom } from "./hosts.js";
import { openRedis } from "./store.js";

const TLS = { mode: "disable", caFile: "", certFile: "", keyFile: "" } as const;
const NOBODY = { prefix: "dtm", sentinelMaster: "", sentinelPassword: "", user: "", password: "", tls: TLS };
const GOOD = { redis_version: "7.0.15", maxmemory_policy: "noeviction", cluster_enabled: "0", role: "master", loading: "0" };

async function refusal(
  answer: (command: readonly string[]) => string | null,
  overrides: (port: number) => Partial<RedisAddress> = () => ({}),
): Promise<string> {
  const fake = await fakeRedis(answer);
  const address = { ...NOBODY, hosts: [{ host: "127.0.0.1", port: fake.port }], ...overrides(fake.port) };
  try {
    await checkServer(address);
    return "accepted";
  } catch (cause) {
    expect(cause).toBeInstanceOf(RedisUnusable);
    const { message } = cause as Error;
    expect(message).not.toContain("\n");
    return message.replaceAll(String(fake.port), "PORT");
  } finally {
    await fake.close();
  }
}

function telling(info: Record<string, string>): (command: readonly string[]) => string | null {
  const lines = Object.entries({ ...GOOD, ...info }).map(([name, value]) => `${name}:${value}`);
  return ([name = ""]) => (name.toLowerCase() === "info" ? `# Server\r\n${lines.join("\r\n")}\r\n` : null);
}

test("a server that will do", async () => {
  expect(await refusal(telling({}))).toBe("accepted");
  expect(await refusal(telling({ redis_version: "6.0.0" }))).toBe("accepted");
});

test.each([
  [{ redis_version: "5.0.14" }, "Redis at 127.0.0.1:PORT is version 5.0.14: 6.0 or newer is needed"],
  [
    { maxmemory_policy: "allkeys-lru" },
    "has maxmemory-policy allkeys-lru and would throw unfinished transactions away: set it to noeviction",
  ],
  [{ maxmemory_policy: "volatile-ttl" }, "has maxmemory-policy volatile-ttl"],
  [{ role: "slave", master_link_status: "up" }, "is a replica and takes no writes: name its master (Store.Host, STORE_HOST)"],
])("%j", async (info, line) => {
  expect(await refusal(telling(info))).toContain(line);
});

test("several hosts are a Cluster's, or Sentinels", async () => {
  const twice = (port: number) => ({ hosts: [1, 2].map(() => ({ host: "127.0.0.1", port })) });
  expect(await refusal(telling({}), twice)).toContain("names 2 servers, but 127.0.0.1:PORT is no Redis Cluster");
  expect(await refusal(telling({ cluster_enabled: "1" }), twice)).toBe("accepted");
});

test("wrong credentials", async () => {
  const locked = ([name = ""]: readonly string[]): string =>
    name.toLowerCase() === "auth"
      ? "-WRONGPASS invalid username-password pair or user is disabled."
      : "-NOAUTH Authentication required.";
  const login = () => ({ user: "dtm", password: "wrong" });
  const line = await refusal(locked, login);
  expect(line).toContain("Redis at 127.0.0.1:PORT refused the login: ");
  expect(line).toContain("check Store.User (STORE_USER) and Store.Password (STORE_PASSWORD)");
  expect(line).not.toContain("wrong;");
  expect(await refusal(locked)).toContain("refused the login: NOAUTH");
});

test("nobody listens; of several hosts one that answers is enough", async () => {
  const fake = await fakeRedis(telling({ cluster_enabled: "1" }));
  const gone = await fakeRedis(() => null);
  await gone.close();
  const hosts = [gone.port, fake.port].map((port) => ({ host: "127.0.0.1", port }));
  expect(await checkServer({ ...NOBODY, hosts })).toMatchObject({ cluster: true });
  await fake.close();
  await expect(checkServer({ ...NOBODY, hosts })).rejects.toThrow(
    /^no Redis answers at 127\.0\.0\.1:\d+: .*ECONNREFUSED.*; check Store\.Host \(STORE_HOST\), Store\.Port \(STORE_PORT\)/,
  );
});

describe("a server that takes connections and never answers", () => {
  jest.setTimeout(30_000);

  async function refusalOfSilent(overrides: (port: number) => Partial<RedisAddress> = () => ({})): Promise<string> {
    const { port, close } = await silentServer();
    const began = performance.now();
    const address = { ...NOBODY, hosts: [{ host: "127.0.0.1", port }], ...overrides(port) };
    const why = await checkServer(address).then(
      () => "accepted",
      (cause: unknown) => (cause instanceof RedisUnusable ? cause.message : "unexplained"),
    );
    await close();
    expect(performance.now() - began).toBeLessThan(10_000);
    return why.replaceAll(String(port), "PORT");
  }

  test("is not waited for", async () => {
    expect(await refusalOfSilent()).toMatch(
      /^no Redis answers at 127\.0\.0\.1:PORT: no answer within 5000 ms; check Store\.Host \(STORE_HOST\), Store\.Port \(STORE_PORT\)/,
    );
  });

  test("neither when it is a Sentinel", async () => {
    expect(await refusalOfSilent(() => ({ sentinelMaster: "main" }))).toMatch(
      /^no Redis answers at the master that Sentinel calls main: .*Store\.Host \(STORE_HOST\)/,
    );
  });

  test("nor when there are several: each is named with its own trouble", async () => {
    const gone = await silentServer();
    await gone.close();
    const line = await refusalOfSilent((port) => ({
      hosts: [gone.port, port].map((each) => ({ host: "127.0.0.1", port: each })),
    }));
    expect(line.replaceAll(String(gone.port), "GONE")).toMatch(
      /^no Redis answers at 127\.0\.0\.1:GONE: .*ECONNREFUSED.*; 127\.0\.0\.1:PORT: no answer within 4500 ms; check Store\.Host/,
    );
  });
});

test("a TLS file that can't be read names its setting", async () => {
  const tls = { ...TLS, mode: "verify-full", caFile: "/nowhere/ca.pem" } as const;
  const hosts = hostsFrom("127.0.0.1", 1);
  const store = openRedis({ ...NOBODY, hosts, tls, replicas: { count: 0, withinMs: 1 } });
  await expect(store.open()).rejects.toThrow(
    "Store.TlsCaFile (STORE_TLS_CA_FILE) names /nowhere/ca.pem, which can't be read: ENOENT",
  );
});
