/** Two orders of lamps: one that can be paid, and one that can't, so that its lamps are put back. */
import { barrier } from "@dtm/barrier/prisma";
import { databaseUrl, story } from "@dtm/example-kit";
import { PrismaPg } from "@prisma/adapter-pg";
import express from "express";
import { stockAt, walletAt } from "./branches.js";
import { PrismaClient } from "./generated/prisma/client.js";
import { serveStock } from "./stock.js";
import { serveWallet } from "./wallet.js";

await story(
  { title: "A saga over two services: Express, Prisma, PostgreSQL", needs: ["DTM_TEST_POSTGRES"] },
  async ({ client, say, serve, atEnd }) => {
    const prisma = new PrismaClient({
      adapter: new PrismaPg({ connectionString: databaseUrl("DTM_TEST_POSTGRES") }),
      // A call that waited too long is an error like any other: the coordinator calls again.
      transactionOptions: { maxWait: 10_000, timeout: 10_000 },
    });
    atEnd(() => prisma.$disconnect());
    await fillTables(prisma);

    const [stockService, walletService] = [express(), express()];
    const stock = stockAt(await serve(stockService));
    const wallet = walletAt(await serve(walletService));
    serveStock(stockService, prisma, stock);
    serveWallet(walletService, prisma, wallet);

    async function order(lamps: number): Promise<void> {
      const saga = client
        .saga()
        .step({ action: stock.take, compensate: stock.putBack, payload: { sku: "lamp", quantity: lamps } })
        .step({ action: wallet.pay, compensate: wallet.payBack, payload: { owner: "ann", amount: 30 * lamps } });
      await saga.submit();
      const { status } = await client.waitFor(saga.gid);
      say(`Ann orders ${lamps} lamps at 30: ${status}`);
      await sayBalances();
    }

    async function sayBalances(): Promise<void> {
      const { left } = await prisma.stock.findUniqueOrThrow({ where: { sku: "lamp" } });
      const { balance } = await prisma.wallet.findUniqueOrThrow({ where: { owner: "ann" } });
      say(`  in stock ${left}, Ann's money ${balance}`);
    }

    await sayBalances();
    await order(2);
    await order(3);
  },
);

/** Prisma's own migrations would do the same; here everything begins anew at every start. */
async function fillTables(prisma: PrismaClient): Promise<void> {
  await barrier.createTable(prisma);
  await prisma.$executeRaw`create table if not exists express_prisma_stock (sku text primary key, "left" integer not null)`;
  await prisma.$executeRaw`create table if not exists express_prisma_wallet (owner text primary key, balance integer not null)`;
  await prisma.stock.upsert({ where: { sku: "lamp" }, create: { sku: "lamp", left: 10 }, update: { left: 10 } });
  await prisma.wallet.upsert({ where: { owner: "ann" }, create: { owner: "ann", balance: 100 }, update: { balance: 100 } });
}
