import type { Database, StoredRow } from "../database.js";
import { PAYLOAD_AT } from "../rows.js";
import type { BranchRows, LoadedRows, Packer, Row, Value } from "../wire.js";
import { branchesOf } from "./read-branches.js";
import { globalByGid, globalById, globalsByOwner } from "./read-global.js";

/** A transaction with its branches, ready to cross the thread. */
export function loadByGid(db: Database, gid: string, packer: Packer): LoadedRows[] {
  const global = globalByGid(db, gid);
  return global === undefined ? [] : [withBranches(db, global, packer)];
}

export function loadByIds(db: Database, ids: readonly number[], packer: Packer): LoadedRows[] {
  return ids.flatMap((id) => {
    const global = globalById(db, id);
    return global === undefined ? [] : [withBranches(db, global, packer)];
  });
}

export function loadByOwner(db: Database, owner: string, packer: Packer): LoadedRows[] {
  return globalsByOwner(db, owner).map((global) => withBranches(db, global, packer));
}

function withBranches(db: Database, global: StoredRow, packer: Packer): LoadedRows {
  return { global: plain(global), branches: packBranches(branchesOf(db, String(global[1])), packer) };
}

function packBranches(stored: readonly StoredRow[], packer: Packer): BranchRows {
  const payloads: Uint8Array[] = [];
  const rows = stored.map((row) => {
    const payload = row[PAYLOAD_AT + 1];
    const bytes = payload instanceof Uint8Array ? payload : EMPTY;
    payloads.push(bytes);
    return [...plain(row.slice(0, PAYLOAD_AT + 1)), bytes.length];
  });
  return { from: packer.add(payloads), rows };
}

const EMPTY = new Uint8Array(0);

/** A text column that somebody filled with bytes reads as absent. */
export function plain(row: StoredRow): Row {
  return row.map((value): Value => (value instanceof Uint8Array ? null : value));
}
