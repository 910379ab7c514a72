/** `dtm import` as an operator runs it, on a Redis that holds what dtm writes: takeover.test.ts does the same beside the real dtm. */
import { createServer, type Server as HttpServer } from "node:http";
import type { AddressInfo } from "node:net";
import { DtmRedisWriter, dtmGlobal, PAYLOADS, sagaRows } from "../kit/dtm-redis.js";
import { REDIS } from "../kit/temporary-redis.js";
import { withServer } from "../kit/with-server.js";
import { DtmClient } from "./kit/dtm-client.js";
import { type Ended, NodeProcess } from "./kit/process.js";
import { Server } from "./kit/server.js";
import { temporaryFolder } from "./kit/temp-folder.js";
import { until } from "./kit/until.js";

jest.setTimeout(300_000);

async function dtm(
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
  cwd = temporaryFolder(),
): Promise<Ended & { readonly stdout: string; readonly stderr: string }> {
  const child = new NodeProcess("apps/server/bin/dtm.js", ["import", ...args], { cwd, env: { DATA_DIR: cwd, ...env } });
  const ended = await child.ended;
  return { ...ended, stdout: child.stdout, stderr: child.stderr };
}

const FROM = ["--from", "redis://127.0.0.1:1"];

test.each<readonly [string, readonly string[], Readonly<Record<string, string>>, RegExp]>([
  ["no --from", [], {}, /required option '--from <url>' not specified/],
  ["no address", ["--from", "http://h"], {}, /^dtm: --from is no address of a Redis: expected redis:\/\/.*\n$/],
  ["nobody there", FROM, {}, /^dtm: no Redis answers at 127\.0\.0\.1:1: .*; check --from\n$/],
  ["a store that keeps nothing", FROM, { STORE_DRIVER: "memory" }, /^dtm: Store\.Driver memory keeps nothing: .*\n$/],
  ["a store that isn't ours", FROM, { STORE_DRIVER: "boltdb" }, /^dtm: Store\.Driver boltdb can't be read: .*\n$/],
  ["settings that nobody knows", [...FROM, "-c", "none.yml"], {}, /^dtm: -c names none\.yml, which can't be read: ENOENT\n$/],
])("%s: one line, exit code 1", async (_, args, env, line) => {
  const { code, stdout, stderr } = await dtm(args, env);
  expect({ code, stdout, stderr }).toEqual({ code: 1, stdout: "", stderr: expect.stringMatching(line) });
});

withServer(REDIS, () => {
  let writer: DtmRedisWriter;
  let service: HttpServer;
  const called: string[] = [];
  beforeAll(async () => {
    writer = new DtmRedisWriter(REDIS);
    service = createServer((request, response) => {
      const url = new URL(request.url ?? "/", "http://h");
      called.push(`${url.pathname} ${url.searchParams.get("branch_id")} ${url.searchParams.get("op")}`);
      response.end('{"dtm_result":"SUCCESS"}');
    });
    await new Promise<void>((resolve) => service.listen(0, "127.0.0.1", resolve));
  });
  afterAll(async () => {
    service.close();
    await writer.dispose();
  });

  test("a saga that dtm had half done is ended by the server that starts on the imported data, and only its other half is called", async () => {
    const base = `http://127.0.0.1:${(service.address() as AddressInfo).port}`;
    const steps = ["one", "two"].map((name) => ({ action: `${base}/${name}`, compensate: `${base}/${name}-undo` }));
    await writer.lay("half", {
      global: dtmGlobal({ gid: "half" }),
      status: "submitted",
      branches: sagaRows(steps, PAYLOADS, 1),
      dueSeconds: Math.floor(Date.now() / 1_000),
    });
    await writer.saga("ended", { status: "failed" });
    const { hosts, user, password } = REDIS.address;
    const places = hosts.map(({ host, port }) => `${host}:${port}`).join(",");
    const from = ["--from", `redis://${encodeURIComponent(user)}@${places}`, "--prefix", writer.prefix];
    const env = password === "" ? {} : { IMPORT_PASSWORD: password };
    const folder = temporaryFolder();

    expect(await dtm([...from, "--dry-run"], env, folder)).toEqual({
      code: 0,
      signal: null,
      stdout:
        "would import 1 unfinished and 0 finished transactions and 0 topics into sqlite; 1 finished ones left out (--finished takes them)\n",
      stderr: "",
    });
    expect(await dtm(from, env, folder)).toMatchObject({
      code: 0,
      stdout:
        "imported 1 unfinished and 0 finished transactions and 0 topics into sqlite; 1 finished ones left out (--finished takes them)\n",
    });

    const server = await Server.start({ dataDir: folder });
    // One server per folder (R25): an import beside it says so.
    const beside = await dtm(from, env, folder);
    expect([beside.code, beside.stderr]).toEqual([1, expect.stringMatching(/^dtm: .*\(DataDir, DATA_DIR\)\n$/)]);
    const client = new DtmClient(server.api);
    const { branches } = await until("it ends", async () => {
      const found = await client.query("half");
      return found.transaction?.status === "succeed" ? found : undefined;
    });
    expect(branches.map(({ branch_id, op, status }) => `${branch_id} ${op} ${status}`)).toEqual([
      "01 compensate prepared",
      "01 action succeed",
      "02 compensate prepared",
      "02 action succeed",
    ]);
    expect(called).toEqual(["/two 02 action"]);
    expect(await server.stop()).toEqual({ code: 0, signal: null });

    // Another transaction under the same gid: listed, left alone, exit code 1.
    await writer.saga("half", { trans_type: "saga", custom_data: '{"concurrent":true}' });
    const differing = await dtm(from, env, folder);
    expect([differing.code, differing.stderr]).toEqual([
      1,
      "dtm: differs, left as it is in the store: half: custom_data differs\n",
    ]);
    expect(differing.stdout).toMatch(/; 1 NOT imported, or different: listed above\n$/);
  });
});
