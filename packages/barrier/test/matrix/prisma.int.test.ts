import { PrismaLibSql } from "@prisma/adapter-libsql";
import { PrismaMariaDb } from "@prisma/adapter-mariadb";
import { PrismaPg } from "@prisma/adapter-pg";
import { barrier, type PrismaTransactionLike } from "../../src/prisma.js";
import type { Database, Kind } from "../kit/databases.js";
import { prismaClient } from "../kit/prisma-client.js";
import type { Bed } from "./bed.js";
import { matrix } from "./matrix.js";

const PROVIDERS = { postgres: "postgresql", mysql: "mysql", sqlite: "sqlite" } as const;

const ADAPTERS: Readonly<Record<Kind, (database: Database) => object>> = {
  postgres: ({ host, port, user, password, name }) => new PrismaPg({ host, port, user, password, database: name, max: 8 }),
  mysql: ({ host, port, user, password, name }) =>
    new PrismaMariaDb({ host, port, user, password, database: name, connectionLimit: 8, acquireTimeout: 60_000 }),
  sqlite: ({ name }) => new PrismaLibSql({ url: `file:${name}` }),
};

function bed(on: Kind): Bed {
  return {
    name: `Prisma on ${on}`,
    on,
    async open(database) {
      const PrismaClient = await prismaClient(PROVIDERS[on]);
      const prisma = new PrismaClient({
        adapter: ADAPTERS[on](database),
        // Its defaults of 2 and 5 seconds are less than 64 transactions at once take on a slow machine.
        transactionOptions: { maxWait: 60_000, timeout: 60_000 },
      });
      return {
        barrier,
        pool: prisma,
        db: prisma,
        transaction: (work) => prisma.$transaction(async (tx) => await work(tx)),
        exec: (tx, sql) => (tx as PrismaTransactionLike).$executeRawUnsafe(sql),
        idle: null,
        close: () => prisma.$disconnect(),
      };
    },
  };
}

matrix(bed("postgres"));
matrix(bed("mysql"));
matrix(bed("sqlite"));
