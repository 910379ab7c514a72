/** The stock: takes goods for an order, and puts them back when the order comes to nothing. */
import { Failure } from "@dtm/barrier";
import { DtmBranch } from "@dtm/barrier/nest";
import { barrier } from "@dtm/barrier/typeorm";
import { Body, Controller, Inject, Post } from "@nestjs/common";
import { DataSource, MoreThanOrEqual } from "typeorm";
import type { Goods } from "./branches.js";
import { Stock } from "./entities.js";

@Controller("stock")
export class StockController {
  constructor(@Inject(DataSource) private readonly database: DataSource) {}

  @Post("take")
  @DtmBranch()
  async take(@Body() { sku, quantity }: Goods): Promise<void> {
    await this.database.transaction((manager) =>
      barrier.run(manager, async () => {
        const taken = await manager.decrement(Stock, { sku, available: MoreThanOrEqual(quantity) }, "available", quantity);
        // For good: the order is undone. Any other error is asked again.
        if (taken.affected === 0) throw new Failure(`there are less than ${quantity} of ${sku}`);
      }),
    );
  }

  @Post("put-back")
  @DtmBranch()
  async putBack(@Body() { sku, quantity }: Goods): Promise<void> {
    await this.database.transaction((manager) =>
      // Skipped when nothing was taken, or when it was put back before.
      barrier.run(manager, () => manager.increment(Stock, { sku }, "available", quantity)),
    );
  }
}
