/** The wallets: pay for an order. */
import { Failure } from "@dtm/barrier";
import { DtmBranch } from "@dtm/barrier/nest";
import { barrier } from "@dtm/barrier/typeorm";
import { Body, Controller, Inject, Post } from "@nestjs/common";
import { DataSource, MoreThanOrEqual } from "typeorm";
import type { Payment } from "./branches.js";
import { Wallet } from "./entities.js";

@Controller("wallet")
export class WalletController {
  constructor(@Inject(DataSource) private readonly database: DataSource) {}

  @Post("pay")
  @DtmBranch()
  async pay(@Body() { owner, amount }: Payment): Promise<void> {
    await this.database.transaction((manager) =>
      barrier.run(manager, async () => {
        const paid = await manager.decrement(Wallet, { owner, balance: MoreThanOrEqual(amount) }, "balance", amount);
        if (paid.affected === 0) throw new Failure(`${owner} has less than ${amount}`);
      }),
    );
  }

  @Post("pay-back")
  @DtmBranch()
  async payBack(@Body() { owner, amount }: Payment): Promise<void> {
    await this.database.transaction((manager) =>
      barrier.run(manager, () => manager.increment(Wallet, { owner }, "balance", amount)),
    );
  }
}
