/** A Prisma schema as the tables that it describes, so that a test can compare them with what migrations made. */
import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";

const SERVER = join(__dirname, "../..");

export interface Column {
  readonly name: string;
  /** As the database writes it. */
  readonly type: string;
  readonly required: boolean;
  readonly key: boolean;
  /** Its default as the database writes it, null without one. */
  readonly standard: string | null;
}

export interface Table {
  /** By name. */
  readonly columns: readonly Column[];
  /** `name: columns`, "unique" in front where it is; sorted. */
  readonly indexes: readonly string[];
}

/** A column as the schema says it. */
export interface Described {
  readonly type: string;
  /** `VarChar(128)` of `@db.VarChar(128)`, else null. */
  readonly native: string | null;
  /** What stands in `@default()`: a quoted text, a number, a call; else null. */
  readonly standard: string | null;
  /** Whether it is the model's id. */
  readonly key: boolean;
}

/** How a database writes what the schema says. */
export type InDatabase = (column: Described) => { readonly type: string; readonly standard: string | null };

export type Tables = Readonly<Record<string, Table>>;

export function describedTables(database: "sqlite" | "mysql" | "postgres", inDatabase: InDatabase): Tables {
  const schema = readFileSync(schemaFile(database), "utf8");
  const models = [...schema.matchAll(/^model \w+ \{\n([\s\S]*?)^\}/gm)].map(([, body = ""]): [string, Table] => {
    const lines = body.split("\n").map((line) => line.trim());
    const fields = lines.filter((line) => /^\w/.test(line)).map((line) => fieldOf(line, inDatabase));
    const single = fields.flatMap(({ unique, column }) => (unique === null ? [] : [`unique ${unique}: ${column.name}`]));
    const indexes = lines.flatMap((line) => indexOf(line, fields));
    const name = /@@map\("(.*)"\)/.exec(body)?.[1] ?? "";
    return [name, { columns: byName(fields.map(({ column }) => column)), indexes: [...indexes, ...single].sort() }];
  });
  return Object.fromEntries(models.sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** Prisma's own opinion of the file; rejects with it. */
export async function validateSchema(database: "mysql" | "postgres"): Promise<void> {
  const prisma = join(SERVER, "node_modules/prisma/build/index.js");
  // It would fetch an engine that validating doesn't need.
  const env = { ...process.env, PRISMA_SCHEMA_ENGINE_BINARY: "/bin/true" };
  await promisify(execFile)(process.execPath, [prisma, "validate", "--schema", schemaFile(database)], { cwd: SERVER, env });
}

export function byName(columns: readonly Column[]): Column[] {
  return [...columns].sort((a, b) => (a.name < b.name ? -1 : 1));
}

interface Field {
  readonly field: string;
  readonly column: Column;
  /** Its index's name. */
  readonly unique: string | null;
}

function fieldOf(line: string, inDatabase: InDatabase): Field {
  const [, field = "", type = "", optional] = /^(\w+)\s+(\w+)(\?)?/.exec(line) ?? [];
  const described = {
    type,
    native: /@db\.(\w+(?:\(\d+\))?)/.exec(line)?.[1] ?? null,
    standard: /@default\(("[^"]*"|\w+\(\)|[^)]*)\)/.exec(line)?.[1] ?? null,
    key: /@id\b/.test(line),
  };
  const column = {
    name: /[^@]@map\("(.*?)"\)/.exec(line)?.[1] ?? field,
    ...inDatabase(described),
    required: optional === undefined,
    key: described.key,
  };
  return { field, column, unique: /@unique\(map: "(.*?)"\)/.exec(line)?.[1] ?? null };
}

function indexOf(line: string, fields: readonly Field[]): string[] {
  const [, unique, list, name] = /^@@(unique|index)\(\[(.*)\], map: "(.*)"\)/.exec(line) ?? [];
  if (list === undefined) return [];
  const columns = list.split(",").map((entry) => {
    const [, field, length] = /^(\w+)(?:\(length: (\d+)\))?$/.exec(entry.trim()) ?? [];
    const column = fields.find((each) => each.field === field)?.column.name ?? "";
    return length === undefined ? column : `${column}(${length})`;
  });
  return [`${unique === "unique" ? "unique " : ""}${name}: ${columns.join(", ")}`];
}

function schemaFile(database: string): string {
  return join(SERVER, "prisma", `${database}.prisma`);
}
