/** The migrations make exactly what prisma/postgres.prisma describes; what dtm made ends as the same, with dtm's own index besides. */
import type pg from "pg";
import { POSTGRES_TABLES_OF_DTM } from "../../../test/kit/dtm-tables.js";
import {
  byName,
  type Column,
  describedTables,
  type InDatabase,
  type Tables,
  validateSchema,
} from "../../../test/kit/prisma-schema.js";
import { inPostgres, POSTGRES, postgresAddress, postgresDatabase } from "../../../test/kit/temporary-postgres.js";
import { withServer } from "../../../test/kit/with-server.js";
import { columnsMadeBy, nameOf } from "../relational/columns.js";
import { MIGRATIONS } from "./migrations/index.js";
import { postgresMigrator } from "./migrator.js";

const PLAIN: Readonly<Record<string, string>> = { Int: "integer", BigInt: "bigint", String: "text", Bytes: "bytea" };

const inPostgresWords: InDatabase = ({ type, native, standard }) => ({
  type:
    native === null
      ? (PLAIN[type] ?? type)
      : native.replace("VarChar", "character varying").replace(/^Timestamptz(\(\d\))$/, "timestamp$1 with time zone"),
  standard: standard === "autoincrement()" ? "nextval" : (standard?.replaceAll('"', "'") ?? null),
});

test("Prisma takes the file", async () => {
  await validateSchema("postgres");
});

test("what the migrations' own text says that they make is the schema's, but for the notes", () => {
  const { dtm_migration: _notes, ...others } = describedTables("postgres", inPostgresWords);
  const columns = Object.entries(others).flatMap(([table, described]) => described.columns.map(({ name }) => `${table}.${name}`));
  expect(columnsMadeBy(MIGRATIONS).map(nameOf).sort()).toEqual(columns.sort());
});

withServer(POSTGRES, () => {
  test("tables, columns, defaults and indexes are the schema's", async () => {
    expect(await migrated()).toEqual(describedTables("postgres", inPostgresWords));
  });

  test("on the tables that dtm made its index stays, and gids get one that finds them letter by letter", async () => {
    const { trans_global, ...others } = describedTables("postgres", inPostgresWords);
    const own = ["owner: owner", "trans_global_gid_prefix: gid"];
    expect(await migrated(POSTGRES_TABLES_OF_DTM)).toEqual({
      ...others,
      trans_global: { ...trans_global, indexes: [...(trans_global?.indexes ?? []), ...own].sort() },
    });
  });
});

async function migrated(before = ""): Promise<Tables> {
  const { name, drop } = await postgresDatabase();
  try {
    if (before !== "") await inPostgres((client) => client.query(before), name);
    await postgresMigrator(postgresAddress(name)).migrate();
    return await inPostgres(tablesOf, name);
  } finally {
    await drop();
  }
}

interface ColumnRow {
  readonly place: string;
  readonly name: string;
  readonly type: string;
  readonly required: boolean;
  readonly main: boolean;
  readonly standard: string | null;
}

const COLUMNS = `
  SELECT c.relname AS place, a.attname AS name, format_type(a.atttypid, a.atttypmod) AS type, a.attnotnull AS required,
    EXISTS (SELECT 1 FROM pg_index i WHERE i.indrelid = c.oid AND i.indisprimary AND a.attnum = ANY (i.indkey)) AS main,
    pg_get_expr(d.adbin, d.adrelid) AS standard
  FROM pg_class c
    JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
    LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
  WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r'`;

/** Indexes over some rows, or over an expression, are not Prisma's to know. */
const INDEXES = `
  SELECT t.relname AS place,
    (CASE WHEN i.indisunique THEN 'unique ' ELSE '' END) || x.relname || ': ' || string_agg(a.attname, ', ' ORDER BY k.place) AS words
  FROM pg_index i
    JOIN pg_class x ON x.oid = i.indexrelid
    JOIN pg_class t ON t.oid = i.indrelid
    CROSS JOIN unnest(i.indkey::int2[]) WITH ORDINALITY AS k(number, place)
    JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum = k.number
  WHERE t.relnamespace = 'public'::regnamespace AND NOT i.indisprimary AND i.indpred IS NULL AND i.indexprs IS NULL
  GROUP BY t.relname, x.relname, i.indisunique`;

async function tablesOf(client: pg.Client): Promise<Tables> {
  const { rows: columns } = await client.query<ColumnRow>(COLUMNS);
  const { rows: indexes } = await client.query<{ readonly place: string; readonly words: string }>(INDEXES);
  const names = [...new Set(columns.map(({ place }) => place))];
  return Object.fromEntries(
    names.map((table) => [
      table,
      {
        columns: byName(columns.filter(({ place }) => place === table).map(columnOf)),
        indexes: indexes
          .filter(({ place }) => place === table)
          .map(({ words }) => words)
          .sort(),
      },
    ]),
  );
}

function columnOf({ name, type, required, main, standard }: ColumnRow): Column {
  return {
    name,
    type,
    required,
    key: main,
    standard: standard?.startsWith("nextval(") === true ? "nextval" : (standard?.replace(/::[\w ]+$/, "") ?? null),
  };
}
