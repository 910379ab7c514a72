/** Two orders of lamps: one that can be paid, and one that can't, so that its lamps are put back. */
import "reflect-metadata";
import { barrier } from "@dtm/barrier/typeorm";
import { databaseUrl, story } from "@dtm/example-kit";
import { NestFactory } from "@nestjs/core";
import { DataSource } from "typeorm";
import { appModule } from "./app.module.js";
import { branchesAt } from "./branches.js";
import { Stock, Wallet } from "./entities.js";
import { Orders } from "./orders.js";

await story(
  { title: "A saga over two services: NestJS, TypeORM, MySQL or MariaDB", needs: ["DTM_TEST_MYSQL"] },
  async ({ client, say, freeUrl, atEnd }) => {
    const url = await freeUrl();
    const module = appModule({ client, branches: branchesAt(url.origin), databaseUrl: databaseUrl("DTM_TEST_MYSQL") });
    const app = await NestFactory.create(module, { logger: ["error", "warn"] });
    const database = app.get(DataSource);
    atEnd(() => database.destroy());
    atEnd(() => app.close());
    await barrier.createTable(database);
    await database.manager.save(Stock, { sku: "lamp", available: 10 });
    await database.manager.save(Wallet, { owner: "Ann", balance: 100 });
    await app.listen(Number(url.port), url.hostname);

    async function sayBalances(): Promise<void> {
      const stock = await database.manager.findOneByOrFail(Stock, { sku: "lamp" });
      const wallet = await database.manager.findOneByOrFail(Wallet, { owner: "Ann" });
      say(`  in stock ${stock.available}, Ann's money ${wallet.balance}`);
    }
    async function order(lamps: number): Promise<void> {
      say(`Ann orders ${lamps} lamps at 30: ${await app.get(Orders).place({ owner: "Ann", lamps })}`);
      await sayBalances();
    }

    await sayBalances();
    await order(2);
    await order(3);
  },
);
