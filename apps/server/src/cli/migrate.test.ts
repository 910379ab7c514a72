/** What `dtm migrate` says, and whether it ends well; what the stores do is tested beside them. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { loadConfig } from "../config/load.js";
import { StartError } from "../service.js";
import { titleOf } from "../stores/migrate.js";
import { MIGRATIONS } from "../stores/sqlite/migrations/index.js";
import { migrateStore } from "./migrate.js";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "dtm-migrate-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

async function migrate(env: Readonly<Record<string, string>>, options: { check: boolean }): Promise<[boolean, string[]]> {
  const lines: string[] = [];
  const { config } = loadConfig({ env: { DATA_DIR: join(folder, "data"), ...env } });
  const say = (line: string): void => void lines.push(line);
  const well = await migrateStore(config, { ...options, say, progress: say, pause: async () => undefined });
  return [well, lines];
}

test("what is pending, what was applied, and that all is up to date", async () => {
  const titles = MIGRATIONS.map(titleOf);
  expect(await migrate({}, { check: true })).toEqual([false, titles.map((title) => `pending: ${title}`)]);
  expect(await migrate({}, { check: false })).toEqual([true, titles.map((title) => `applied: ${title}`)]);
  expect(await migrate({}, { check: false })).toEqual([true, [`up to date: ${titles.at(-1)}`]]);
  expect(await migrate({}, { check: true })).toEqual([true, [`up to date: ${titles.at(-1)}; nobody writes`]]);
});

test.each([
  ["redis", { STORE_DRIVER: "redis", STORE_HOST: "127.0.0.1", STORE_PORT: "1" }],
  ["memory", { STORE_DRIVER: "memory" }],
])("%s needs no migration, and nobody is asked", async (driver, env) => {
  for (const check of [true, false])
    expect(await migrate(env, { check })).toEqual([true, [`${driver} needs no migration: it has no tables`]]);
});

test.each(["postgres", "mysql"])("%s that doesn't answer is one line that names the setting", async (driver) => {
  const env = { STORE_DRIVER: driver, STORE_HOST: "127.0.0.1", STORE_PORT: "1", STORE_USER: "u" };
  for (const check of [true, false]) {
    const failing = migrate(env, { check });
    await expect(failing).rejects.toBeInstanceOf(StartError);
    await expect(failing).rejects.toThrow(/answers at 127\.0\.0\.1:1: .*Store\.Host \(STORE_HOST\)/);
  }
});
