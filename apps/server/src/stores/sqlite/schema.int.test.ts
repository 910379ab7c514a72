/** The migrations make exactly what the Prisma schema says, and Prisma reads back what it writes through every model. */
import { execFile } from "node:child_process";
import { rmSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { promisify } from "node:util";
import { byName, describedTables, type InDatabase, type Table, type Tables } from "../../../test/kit/prisma-schema.js";
import { temporaryFolder } from "../../../test/kit/temporary-sqlite.js";
import { NOW } from "../contract/fixtures.js";
import { migrate } from "../migrate.js";
import { columnsMadeBy, nameOf } from "../relational/columns.js";
import { Database } from "./database.js";
import { migrationTarget } from "./migration-target.js";
import { MIGRATIONS } from "./migrations/index.js";
import { workerFile } from "./worker-file.js";

/** Prisma's types as SQLite columns. */
const COLUMN_TYPES: Readonly<Record<string, string>> = {
  Int: "INTEGER",
  BigInt: "BIGINT",
  Float: "REAL",
  String: "TEXT",
  DateTime: "DATETIME",
  Bytes: "BLOB",
};

const inSqlite: InDatabase = ({ type, standard, key }) => ({
  // A key of this very type is the row's own number, of 64 bits.
  type: key && type === "BigInt" ? "INTEGER" : (COLUMN_TYPES[type] ?? type),
  standard: standard === null || standard === "autoincrement()" ? null : standard.replaceAll('"', "'"),
});

/** Opening a store on a busy machine; nothing is measured here. */
jest.setTimeout(120_000);

let folder: string;
let file: string;

beforeAll(async () => {
  folder = temporaryFolder();
  file = join(folder, "dtm.db");
  const db = new Database(file, { busyMs: 0 });
  await migrate(migrationTarget(db, NOW), MIGRATIONS);
  db.close();
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

test("tables, columns, defaults and indexes are the schema's", () => {
  expect(tablesOf(file)).toEqual(describedTables("sqlite", inSqlite));
});

test("what the migrations' own text says that they make is the schema's, but for the notes", () => {
  const { schema_migrations: _notes, ...others } = describedTables("sqlite", inSqlite);
  const columns = Object.entries(others).flatMap(([table, described]) => described.columns.map(({ name }) => `${table}.${name}`));
  expect(columnsMadeBy(MIGRATIONS).map(nameOf).sort()).toEqual(columns.sort());
});

test("every model round-trips through Prisma", async () => {
  const client = pathToFileURL(
    workerFile("reader").replace(/stores[\\/]sqlite[\\/]reader\.js$/, "generated/sqlite/client.js"),
  ).href;
  const script = `
    import assert from "node:assert/strict";
    import { PrismaLibSql } from "@prisma/adapter-libsql";
    import { PrismaClient } from ${JSON.stringify(client)};
    const adapter = new PrismaLibSql({ url: ${JSON.stringify(pathToFileURL(file).href)} }, { timestampFormat: "unixepoch-ms" });
    const prisma = new PrismaClient({ adapter });
    const at = new Date(${NOW} + 123), text = "ü'\\n😀";
    const times = { createTime: at, updateTime: at }, ends = { finishTime: at, rollbackTime: at };
    const rows = {
      transGlobal: { id: 5_000_000_000n, gid: text, transType: "saga", status: "submitted", queryPrepared: text, protocol: "http", ...times, ...ends,
        options: "{}", customData: text, nextCronInterval: 0.5, nextCronTime: at, owner: "o", extData: null, result: "r",
        rollbackReason: text, submitTime: at, attempts: 1, refusals: 2, wake: 3, waitingOn: "w" },
      transBranchOp: { id: 2, gid: text, url: "u", data: null, binData: new Uint8Array([0, 255, 1]), branchId: "01", op: "action",
        status: "prepared", ...ends, ...times },
      keyValue: { id: 3, cat: "c", key: "k", value: text, version: 9007199254740991n, ...times },
      lastBatch: { id: 1, token: "t", words: "[]" },
      schemaMigration: { version: 77, name: "n", checksum: "c", appliedAt: at },
    };
    for (const [model, data] of Object.entries(rows)) {
      const key = "id" in data ? { id: data.id } : { version: data.version };
      await prisma[model].create({ data });
      const found = await prisma[model].findUniqueOrThrow({ where: key });
      if (found.binData) found.binData = new Uint8Array(found.binData);
      assert.deepEqual(found, data, model);
    }
    const { createTime, nextCronTime } = (await prisma.$queryRawUnsafe("SELECT typeof(create_time) createTime, typeof(next_cron_time) nextCronTime FROM trans_global"))[0];
    assert.deepEqual([createTime, nextCronTime], ["integer", "integer"]);
    await prisma.$disconnect();
    process.stdout.write(Object.keys(rows).join(" "));`;
  const { stdout } = await promisify(execFile)(process.execPath, ["--input-type=module", "-e", script], {
    cwd: join(__dirname, "../../.."),
  });
  expect(stdout.split(" ")).toHaveLength(Object.keys(describedTables("sqlite", inSqlite)).length);
});

/** Partial indexes are not Prisma's to know. */
function tablesOf(path: string): Tables {
  const db = new Database(path, { busyMs: 0 });
  const names = db.all("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY name", []);
  const tables = names.map(([name]): [string, Table] => {
    const columns = db
      .all(`SELECT name, type, "notnull", pk, dflt_value FROM pragma_table_info('${String(name)}')`, [])
      .map(([column, type, required, key, standard]) => ({
        name: String(column),
        type: String(type),
        required: required === 1,
        key: key === 1,
        standard: standard === null ? null : String(standard),
      }));
    const indexes = db
      .all(`SELECT name, "unique" FROM pragma_index_list('${String(name)}') WHERE partial = 0 AND origin = 'c'`, [])
      .map(([index, unique]) => {
        const over = db
          .all(`SELECT name FROM pragma_index_info('${String(index)}') ORDER BY seqno`, [])
          .map(([column]) => column);
        return `${unique === 1 ? "unique " : ""}${String(index)}: ${over.join(", ")}`;
      });
    return [String(name), { columns: byName(columns), indexes: indexes.sort() }];
  });
  db.close();
  return Object.fromEntries(tables);
}
