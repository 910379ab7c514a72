/** The command line and the process: what it prints, how it refuses to start, how it stops (protocol.md 7.2, R18, R24, R25, Q31). */
import { existsSync, writeFileSync } from "node:fs";
import { createServer, type Server as HttpServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { fakeRedis, silentServer } from "../kit/fake-redis.js";
import { DtmClient } from "./kit/dtm-client.js";
import { type Ended, NodeProcess } from "./kit/process.js";
import { temporaryFolder } from "./kit/temp-folder.js";
import { until } from "./kit/until.js";

jest.setTimeout(180_000);

const started: NodeProcess[] = [];
afterEach(async () => {
  for (const child of started.splice(0)) if (child.running) await child.kill();
});

/** Ports are free ones unless the test says otherwise; `cwd` is a fresh folder, so `./data` is too. */
function dtm(args: readonly string[], env: Readonly<Record<string, string>> = {}, cwd = temporaryFolder()): NodeProcess {
  const child = new NodeProcess("apps/server/bin/dtm.js", args, { cwd, env: { HTTP_PORT: "0", GRPC_PORT: "0", ...env } });
  started.push(child);
  return child;
}

async function ended(child: NodeProcess): Promise<Ended & { readonly stdout: string; readonly stderr: string }> {
  const end = await child.ended;
  return { ...end, stdout: child.stdout, stderr: child.stderr };
}

interface LogLine {
  readonly msg: string;
  readonly level: string;
  readonly http?: number;
}

function logOf(child: NodeProcess): LogLine[] {
  const whole = child.stderr.slice(0, child.stderr.lastIndexOf("\n") + 1);
  return whole.split("\n").flatMap((line) => (line.startsWith("{") ? [JSON.parse(line) as LogLine] : []));
}

function said(child: NodeProcess, start: string): Promise<LogLine> {
  return until(
    `the log says ${start}`,
    async () => {
      const found = logOf(child).find(({ msg }) => msg.startsWith(start));
      if (found === undefined && !child.running) throw new Error(`it ended before it said ${start}:\n${child.lastWords}`);
      return found;
    },
    { withinMs: 120_000 },
  );
}

/** The address of its HTTP, once it is up. */
async function running(child: NodeProcess): Promise<string> {
  const { http } = await said(child, "started");
  return `http://127.0.0.1:${http}`;
}

describe("the command line", () => {
  test.each([["-v"], ["--version"], ["version"]])("%s prints the version as dtm does", async (flag) => {
    const { code, stdout } = await ended(dtm([flag]));
    expect([code, stdout]).toEqual([0, expect.stringMatching(/^dtm version: v\d+\.\d+\.\d+\n$/)]);
  });

  test("-h prints the usage and exits 0", async () => {
    const { code, stdout } = await ended(dtm(["-h"]));
    expect(code).toBe(0);
    expect(stdout).toMatch(/^Usage: dtm /);
  });

  test("an unknown command prints the usage on stderr and exits 1", async () => {
    const { code, stdout, stderr } = await ended(dtm(["srve"]));
    expect([code, stdout]).toEqual([1, ""]);
    expect(stderr).toMatch(/unknown command 'srve'[\s\S]*Usage: dtm /);
  });

  test("config print shows what is in force, without secrets; -c=file is the Helm chart's form", async () => {
    const folder = temporaryFolder();
    writeFileSync(join(folder, "dtm.yml"), "Store:\n  Driver: redis\n  Host: h\n  Port: 1\n  Password: hush\n");
    const { code, stdout, stderr } = await ended(dtm(["config", "print", "-c=dtm.yml"], {}, folder));
    expect([code, stderr]).toEqual([0, ""]);
    expect(stdout).toMatch(/^ {2}Driver: redis +# file dtm.yml$/m);
    expect(stdout).toMatch(/^HttpPort: 0 +# environment HTTP_PORT$/m);
    expect(stdout).not.toContain("hush");
  });
});

describe("a start that can't work costs one line that names the setting, and exit code 1", () => {
  async function lastLine(child: NodeProcess): Promise<string> {
    const { code, stderr } = await ended(child);
    expect(code).toBe(1);
    const told = stderr.split("\n").filter((line) => line.startsWith("dtm: "));
    expect(told).toHaveLength(1);
    expect(stderr).not.toMatch(/^ +at /m);
    return told[0] ?? "";
  }

  test.each<[string, Record<string, string>, RegExp]>([
    ["an address for everybody without credentials (R24)", { HOST: "0.0.0.0" }, /^dtm: Host 0\.0\.0\.0 .*AUTH_TOKEN/],
    [
      "a database that nobody can reach",
      { STORE_DRIVER: "redis", STORE_HOST: "127.0.0.1", STORE_PORT: "1" },
      /^dtm: no Redis answers at 127\.0\.0\.1:1: .*STORE_HOST/,
    ],
    [
      "a host that is a URL",
      { STORE_DRIVER: "redis", STORE_HOST: "redis://127.0.0.1:6379" },
      /^dtm: Store\.Host \(STORE_HOST\) must not be a URL/,
    ],
    [
      "a secret that was never written",
      { AUTH_TOKEN_FILE: "/dev/null" },
      /^dtm: AUTH_TOKEN_FILE names \/dev\/null, which is empty/,
    ],
    [
      "an unknown service driver",
      { MICRO_SERVICE_DRIVER: "dtm-driver-kratos" },
      /^dtm: MicroService\.Driver dtm-driver-kratos is unknown/,
    ],
    ["a log file nobody can write", { LOG_OUTPUTS: "/nowhere/a.log" }, /^dtm: Log\.Outputs names \/nowhere\/a\.log/],
    [
      "a certificate nobody can read",
      { TLS_CERT_FILE: "c.pem", TLS_KEY_FILE: "k.pem" },
      /^dtm: Tls\.CertFile \(TLS_CERT_FILE\) names c\.pem/,
    ],
    [
      "an empty certificate",
      { TLS_CERT_FILE: "/dev/null", TLS_KEY_FILE: "/dev/null" },
      /^dtm: Tls\.CertFile \(TLS_CERT_FILE\) names \/dev\/null, which holds no certificate that can be read/,
    ],
  ])("%s", async (_, env, line) => {
    expect(await lastLine(dtm([], { STORE_DRIVER: "memory", ...env }))).toMatch(line);
  });

  test("an unknown setting in the file", async () => {
    const folder = temporaryFolder();
    writeFileSync(join(folder, "dtm.yml"), "store:\n  Driver: redis\n");
    expect(await lastLine(dtm(["-c", "dtm.yml"], {}, folder))).toBe(
      "dtm: dtm.yml, line 1: unknown setting store; did you mean Store?",
    );
  });

  test.each(["HttpPort (HTTP_PORT)", "GrpcPort (GRPC_PORT)"])("a port in use: %s (Q31)", async (setting) => {
    const other = await listening((_, response) => response.end());
    const variable = setting.slice(setting.indexOf("(") + 1, -1);
    const line = await lastLine(dtm([], { STORE_DRIVER: "memory", [variable]: String(portOf(other)) }));
    expect(line).toContain(setting);
    expect(line).toContain(String(portOf(other)));
  });

  test("a data folder that is a file", async () => {
    const folder = temporaryFolder();
    writeFileSync(join(folder, "taken"), "");
    expect(await lastLine(dtm([], { DATA_DIR: join(folder, "taken") }))).toMatch(/^dtm: .*taken.*\(DataDir, DATA_DIR\)$/);
  });

  describe("a Redis that stays up meanwhile doesn't keep the process", () => {
    const GOOD = "redis_version:7.0.15\r\nmaxmemory_policy:noeviction\r\ncluster_enabled:0\r\nrole:master\r\nloading:0\r\n";
    const refusing = (words: string) => (command: readonly string[]) => {
      const name = (command[0] ?? "").toLowerCase();
      if (name === "info") return GOOD;
      return ["auth", "client", "select"].includes(name) ? null : words;
    };

    test.each([
      ["NOPERM this user has no permissions to run the 'hsetnx' command", "grant it: ACL SETUSER default ~{dtm:* +@hash"],
      ["OOM command not allowed when used memory > 'maxmemory'.", "raise its maxmemory"],
    ])("%s", async (words, advice) => {
      const fake = await fakeRedis(refusing(`-${words}`));
      const line = await lastLine(dtm([], { STORE_DRIVER: "redis", STORE_HOST: "127.0.0.1", STORE_PORT: String(fake.port) }));
      expect(line).toContain(words);
      expect(line).toContain(advice);
      await fake.close();
    });

    test("that never answers", async () => {
      const silent = await silentServer();
      const began = performance.now();
      const line = await lastLine(dtm([], { STORE_DRIVER: "redis", STORE_HOST: "127.0.0.1", STORE_PORT: String(silent.port) }));
      expect(line).toMatch(/^dtm: no Redis answers at .*STORE_HOST/);
      expect(performance.now() - began).toBeLessThan(20_000);
      await silent.close();
    });
  });

  test("-r on a store that others may share (Q30)", async () => {
    expect(await lastLine(dtm(["-r"], { STORE_DRIVER: "redis", STORE_HOST: "h", STORE_PORT: "1" }))).toMatch(
      /^dtm: -r is for the sqlite/,
    );
  });
});

test("a folder belongs to one server; -r empties it, but never while that one runs (R25)", async () => {
  const folder = temporaryFolder();
  const first = dtm(["serve"], {}, folder);
  const client = new DtmClient(`${await running(first)}/api/dtmsvr`);
  const answer = await client.post("submit", { gid: "kept", trans_type: "saga", steps: [], wait_result: true });
  expect(answer.status).toBe(200);

  for (const args of [["serve"], ["-r"]]) {
    const second = await ended(dtm(args, {}, folder));
    expect(second.code).toBe(1);
    expect(second.stderr).toContain(`pid ${first.pid}`);
    expect(second.stderr).toContain("DATA_DIR");
  }
  expect((await client.query("kept")).transaction?.status).toBe("succeed");
  await first.stop();
  expect(existsSync(join(folder, "data", "dtm.db"))).toBe(true);

  const third = dtm(["-r"], {}, folder);
  expect((await new DtmClient(`${await running(third)}/api/dtmsvr`).query("kept")).transaction).toBeNull();
  expect(await third.stop()).toEqual({ code: 0, signal: null });
});

describe("stopping (R18)", () => {
  test("a graceful stop refuses new work, waits for the call in flight and stores its answer", async () => {
    const folder = temporaryFolder();
    const held: ServerResponse[] = [];
    const service = await listening((_, response) => void held.push(response));
    const first = dtm([], { REQUEST_TIMEOUT: "120", GRACE_MS: "120000" }, folder);
    const client = new DtmClient(`${await running(first)}/api/dtmsvr`);
    const url = `http://127.0.0.1:${portOf(service)}/act`;
    const submitted = await client.post("submit", {
      gid: "held",
      trans_type: "saga",
      steps: [{ action: url, compensate: url }],
      payloads: ["{}"],
    });
    expect(submitted.status).toBe(200);
    await until("the action is called", async () => held[0]);

    first.signal("SIGTERM");
    await said(first, "stopping");
    expect(first.running).toBe(true);
    held[0]?.end("{}");
    expect(await first.ended).toEqual({ code: 0, signal: null });
    expect(logOf(first).at(-1)?.msg).toBe("stopped");

    const second = dtm([], {}, folder);
    const after = new DtmClient(`${await running(second)}/api/dtmsvr`);
    await until("the saga has ended", async () =>
      (await after.query("held")).transaction?.status === "succeed" ? true : undefined,
    );
    // The answer before the stop counted: nobody asked again.
    expect(held).toHaveLength(1);
    await second.stop();
  });

  test("a second signal ends it at once", async () => {
    const held: ServerResponse[] = [];
    const service = await listening((_, response) => void held.push(response));
    const child = dtm([], { STORE_DRIVER: "memory", REQUEST_TIMEOUT: "600", GRACE_MS: "600000" });
    const client = new DtmClient(`${await running(child)}/api/dtmsvr`);
    const url = `http://127.0.0.1:${portOf(service)}/act`;
    await client.post("submit", { gid: "held", trans_type: "msg", steps: [{ action: url }], payloads: ["{}"] });
    await until("the action is called", async () => held[0]);
    child.signal("SIGINT");
    await said(child, "stopping");
    child.signal("SIGTERM");
    expect(await child.ended).toEqual({ code: 128 + 15, signal: null });
  });
});

const servers: HttpServer[] = [];
afterEach(async () => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
});

async function listening(handler: (request: unknown, response: ServerResponse) => void): Promise<HttpServer> {
  const server = createServer(handler);
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return server;
}

function portOf(server: HttpServer): number {
  return (server.address() as AddressInfo).port;
}
