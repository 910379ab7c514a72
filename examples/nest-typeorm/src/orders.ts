/** Orders: the transaction over both services. */
import { InjectDtm } from "@dtm/barrier/nest";
import type { HttpClient, TransactionState } from "@dtm/client";
import { Inject, Injectable } from "@nestjs/common";
import type { branchesAt } from "./branches.js";

export const BRANCHES = Symbol("branches");

export interface Order {
  readonly owner: string;
  readonly lamps: number;
}

@Injectable()
export class Orders {
  constructor(
    @InjectDtm() private readonly dtm: HttpClient,
    @Inject(BRANCHES) private readonly branches: ReturnType<typeof branchesAt>,
  ) {}

  async place({ owner, lamps }: Order): Promise<TransactionState["status"]> {
    const { stock, wallet } = this.branches;
    const saga = this.dtm
      .saga()
      .step({ action: stock.take, compensate: stock.putBack, payload: { sku: "lamp", quantity: lamps } })
      .step({ action: wallet.pay, compensate: wallet.payBack, payload: { owner, amount: 30 * lamps } });
    await saga.submit();
    return (await this.dtm.waitFor(saga.gid)).status;
  }
}
