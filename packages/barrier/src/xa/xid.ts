/** The name of a local XA transaction: `<gid>-<branch_id>`, as dtm's SDKs make it (protocol.md 6.5). */
import { type Branch, DtmError } from "@dtm/protocol";
import { refuseSpaceAtEnd } from "../barrier.js";

/** The name of a branch's local XA transaction, and what it is made of. */
export interface Xid {
  readonly text: string;
  readonly gid: string;
  readonly branchId: string;
}

/** How long a database lets the name of an XA transaction be. */
export interface XidLimit {
  /** Of the database, in bytes. */
  readonly maxXidBytes: number;
  /** The database's name, for messages. */
  readonly title: string;
}

/**
 * @throws DtmError XID_TOO_LONG, or BRANCH_INVALID for a character that a database doesn't take, or doesn't see: before anything has been done.
 */
export function xidOf(branch: Pick<Branch, "gid" | "branchId">, { maxXidBytes, title }: XidLimit): Xid {
  const { gid, branchId } = branch;
  const text = `${gid}-${branchId}`;
  const bytes = Buffer.byteLength(text);
  if (bytes > maxXidBytes) {
    throw new DtmError(
      "XID_TOO_LONG",
      `expected gid and branch id with a dash between them to have at most ${maxXidBytes} bytes, ${title}'s limit for XA ids; found ${bytes}`,
    );
  }
  refuseSpaceAtEnd(branch);
  if (text.includes("\0")) throw new DtmError("BRANCH_INVALID", "expected a gid and a branch id without NUL characters");
  return { text, gid, branchId };
}

/** Branch ids are pairs of digits, so the gid ends at the last dash; null for what isn't of this form, which is somebody else's. */
export function parseXid(text: string): Xid | null {
  const [, gid, branchId] = /^(.+)-((?:\d\d)+)$/s.exec(text) ?? [];
  return gid === undefined || branchId === undefined ? null : { text, gid, branchId };
}
