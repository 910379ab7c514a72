/** The reads that nobody waits for in a hurry, typed by the Prisma schema. In the reader's thread only (rules.md R25). */
import { pathToFileURL } from "node:url";
import { PrismaLibSql } from "@prisma/adapter-libsql";
import type { GlobalStatus, Protocol, Transaction, TransactionType } from "../../engine/transaction.js";
import { PrismaClient } from "../../generated/sqlite/client.js";
import type { KeyValueModel } from "../../generated/sqlite/models/KeyValue.js";
import type { TransGlobalModel, TransGlobalWhereInput } from "../../generated/sqlite/models/TransGlobal.js";
import { optionsFromJson } from "../options.js";
import type { KeyValue, ListFilter, Page } from "../store.js";
import { prefixRange } from "./prefix.js";
import { isStorable } from "./text.js";

export interface PrismaReads {
  list(filter: ListFilter): Promise<Page>;
  scanKeys(page: {
    readonly cat: string;
    readonly position: string;
    readonly limit: number;
  }): Promise<{ readonly entries: readonly KeyValue[]; readonly nextPosition: string }>;
  close(): Promise<void>;
}

export function openPrismaReads(file: string): PrismaReads {
  const adapter = new PrismaLibSql({ url: pathToFileURL(file).href }, { timestampFormat: "unixepoch-ms" });
  const prisma = new PrismaClient({ adapter });
  return {
    async list(filter) {
      const before = position(filter.position ?? "");
      if (before === null || !isStorable(filter.gidPrefix ?? "")) return { transactions: [], nextPosition: "" };
      const rows = await prisma.transGlobal.findMany({
        where: { ...wanted(filter), ...(before === undefined ? {} : { id: { lt: BigInt(before) } }) },
        orderBy: { id: "desc" },
        take: filter.limit + 1,
      });
      const { page, nextPosition } = paged(rows, filter.limit);
      return { transactions: page.map(toTransaction), nextPosition };
    },

    async scanKeys({ cat, position: after, limit }) {
      const before = position(after);
      // Its ids are of 32 bits: there will never be as many topics.
      if (before === null) return { entries: [], nextPosition: "" };
      const rows = await prisma.keyValue.findMany({
        where: { ...(cat === "" ? {} : { cat }), ...(before === undefined ? {} : { id: { lt: Math.min(2 ** 31 - 1, before) } }) },
        orderBy: { id: "desc" },
        take: limit + 1,
      });
      const { page, nextPosition } = paged(rows, limit);
      return { entries: page.map(toKeyValue), nextPosition };
    },

    close: () => prisma.$disconnect(),
  };
}

function wanted(filter: ListFilter): TransGlobalWhereInput {
  const where: TransGlobalWhereInput = {};
  if (filter.status !== undefined) where.status = filter.status;
  if (filter.type !== undefined) where.transType = filter.type;
  if (filter.gidPrefix) {
    const { from, below } = prefixRange(filter.gidPrefix);
    where.gid = below === null ? { gte: from } : { gte: from, lt: below };
  }
  if (filter.createdFrom !== undefined || filter.createdTo !== undefined) {
    where.createTime = {
      ...(filter.createdFrom === undefined ? {} : { gte: date(filter.createdFrom) }),
      ...(filter.createdTo === undefined ? {} : { lte: date(filter.createdTo) }),
    };
  }
  return where;
}

const LATEST = 8.64e15;

/** Clients may ask for times that no Date can hold. */
function date(millis: number): Date {
  return new Date(Math.min(LATEST, Math.max(-LATEST, millis)));
}

/** Undefined: from the newest; null: it can't be one of ours, so nothing lies behind it. */
function position(text: string): number | undefined | null {
  if (text === "") return undefined;
  const id = Number(text);
  if (Number.isNaN(id)) return null;
  return Math.min(Number.MAX_SAFE_INTEGER, Math.max(-1, Math.ceil(id)));
}

/** One row more was read than asked for, so that the end is known. */
function paged<R extends { readonly id: number | bigint }>(
  rows: readonly R[],
  limit: number,
): { page: readonly R[]; nextPosition: string } {
  const page = rows.slice(0, limit);
  const last = page.at(-1);
  return { page, nextPosition: rows.length > limit && last !== undefined ? String(last.id) : "" };
}

function toTransaction(row: TransGlobalModel): Transaction {
  return {
    id: Number(row.id),
    gid: row.gid,
    type: row.transType as TransactionType,
    status: row.status as GlobalStatus,
    protocol: row.protocol as Protocol,
    queryPrepared: row.queryPrepared,
    options: optionsFromJson(row.options),
    customData: row.customData,
    createTime: row.createTime.getTime(),
    updateTime: row.updateTime.getTime(),
    submitTime: row.submitTime?.getTime() ?? null,
    finishTime: row.finishTime?.getTime() ?? null,
    rollbackTime: row.rollbackTime?.getTime() ?? null,
    nextCronInterval: row.nextCronInterval,
    nextCronTime: row.nextCronTime.getTime(),
    owner: row.owner,
    result: row.result,
    rollbackReason: row.rollbackReason,
    attempts: row.attempts,
    refusals: row.refusals,
    wake: row.wake,
    waitingOn: row.waitingOn,
  };
}

function toKeyValue(row: KeyValueModel): KeyValue {
  return {
    id: row.id,
    cat: row.cat,
    key: row.key,
    value: row.value,
    version: Number(row.version),
    createTime: row.createTime.getTime(),
    updateTime: row.updateTime.getTime(),
  };
}
