/** The stock: takes goods for an order, and puts them back when the order comes to nothing. */
import { Failure } from "@dtm/barrier";
import { branchHandler } from "@dtm/barrier/express";
import { barrier } from "@dtm/barrier/prisma";
import express, { type Express } from "express";
import type { stockAt } from "./branches.js";
import type { PrismaClient } from "./generated/prisma/client.js";

export function serveStock(app: Express, prisma: PrismaClient, { take, putBack }: ReturnType<typeof stockAt>): void {
  app.use(express.json());

  app.post(
    "/take",
    branchHandler(take, async ({ sku, quantity }) => {
      await prisma.$transaction((tx) =>
        barrier.run(tx, async () => {
          const taken = await tx.stock.updateMany({
            where: { sku, left: { gte: quantity } },
            data: { left: { decrement: quantity } },
          });
          // For good: the order is undone. Any other error is asked again.
          if (taken.count === 0) throw new Failure(`there are less than ${quantity} of ${sku}`);
        }),
      );
    }),
  );

  app.post(
    "/put-back",
    branchHandler(putBack, async ({ sku, quantity }) => {
      await prisma.$transaction((tx) =>
        // Skipped when nothing was taken, or when it was put back before.
        barrier.run(tx, () => tx.stock.update({ where: { sku }, data: { left: { increment: quantity } } })),
      );
    }),
  );
}
