/** The wallets: pay for an order. */
import { Failure } from "@dtm/barrier";
import { branchHandler } from "@dtm/barrier/express";
import { barrier } from "@dtm/barrier/prisma";
import express, { type Express } from "express";
import type { walletAt } from "./branches.js";
import type { PrismaClient } from "./generated/prisma/client.js";

export function serveWallet(app: Express, prisma: PrismaClient, { pay, payBack }: ReturnType<typeof walletAt>): void {
  app.use(express.json());

  app.post(
    "/pay",
    branchHandler(pay, async ({ owner, amount }) => {
      await prisma.$transaction((tx) =>
        barrier.run(tx, async () => {
          const paid = await tx.wallet.updateMany({
            where: { owner, balance: { gte: amount } },
            data: { balance: { decrement: amount } },
          });
          if (paid.count === 0) throw new Failure(`${owner} has less than ${amount}`);
        }),
      );
    }),
  );

  app.post(
    "/pay-back",
    branchHandler(payBack, async ({ owner, amount }) => {
      await prisma.$transaction((tx) =>
        barrier.run(tx, () => tx.wallet.update({ where: { owner }, data: { balance: { increment: amount } } })),
      );
    }),
  );
}
