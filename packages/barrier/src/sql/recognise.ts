/**
 * Whose object this is: known by its shape, since no driver is imported. It serves two purposes: a pool where a transaction is
 * needed is refused before any statement, and the message can name what was found.
 */
import { DtmError } from "@dtm/protocol";
import { isRecord } from "./statement.js";

export type DriverName =
  | "pg"
  | "mysql2"
  | "mariadb"
  | "libsql"
  | "prisma"
  | "typeorm"
  | "drizzle"
  | "knex"
  | "kysely"
  | "sequelize";

/** `connection`: one session, which may or may not have an open transaction. `pool`: whatever takes a session for each statement. */
export type Role = "transaction" | "connection" | "pool";

export interface Found {
  readonly driver: DriverName;
  readonly role: Role;
  /** For messages: "a Pool of pg". */
  readonly name: string;
}

/** What a transaction of each driver is, for messages. */
const WANTED: Readonly<Record<DriverName, string>> = {
  pg: "a pg Client on which BEGIN has run (of a Pool: the client that pool.connect() gave)",
  mysql2: "a mysql2 connection after beginTransaction() (of a pool: the connection that pool.getConnection() gave)",
  mariadb: "a mariadb connection after beginTransaction() (of a pool: the connection that pool.getConnection() gave)",
  libsql: "a libsql or better-sqlite3 Database inside db.transaction(…)",
  prisma: "the tx of prisma.$transaction(async (tx) => …)",
  typeorm: "the manager of dataSource.transaction(async (manager) => …), or a QueryRunner after startTransaction()",
  drizzle: "the tx of db.transaction(async (tx) => …)",
  knex: "the trx of knex.transaction(async (trx) => …)",
  kysely: "the trx of db.transaction().execute(async (trx) => …)",
  sequelize: "the transaction of sequelize.transaction(async (transaction) => …)",
};

/** From the most telling shape to the least: ORMs that wrap a driver's own object come before it. */
const SHAPES: readonly ((value: Shape) => Found | null)[] = [
  prisma,
  drizzle,
  knex,
  kysely,
  sequelize,
  typeorm,
  libsql,
  mariadb,
  mysql2,
  pg,
];

/** Whose object it is; null when nobody's that is known. */
export function recognise(value: unknown): Found | null {
  if ((typeof value !== "object" && typeof value !== "function") || value === null) return null;
  const known = KNOWN.get(value) ?? KNOWN.get(Object.getPrototypeOf(value));
  if (known !== undefined) return known;
  const found = byShape(value);
  if (found !== null) KNOWN.set(lasting(value, found), found);
  return found;
}

/** A connection is looked at for every transaction on it, and what it is doesn't change. */
const KNOWN = new WeakMap<object, Found>();

/** mysql2/promise makes another object around its connection for everybody who takes it out of the pool: their class is what stays. */
function lasting(value: object, { driver, role }: Found): object {
  const proto: unknown = Object.getPrototypeOf(value);
  const tells = driver === "mysql2" && isRecord(proto) && mysql2(new Shape(proto))?.role === role;
  return tells ? proto : value;
}

function byShape(value: object): Found | null {
  const shape = new Shape(value);
  for (const is of SHAPES) {
    const found = is(shape);
    if (found !== null) return found;
  }
  return null;
}

/** @throws DtmError WRONG_DRIVER unless `value` is `driver`'s. */
export function ofDriver(driver: DriverName, value: unknown): Found {
  const found = recognise(value);
  if (found?.driver === driver) return found;
  const other = found === null ? "" : `: import { barrier } from "@dtm/barrier/${found.driver}"`;
  throw new DtmError("WRONG_DRIVER", `expected ${WANTED[driver]}, found ${found?.name ?? describe(value)}${other}`);
}

/** The refusal of something that isn't a transaction. */
export function notATransaction(found: Found): DtmError {
  return new DtmError("NOT_A_TRANSACTION", `expected ${WANTED[found.driver]}, found ${found.name}`);
}

/** @throws DtmError WRONG_DRIVER unless `value` is `driver`'s, NOT_A_POOL unless it is a pool. */
export function poolOf(driver: DriverName, value: unknown): void {
  const found = ofDriver(driver, value);
  if (found.role === "pool") return;
  throw new DtmError(
    "NOT_A_POOL",
    `expected a pool of ${driver}, found ${found.name}: barrier.transaction takes a connection out of a pool and begins by itself; ` +
      "in a transaction of your own use barrier.run",
  );
}

/** The refusal of a transaction that was committed or rolled back. */
export function notOpenAnyMore(found: Found): DtmError {
  return new DtmError("NOT_A_TRANSACTION", `expected ${WANTED[found.driver]}, found ${found.name} that has ended`);
}

function describe(value: unknown): string {
  if (typeof value === "function") return "a function";
  if (!isRecord(value)) return String(value);
  const name: unknown = value.constructor?.name;
  return typeof name === "string" && name !== "Object" ? `an object of class ${name}` : "an object of no known driver";
}

/** Looks at members without running more than their getters. */
class Shape {
  constructor(private readonly target: object) {}

  get(name: string): unknown {
    return Reflect.get(this.target, name);
  }

  /** Has all these methods. */
  can(...names: readonly string[]): boolean {
    return names.every((name) => typeof this.get(name) === "function");
  }

  has(name: string): boolean {
    return name in this.target;
  }

  inside(name: string): Shape | null {
    const value = this.get(name);
    return (typeof value === "object" || typeof value === "function") && value !== null ? new Shape(value) : null;
  }

  isFunction(): boolean {
    return typeof this.target === "function";
  }

  className(): string {
    const name: unknown = this.target.constructor?.name;
    return typeof name === "string" ? name : "";
  }

  /** The names that Drizzle gives its classes, which stay the same under minification and across copies of the package. */
  drizzleKinds(): readonly string[] {
    const kinds: string[] = [];
    for (let proto: unknown = Object.getPrototypeOf(this.target); isRecord(proto); proto = Object.getPrototypeOf(proto)) {
      const kind: unknown = Reflect.get(proto.constructor, Symbol.for("drizzle:entityKind"));
      if (typeof kind === "string") kinds.push(kind);
    }
    return kinds;
  }
}

function prisma(value: Shape): Found | null {
  if (!value.can("$queryRawUnsafe", "$executeRawUnsafe")) return null;
  // Inside an interactive transaction the client has lost the methods that concern its connections.
  return value.can("$connect")
    ? { driver: "prisma", role: "pool", name: "a PrismaClient outside a transaction" }
    : { driver: "prisma", role: "transaction", name: "an interactive transaction of Prisma" };
}

function drizzle(value: Shape): Found | null {
  const kinds = value.drizzleKinds();
  if (kinds.length === 0 || !value.has("session")) return null;
  return kinds.some((kind) => kind.endsWith("Transaction"))
    ? { driver: "drizzle", role: "transaction", name: "a transaction of Drizzle" }
    : { driver: "drizzle", role: "pool", name: "a Drizzle database outside a transaction" };
}

function knex(value: Shape): Found | null {
  if (!value.isFunction() || !value.can("raw", "transaction") || !value.has("client")) return null;
  return value.get("isTransaction") === true
    ? { driver: "knex", role: "transaction", name: "a transaction of Knex" }
    : { driver: "knex", role: "pool", name: "a Knex instance outside a transaction" };
}

function kysely(value: Shape): Found | null {
  if (typeof value.get("isTransaction") !== "boolean" || !value.can("getExecutor", "selectFrom")) return null;
  return value.get("isTransaction") === true
    ? { driver: "kysely", role: "transaction", name: "a transaction of Kysely" }
    : { driver: "kysely", role: "pool", name: "a Kysely instance outside a transaction" };
}

function sequelize(value: Shape): Found | null {
  if (value.can("commit", "rollback") && value.inside("sequelize")?.can("query", "authenticate")) {
    return { driver: "sequelize", role: "transaction", name: "a transaction of Sequelize" };
  }
  return value.can("query", "authenticate", "getDialect")
    ? { driver: "sequelize", role: "pool", name: "a Sequelize instance" }
    : null;
}

function typeorm(value: Shape): Found | null {
  if (value.can("createQueryRunner", "transaction") && value.has("manager")) {
    return { driver: "typeorm", role: "pool", name: "a DataSource of TypeORM" };
  }
  if (value.can("startTransaction", "query", "release") && typeof value.get("isTransactionActive") === "boolean") {
    return { driver: "typeorm", role: "connection", name: "a QueryRunner of TypeORM" };
  }
  if (!value.can("getRepository", "query", "transaction")) return null;
  return value.inside("queryRunner") === null
    ? { driver: "typeorm", role: "pool", name: "an EntityManager of TypeORM outside a transaction" }
    : { driver: "typeorm", role: "connection", name: "an EntityManager of TypeORM" };
}

function libsql(value: Shape): Found | null {
  if (!value.can("prepare", "exec", "transaction", "pragma") || typeof value.get("inTransaction") !== "boolean") return null;
  return { driver: "libsql", role: "connection", name: "a libsql or better-sqlite3 Database" };
}

function mariadb(value: Shape): Found | null {
  if (!value.can("query", "batch", "importFile")) return null;
  if (value.can("getConnection")) return { driver: "mariadb", role: "pool", name: "a pool of mariadb" };
  return value.can("beginTransaction", "queryStream")
    ? { driver: "mariadb", role: "connection", name: "a connection of mariadb" }
    : null;
}

function mysql2(value: Shape): Found | null {
  if (!value.can("query", "execute", "format")) return null;
  if (value.can("getConnection")) return { driver: "mysql2", role: "pool", name: "a pool of mysql2" };
  return value.can("beginTransaction", "changeUser")
    ? { driver: "mysql2", role: "connection", name: "a connection of mysql2" }
    : null;
}

function pg(value: Shape): Found | null {
  if (!value.can("query", "connect")) return null;
  if (typeof value.get("totalCount") === "number") return { driver: "pg", role: "pool", name: "a Pool of pg" };
  return value.can("escapeIdentifier") ? { driver: "pg", role: "connection", name: "a Client of pg" } : null;
}
