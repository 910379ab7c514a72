/** The branch that nested ones are opened in, when the caller names it. */
import { DtmError } from "@dtm/protocol";
import { describe } from "./address.js";
import type { ParentBranch } from "./global.js";

/**
 * From JavaScript anything may come. Without a gid or an id of its own, its nested branches would get the ids of others.
 *
 * @throws DtmError BRANCH_INVALID, naming the part.
 */
export function checkParent(parent: ParentBranch | undefined): ParentBranch | undefined {
  if (parent === undefined || parent === null) return undefined;
  for (const part of ["transType", "gid", "branchId"] as const) {
    const value: unknown = parent[part];
    if (typeof value !== "string" || value === "") throw invalid(part, "a text that isn't empty", value);
  }
  const coordinator: unknown = parent.coordinator;
  if (coordinator !== undefined && typeof coordinator !== "string")
    throw invalid("coordinator", "the address that the branch call named", coordinator);
  return parent;
}

function invalid(part: keyof ParentBranch, expected: string, found: unknown): DtmError {
  return new DtmError("BRANCH_INVALID", `parent: ${part}: expected ${expected}, found ${describe(found)}`);
}
