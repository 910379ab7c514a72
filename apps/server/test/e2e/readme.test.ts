/** Every command of the README does what stands below it: the curl examples here, `npm start` in start.test.ts. */
import { execFile } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { Bank } from "./kit/bank.js";
import { DtmClient } from "./kit/dtm-client.js";
import { REPOSITORY } from "./kit/process.js";
import { Server } from "./kit/server.js";
import { temporaryFolder } from "./kit/temp-folder.js";
import { until } from "./kit/until.js";

interface Example {
  readonly command: string;
  /** What must be in the answer; the README leaves out times and the like. */
  readonly expected: object;
}

const readme = readFileSync(join(REPOSITORY, "README.md"), "utf8");
const examples: readonly Example[] = [...readme.matchAll(/```sh\n(curl[^`]*)```\n\n```json\n([^`]*)```/g)].map(
  ([, command, json]) => ({
    command: command ?? "",
    expected: JSON.parse(json ?? "") as object,
  }),
);
const npmCommands = new Set([...readme.matchAll(/npm (?:start|test)(?: -- [-\w ]+)?/g)].map(([command]) => command));

const quotes = [...readme.matchAll(/^```ts\n(.*?)^```$/gms)].map(([, code]) => code ?? "");

describe("README.md in TypeScript", () => {
  const folder = join(REPOSITORY, "examples/express-prisma/src");
  const sources = readdirSync(folder)
    .filter((name) => name.endsWith(".ts"))
    .map((name) => linesOf(readFileSync(join(folder, name), "utf8")));

  it("has its examples", () => expect(quotes).toHaveLength(readme.match(/```ts/g)?.length ?? -1));

  // What it quotes is run by that example's own test.
  it.each(quotes.map((quote) => [quote.split("\n", 1)[0], quote]))("quotes the example: %s", (_, quote = "") => {
    expect(sources.some((source) => source.includes(linesOf(quote)))).toBe(true);
  });

  function linesOf(code: string): string {
    return code.replace(/^\s+|\s+$/gm, "");
  }
});

describe("README.md", () => {
  const folder = temporaryFolder();
  const origins = new Map<string, string>();

  beforeAll(async () => {
    const a = await Bank.start("a", folder);
    const b = await Bank.start("b", folder);
    // A waiting caller is told how it ended, however slow this machine is today.
    const server = await Server.start({ dataDir: folder, env: { REQUEST_TIMEOUT: "60" } });
    origins.set("http://127.0.0.1:36789", server.origin);
    origins.set("http://127.0.0.1:8081", a.url);
    origins.set("http://127.0.0.1:8082", b.url);
    await transferOf(server, a, b);
  }, 120_000);

  it("has its examples", () => {
    expect(examples.length).toBeGreaterThanOrEqual(4);
    expect(readme.match(/curl -s/g)).toHaveLength(examples.length);
  });

  it("names only npm commands that start.test.ts and continuous integration run", () => {
    expect([...npmCommands].map((command) => command.trim()).sort()).toEqual([
      "npm start",
      "npm start -- --bare",
      "npm start -- --bare -c file",
      "npm start -- --help",
      "npm test",
    ]);
  });

  // In order: a later example shows what an earlier one did.
  it.each(examples)(
    "$command",
    async ({ command, expected }) => {
      const reading = !command.includes("-d ");
      const matched = await until("the answer that the README shows", async () => {
        const answer = await run(command);
        if (!reading) return answer;
        return matches(answer, expected) ? answer : undefined;
      });
      expect(matched).toMatchObject(expected);
    },
    120_000,
  );

  async function run(command: string): Promise<unknown> {
    const { stdout } = await promisify(execFile)("bash", ["-c", translated(command, [...origins])]);
    return JSON.parse(
      translated(
        stdout,
        [...origins].map(([shown, real]) => [real, shown]),
      ),
    );
  }
});

function translated(text: string, pairs: readonly (readonly [from: string, to: string])[]): string {
  return pairs.reduce((result, [from, to]) => result.replaceAll(from, to), text);
}

function matches(answer: unknown, expected: object): boolean {
  try {
    expect(answer).toMatchObject(expected);
    return true;
  } catch {
    return false;
  }
}

/** What `npm start` did before the reader typed anything. */
async function transferOf(server: Server, a: Bank, b: Bank): Promise<void> {
  const answer = await new DtmClient(server.api).submit({
    gid: "made-by-npm-start",
    trans_type: "saga",
    wait_result: true,
    steps: [
      { action: `${a.url}/saga/debit`, compensate: `${a.url}/saga/debit-undo` },
      { action: `${b.url}/saga/credit`, compensate: `${b.url}/saga/credit-undo` },
    ],
    payloads: ['{"account":"alice","amount":3000}', '{"account":"bob","amount":3000}'],
  });
  expect(answer.status).toBe(200);
}
