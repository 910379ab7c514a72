/** The bank says no, for good: HTTP 409, and the coordinator undoes the transaction (protocol.md 3.2). */
export class Refusal extends Error {
  override readonly name = "Refusal";
}
