/** The migrations make exactly what prisma/mysql.prisma describes; what dtm made ends as the same, but for what stays dtm's (R27). */
import type { Connection, RowDataPacket } from "mysql2/promise";
import { MYSQL_TABLES_OF_DTM } from "../../../test/kit/dtm-tables.js";
import {
  byName,
  type Column,
  describedTables,
  type InDatabase,
  type Tables,
  validateSchema,
} from "../../../test/kit/prisma-schema.js";
import { inMysql, MYSQL, mysqlAddress, mysqlDatabase } from "../../../test/kit/temporary-mysql.js";
import { withServer } from "../../../test/kit/with-server.js";
import { columnsMadeBy, nameOf } from "../relational/columns.js";
import { MIGRATIONS } from "./migrations/index.js";
import { mysqlMigrator } from "./migrator.js";

const PLAIN: Readonly<Record<string, string>> = { Int: "int", BigInt: "bigint" };

const inMysqlWords: InDatabase = ({ type, native, standard }) => ({
  type: native === null ? (PLAIN[type] ?? type) : native.toLowerCase().replace("datetime(0)", "datetime"),
  standard: standard === "autoincrement()" ? "auto_increment" : (standard?.replaceAll('"', "") ?? null),
});

test("Prisma takes the file", async () => {
  await validateSchema("mysql");
});

test("what the migrations' own text says that they make is the schema's, but for the notes", () => {
  const { dtm_migration: _notes, ...others } = describedTables("mysql", inMysqlWords);
  const columns = Object.entries(others).flatMap(([table, described]) => described.columns.map(({ name }) => `${table}.${name}`));
  expect(columnsMadeBy(MIGRATIONS).map(nameOf).sort()).toEqual(columns.sort());
});

withServer(MYSQL, () => {
  test("tables, columns, defaults and indexes are the schema's", async () => {
    expect(await migrated()).toEqual(describedTables("mysql", inMysqlWords));
  });

  test("on the tables that dtm made its index and its smaller payload column stay", async () => {
    const { trans_global, trans_branch_op, ...others } = describedTables("mysql", inMysqlWords);
    const found = await migrated(MYSQL_TABLES_OF_DTM);
    expect(found).toEqual({
      ...others,
      trans_global: { ...trans_global, indexes: [...(trans_global?.indexes ?? []), "owner: owner"].sort() },
      trans_branch_op: {
        ...trans_branch_op,
        columns: trans_branch_op?.columns.map((column) => (column.name === "bin_data" ? { ...column, type: "blob" } : column)),
      },
    });
  });
});

async function migrated(before = ""): Promise<Tables> {
  const { name, drop } = await mysqlDatabase();
  try {
    if (before !== "") await inMysql((connection) => connection.query(before), name);
    await mysqlMigrator(mysqlAddress(name)).migrate();
    return await inMysql(tablesOf, name);
  } finally {
    await drop();
  }
}

async function tablesOf(connection: Connection): Promise<Tables> {
  const [columns] = await connection.query<RowDataPacket[]>(`
    SELECT table_name AS place, column_name AS name, column_type AS type, is_nullable = 'NO' AS required, column_key = 'PRI' AS main,
      column_default AS standard, extra AS extra FROM information_schema.columns WHERE table_schema = database()`);
  const [indexes] = await connection.query<RowDataPacket[]>(`
    SELECT table_name AS place, concat(if(min(non_unique) = 0, 'unique ', ''), index_name, ': ',
      group_concat(if(sub_part IS NULL, column_name, concat(column_name, '(', sub_part, ')')) ORDER BY seq_in_index SEPARATOR ', ')) AS words
    FROM information_schema.statistics WHERE table_schema = database() AND index_name <> 'PRIMARY' GROUP BY table_name, index_name`);
  const names = [...new Set(columns.map((row) => String(row["place"])))];
  const at = (rows: readonly RowDataPacket[], table: string) => rows.filter((row) => row["place"] === table);
  return Object.fromEntries(
    names.map((table) => [
      table,
      {
        columns: byName(at(columns, table).map(columnOf)),
        indexes: at(indexes, table)
          .map((row) => String(row["words"]))
          .sort(),
      },
    ]),
  );
}

function columnOf(row: RowDataPacket): Column {
  return {
    name: String(row["name"]),
    // MariaDB says how wide it would print a number.
    type: String(row["type"]).replace(/^(bigint|int)\(\d+\)$/, "$1"),
    required: row["required"] === 1,
    key: row["main"] === 1,
    standard: row["extra"] === "auto_increment" ? "auto_increment" : defaultOf(row["standard"]),
  };
}

/** MariaDB writes an expression, MySQL the value. */
function defaultOf(standard: unknown): string | null {
  return typeof standard !== "string" || standard === "NULL" ? null : standard.replace(/^'(.*)'$/, "$1");
}
