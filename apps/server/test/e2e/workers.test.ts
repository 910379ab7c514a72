/** `Workers: n`: one port, n processes, one store; a worker that dies is replaced, and what it drove is finished (R2). */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { POSTGRES, postgresAddress, postgresDatabase } from "../kit/temporary-postgres.js";
import { withServer } from "../kit/with-server.js";
import { Bank } from "./kit/bank.js";
import { DtmClient } from "./kit/dtm-client.js";
import { NodeProcess } from "./kit/process.js";
import { temporaryFolder } from "./kit/temp-folder.js";
import { until } from "./kit/until.js";

jest.setTimeout(300_000);

const SAGAS = 60;

interface LogLine {
  readonly msg: string;
  readonly pid?: number;
  readonly http?: number;
}

function logOf(child: NodeProcess): LogLine[] {
  return child.stderr.split("\n").flatMap((line) => (/^\{.*\}$/.test(line) ? [JSON.parse(line) as LogLine] : []));
}

withServer(POSTGRES, () => {
  test("workers share a port, a killed one is replaced and nothing is lost, the stop reaches all", async () => {
    const folder = temporaryFolder();
    const database = await postgresDatabase();
    const { host, port, user, password } = postgresAddress();
    const store = {
      STORE_DRIVER: "postgres",
      STORE_HOST: host,
      STORE_PORT: String(port),
      STORE_USER: user,
      STORE_PASSWORD: password,
    };
    const a = await Bank.start("a", folder, { latencyMs: 300 });
    const b = await Bank.start("b", folder, { latencyMs: 300 });
    await a.open("payer", { balance: 1_000_000 });
    await b.open("payee", { balance: 0 });
    const server = new NodeProcess("apps/server/bin/dtm.js", ["serve"], {
      cwd: folder,
      env: {
        ...store,
        STORE_DB: database.name,
        WORKERS: "2",
        HTTP_PORT: "0",
        GRPC_PORT: "0",
        REQUEST_TIMEOUT: "10",
        RETRY_MAX_INTERVAL: "10",
        ADMIN_BASE_PATH: "/dtm",
      },
    });
    try {
      const started = (): LogLine[] => logOf(server).filter(({ msg }) => msg === "started");
      const all = await until(
        "all workers start",
        async () => {
          if (!server.running) throw new Error(`it ended first:\n${server.lastWords}`);
          return logOf(server).find(({ msg }) => msg === "all workers started");
        },
        { withinMs: 200_000 },
      );
      expect(new Set(started().map(({ pid }) => pid)).size).toBe(2);
      expect(logOf(server).filter(({ msg }) => msg.startsWith("AdminBasePath"))).toHaveLength(1);
      expect(new Set(started().map(({ http }) => http))).toEqual(new Set([all.http]));

      const client = new DtmClient(`http://127.0.0.1:${all.http}/api/dtmsvr`);
      const submit = async (n: number): Promise<void> => {
        const answer = await client.submit({
          gid: `w${n}`,
          trans_type: "saga",
          retry_interval: 1,
          steps: [
            { action: `${a.url}/saga/debit`, compensate: `${a.url}/saga/debit-undo` },
            { action: `${b.url}/saga/credit`, compensate: `${b.url}/saga/credit-undo` },
          ],
          payloads: ['{"account":"payer","amount":5}', '{"account":"payee","amount":5}'],
        });
        expect(answer.status).toBe(200);
      };
      await Promise.all(Array.from({ length: SAGAS }, (_, n) => submit(n)));
      const [first] = started();
      process.kill(first?.pid ?? 0, "SIGKILL");

      const ended = await until(
        "every saga ends",
        async () => {
          const found = await client.all().catch(() => []);
          return found.filter(({ status }) => status === "succeed").length === SAGAS ? found : undefined;
        },
        { withinMs: 120_000, everyMs: 500 },
      );
      expect(ended).toHaveLength(SAGAS);
      expect((await b.accounts()).find(({ id }) => id === "payee")?.balance).toBe(5 * SAGAS);
      await until("the killed one is replaced", async () => (started().length === 3 ? true : undefined), { withinMs: 120_000 });

      const page = await (await fetch(`http://127.0.0.1:${all.http}/api/metrics`)).text();
      // The dead one's calls are gone with it; what counts in the store is told once, not once per worker.
      expect(page).toMatch(/^dtm_unfinished_transactions 0$/m);
      expect(page).toMatch(/^dtm_server_info\{.*\} 1$/m);

      server.signal("SIGTERM");
      expect(await server.ended).toEqual({ code: 0, signal: null });
      expect(logOf(server).filter(({ msg }) => msg === "stopped")).toHaveLength(2);
      expect(logOf(server).at(-1)?.msg).toBe("all workers stopped");
    } finally {
      if (server.running) await server.kill();
      await database.drop();
    }
  });

  test("a stop while workers still start reaches those too", async () => {
    const database = await postgresDatabase();
    const { host, port, user, password } = postgresAddress();
    const store = { STORE_HOST: host, STORE_PORT: String(port), STORE_USER: user, STORE_PASSWORD: password };
    const server = new NodeProcess("apps/server/bin/dtm.js", ["serve"], {
      cwd: temporaryFolder(),
      env: { ...store, STORE_DRIVER: "postgres", STORE_DB: database.name, WORKERS: "3", HTTP_PORT: "0", GRPC_PORT: "0" },
    });
    try {
      await until("the first worker starts", async () => logOf(server).find(({ msg }) => msg === "started"), {
        withinMs: 120_000,
        everyMs: 5,
      });
      server.signal("SIGTERM");
      expect(await server.ended).toEqual({ code: 0, signal: null });
      expect(logOf(server).filter(({ msg }) => msg === "a part did not stop in time")).toEqual([]);
    } finally {
      if (server.running) await server.kill();
      await database.drop();
    }
  });

  test("workers whose supervisor was killed stop as they do when they are told to", async () => {
    const folder = temporaryFolder();
    const database = await postgresDatabase();
    const { host, port, user, password } = postgresAddress();
    const store = { STORE_HOST: host, STORE_PORT: String(port), STORE_USER: user, STORE_PASSWORD: password };
    let called = false;
    const slow = createServer((_, response) => {
      called = true;
      setTimeout(() => response.end("{}"), 1_500);
    });
    await new Promise<void>((resolve) => slow.listen(0, "127.0.0.1", resolve));
    const url = `http://127.0.0.1:${(slow.address() as AddressInfo).port}`;
    const server = new NodeProcess("apps/server/bin/dtm.js", ["serve"], {
      cwd: folder,
      env: { ...store, STORE_DRIVER: "postgres", STORE_DB: database.name, WORKERS: "2", HTTP_PORT: "0", GRPC_PORT: "0" },
    });
    try {
      const all = await until("all workers start", async () => logOf(server).find(({ msg }) => msg === "all workers started"), {
        withinMs: 200_000,
      });
      const answer = new DtmClient(`http://127.0.0.1:${all.http}/api/dtmsvr`).submit({
        gid: "waits",
        trans_type: "saga",
        wait_result: true,
        request_timeout: 20,
        steps: [{ action: `${url}/slow`, compensate: `${url}/undo` }],
        payloads: ["{}"],
      });
      await until("the call is under way", async () => called || undefined, { withinMs: 60_000 });
      server.signal("SIGKILL");
      expect(await answer).toMatchObject({ status: 200 });
      await until(
        "both have stopped",
        async () => logOf(server).filter(({ msg }) => msg === "stopped").length === 2 || undefined,
        {
          withinMs: 60_000,
        },
      );
    } finally {
      if (server.running) await server.kill();
      slow.close();
      await database.drop();
    }
  });

  test("a start that can't work is told once, and ends with code 1", async () => {
    const { port, user } = postgresAddress();
    const env = {
      STORE_DRIVER: "postgres",
      STORE_HOST: "127.0.0.1",
      STORE_PORT: String(port),
      STORE_USER: user,
      STORE_DB: "missing",
    };
    const server = new NodeProcess("apps/server/bin/dtm.js", ["serve"], {
      cwd: temporaryFolder(),
      env: { ...env, WORKERS: "2", HTTP_PORT: "0", GRPC_PORT: "0" },
    });
    expect(await server.ended).toEqual({ code: 1, signal: null });
    expect(server.stderr.split("\n").filter((line) => line.startsWith("dtm: "))).toHaveLength(1);
  });
});
