/** `npm start` as its users meet it: the story it tells, what it keeps, how it stops, what it says when it can't start. */
import { createServer } from "node:net";
import { join } from "node:path";
import { freePort } from "./kit/free-port.js";
import { NodeProcess } from "./kit/process.js";
import { temporaryFolder } from "./kit/temp-folder.js";
import { until } from "./kit/until.js";

const SCRIPT = "scripts/start.mjs";
const FREE = { HTTP_PORT: "0", GRPC_PORT: "0", BANK_A_PORT: "0", BANK_B_PORT: "0" };
/** A build that isn't fresh is made first. */
const LONG_MS = 600_000;

const started = new Set<NodeProcess>();
afterAll(async () => {
  for (const child of started) if (child.running) await child.stop();
});

function start(args: readonly string[], env: Readonly<Record<string, string>>): NodeProcess {
  const child = new NodeProcess(SCRIPT, args, { env: { REQUEST_TIMEOUT: "60", ...env } });
  started.add(child);
  return child;
}

function said(child: NodeProcess, words: string): Promise<true> {
  return until(
    `it says "${words}"`,
    async () => {
      if (child.stdout.includes(words) || child.stderr.includes(words)) return true;
      if (!child.running) throw new Error(`it ended first:\n${child.lastWords}`);
      return undefined;
    },
    { withinMs: LONG_MS },
  );
}

/** The rows of the two tables, one space between words. */
function balances(child: NodeProcess): readonly string[] {
  const rows = child.stdout.split("\n").filter((line) => /^ {2}\w+, bank [AB] /.test(line));
  return rows.map((line) => line.trim().replaceAll(/\s+/g, " "));
}

async function answers(url: string): Promise<boolean> {
  return fetch(url).then(
    (answer) => answer.ok,
    () => false,
  );
}

describe("npm start", () => {
  const folder = temporaryFolder();
  const env = { ...FREE, DATA_DIR: join(folder, "data") };

  it(
    "tells both transfers, stays up, stops on Ctrl-C, and the next start keeps the balances",
    async () => {
      const first = start([], env);
      await said(first, "Ctrl-C stops all of it");
      expect(first.stdout).toMatch(/alice pays 30\.00\n.*bob gets 30\.00\n.*the saga ended as "succeed"/);
      expect(first.stdout).toMatch(
        /refused: account carol is frozen\n(.*\n)*.*nothing to undo.*\n(.*\n)*.*alice gets the 30\.00 back/,
      );
      expect(first.stdout).toContain('the saga ended as "failed": nothing of it is left');
      expect(balances(first)).toEqual([
        "alice, bank A 1,000.00 970.00 -30.00",
        "bob, bank B 500.00 530.00 +30.00",
        "alice, bank A 970.00 970.00 unchanged",
        "carol, bank B 250.00 250.00 unchanged",
      ]);
      const url = /curl '([^']+)'/.exec(first.stdout)?.[1] ?? "";
      const { transaction } = (await (await fetch(url)).json()) as { transaction: { status: string } };
      expect(transaction.status).toBe("failed");

      first.signal("SIGINT");
      expect(await first.ended).toEqual({ code: 0, signal: null });
      expect(await answers(url)).toBe(false);

      const second = start([], env);
      await said(second, "Ctrl-C stops all of it");
      expect(balances(second).slice(0, 2)).toEqual(["alice, bank A 970.00 940.00 -30.00", "bob, bank B 530.00 560.00 +30.00"]);
      second.signal("SIGTERM");
      expect(await second.ended).toEqual({ code: 0, signal: null });
    },
    LONG_MS,
  );

  it("names the setting when a port is taken, and starts nothing", async () => {
    const other = createServer().listen(0, "127.0.0.1");
    await new Promise((resolve) => other.once("listening", resolve));
    const address = other.address();
    const port = address !== null && typeof address === "object" ? address.port : 0;
    const child = start([], { ...env, HTTP_PORT: String(port) });
    expect(await child.ended).toMatchObject({ code: 1 });
    expect(child.stdout).toMatch(
      new RegExp(
        `^✗ the coordinator's HTTP API wants port ${port} on 127\\.0\\.0\\.1, which is in use\\. Choose another: HTTP_PORT=\\d+ npm start\n$`,
      ),
    );
    await new Promise((resolve) => other.close(resolve));
  });

  it(
    "--bare runs the coordinator alone, with a settings file",
    async () => {
      const port = await freePort();
      const child = start(["--bare"], { ...env, HTTP_PORT: String(port), DATA_DIR: join(folder, "bare") });
      await until("it answers", async () => ((await answers(`http://127.0.0.1:${port}/api/ping`)) ? true : undefined), {
        withinMs: LONG_MS,
      });
      child.signal("SIGINT");
      expect(await child.ended).toEqual({ code: 0, signal: null });
      const refused = start(["--bare", "-c", join(folder, "missing.yml")], env);
      expect((await refused.ended).code).toBe(1);
      expect(refused.stderr).toContain("missing.yml");
    },
    LONG_MS,
  );

  it("--help says what there is, and anything else is refused with it", async () => {
    const help = start(["--help"], {});
    expect(await help.ended).toMatchObject({ code: 0 });
    for (const word of ["--bare", "HTTP_PORT", "BANK_A_PORT", "DATA_DIR"]) expect(help.stdout).toContain(word);
    const wrong = start(["--bear"], {});
    expect(await wrong.ended).toMatchObject({ code: 1 });
    expect(wrong.stdout).toContain("Unknown option '--bear'");
  });
});
