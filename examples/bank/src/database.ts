import { mkdirSync } from "node:fs";
import { dirname } from "node:path";
import Database from "libsql";

export type { Database };

/** Ledger and barrier lie in one file, because a barrier only holds inside the transaction that moves the money. */
export function openDatabase(file: string): Database.Database {
  mkdirSync(dirname(file), { recursive: true });
  const database = new Database(file);
  database.exec(`
    pragma journal_mode = wal;
    pragma synchronous = full;
    pragma busy_timeout = 5000;
    create table if not exists account (
      id text primary key,
      balance integer not null,            -- cents
      held integer not null default 0,     -- cents that a tcc debit has tried and not yet confirmed
      incoming integer not null default 0, -- cents that a tcc credit has tried and not yet confirmed
      frozen integer not null default 0
    ) strict;
    create table if not exists barrier (
      trans_type text not null,
      gid text not null,
      branch_id text not null,
      op text not null,
      barrier_id text not null,
      reason text not null,
      create_time text not null default current_timestamp,
      primary key (gid, branch_id, op, barrier_id)
    ) strict;
  `);
  return database;
}
