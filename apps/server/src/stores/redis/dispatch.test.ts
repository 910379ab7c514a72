/** What a call is told that came to nothing: only what was surely not executed may be left alone (R7). */
import { fakeRedis } from "../../../test/kit/fake-redis.js";
import { type TcpProxy, tcpProxy } from "../../../test/kit/tcp-proxy.js";
import { StoreUnavailable } from "../store.js";
import { type Call, Dispatcher } from "./dispatch.js";
import { NotDone } from "./errors.js";
import { Keys } from "./keys.js";
import { Topology } from "./topology.js";

const TLS = { mode: "disable", caFile: "", certFile: "", keyFile: "" } as const;
const NOBODY = { sentinelMaster: "", sentinelPassword: "", user: "", password: "", tls: TLS };
const CALL: Call = { tag: 0, command: "SET", keys: ["key"], args: ["1"], durable: true };
jest.setTimeout(30_000);

interface Opened {
  readonly dispatcher: Dispatcher;
  readonly proxy: TcpProxy;
}

/** `say`: what is answered to one call after the other. */
async function withRedis(
  say: (attempt: number) => string | null,
  work: (opened: Opened) => Promise<void>,
  count = 0,
): Promise<void> {
  let attempt = 0;
  const fake = await fakeRedis(([name = ""]) => {
    if (name.toLowerCase() === "info") return "loading:0\r\n";
    return name === "SET" ? say(++attempt) : "0";
  });
  const proxy = await tcpProxy({ host: "127.0.0.1", port: fake.port });
  const address = { ...NOBODY, hosts: [{ host: "127.0.0.1", port: proxy.port }] };
  const dispatcher = new Dispatcher(address, new Topology(address, new Keys("dtm")), { count, withinMs: 1 });
  try {
    await work({ dispatcher, proxy });
  } finally {
    dispatcher.close();
    await proxy.close();
    await fake.close();
  }
}

const REFUSED = "-NOREPLICAS Not enough good replicas to write.";

test("what was refused each time was surely not done", async () => {
  await withRedis(
    () => REFUSED,
    async ({ dispatcher }) => expect(await dispatcher.settle([CALL])).toEqual([expect.any(NotDone)]),
  );
});

test("what finds the memory full was surely not done, and isn't sent again", async () => {
  const say = jest.fn(() => "-OOM command not allowed when used memory > 'maxmemory'.");
  await withRedis(say, async ({ dispatcher }) => expect(await dispatcher.settle([CALL])).toEqual([expect.any(NotDone)]));
  expect(say).toHaveBeenCalledTimes(1);
});

test("what too few replicas have may have been done", async () => {
  await withRedis(
    () => null,
    async ({ dispatcher }) => expectUnknown(await dispatcher.settle([CALL])),
    1,
  );
});

test("what had no answer once may have been done, whatever is said afterwards", async () => {
  const say = jest.fn((attempt: number) => (attempt > 1 ? REFUSED : null));
  await withRedis(say, async ({ dispatcher, proxy }) => {
    await dispatcher.settle([{ tag: 0, command: "PING", keys: [], args: [] }]);
    proxy.loseNextAnswers();
    expectUnknown(await dispatcher.settle([CALL]));
  });
  expect(say.mock.calls.length).toBeGreaterThan(1);
});

function expectUnknown([result]: readonly unknown[]): void {
  expect(result).toBeInstanceOf(StoreUnavailable);
  expect(result).not.toBeInstanceOf(NotDone);
}
