/** Branch ids (protocol.md 6.1): the parent's id and a counter of two digits. */
import { DtmError } from "@dtm/protocol";

const MOST = 99;
const LONGEST_PARENT = 20;

export class BranchIds {
  readonly #parent: string;
  #last = 0;

  /** @param parent - The branch that opens nested ones; empty for those of the global transaction itself. */
  constructor(parent: string) {
    this.#parent = parent;
  }

  /** @throws DtmError OPTION_INVALID after 99 branches, or when the nesting is too deep. */
  next(): string {
    if (this.#parent.length >= LONGEST_PARENT) {
      throw new DtmError(
        "OPTION_INVALID",
        `a branch can be nested when its id is shorter than ${LONGEST_PARENT} characters, found "${this.#parent}"`,
      );
    }
    if (this.#last >= MOST) {
      const where = this.#parent === "" ? "the transaction" : `branch ${this.#parent}`;
      throw new DtmError("OPTION_INVALID", `${where} has ${MOST} branches already, and can't have more`);
    }
    this.#last += 1;
    return `${this.#parent}${String(this.#last).padStart(2, "0")}`;
  }
}
