/** `dtm migrate` as an operator and a deployment script use it: lines on stdout, exit codes, and a start that waits for it (R28). */
import { POSTGRES, postgresAddress, postgresDatabase } from "../kit/temporary-postgres.js";
import { withServer } from "../kit/with-server.js";
import { NodeProcess } from "./kit/process.js";
import { temporaryFolder } from "./kit/temp-folder.js";
import { until } from "./kit/until.js";

/** Each starts half a dozen processes, some seconds each on a starved machine. */
jest.setTimeout(600_000);

type Environment = Readonly<Record<string, string>>;

const started: NodeProcess[] = [];
afterEach(async () => {
  for (const child of started.splice(0)) if (child.running) await child.kill();
});

function dtm(args: readonly string[], env: Environment, cwd: string): NodeProcess {
  const child = new NodeProcess("apps/server/bin/dtm.js", args, { cwd, env: { HTTP_PORT: "0", GRPC_PORT: "0", ...env } });
  started.push(child);
  return child;
}

/** Exit code, and what it printed. */
async function ran(args: readonly string[], env: Environment, cwd: string): Promise<[number | null, string, string]> {
  const child = dtm(args, env, cwd);
  const { code } = await child.ended;
  return [code, child.stdout, child.stderr];
}

/** From nothing to a server that runs without migrating by itself. */
async function fromNothing(env: Environment, cwd = temporaryFolder()): Promise<NodeProcess> {
  const byHand = { ...env, AUTO_MIGRATE: "false" };
  expect(await ran(["migrate", "--check"], env, cwd)).toEqual([1, expect.stringMatching(/^(pending: \d+ \w+\n)+$/), ""]);
  const [code, , told] = await ran([], byHand, cwd);
  expect(code).toBe(1);
  expect(told.split("\n").filter((line) => line.startsWith("dtm: "))).toEqual([
    expect.stringMatching(/^dtm: the schema lacks 1 initial.*, and AutoMigrate \(AUTO_MIGRATE\) is off: run "dtm migrate"/),
  ]);
  expect(await ran(["migrate"], byHand, cwd)).toEqual([0, expect.stringMatching(/^(applied: \d+ \w+\n)+$/), ""]);
  expect(await ran(["migrate", "--check"], byHand, cwd)).toEqual([
    0,
    expect.stringMatching(/^up to date: \d+ \w+; nobody writes\n$/),
    "",
  ]);
  const server = dtm([], byHand, cwd);
  await until("it starts", async () => {
    if (!server.running) throw new Error(server.lastWords);
    return server.stderr.includes('"msg":"started"') ? true : undefined;
  });
  return server;
}

test("sqlite; while a server has the folder, one line that names it", async () => {
  const folder = temporaryFolder();
  const server = await fromNothing({}, folder);
  const inUse = new RegExp(`^dtm: another server \\(pid ${server.pid} on .*DATA_DIR\\)\\n$`);
  expect(await ran(["migrate", "--check"], {}, folder)).toEqual([1, "", expect.stringMatching(inUse)]);
  await server.stop();
});

withServer(POSTGRES, () => {
  test("postgres", async () => {
    const database = await postgresDatabase();
    const server = await fromNothing(storeAt("postgres", postgresAddress(database.name)));
    await server.stop();
    await database.drop();
  });
});

interface Address {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly password: string;
  readonly database: string;
}

function storeAt(driver: string, { host, port, user, password, database }: Address): Environment {
  return {
    STORE_DRIVER: driver,
    STORE_HOST: host,
    STORE_PORT: String(port),
    STORE_USER: user,
    STORE_PASSWORD: password,
    STORE_DB: database,
  };
}
