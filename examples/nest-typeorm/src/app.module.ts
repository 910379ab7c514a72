import { DtmModule } from "@dtm/barrier/nest";
import type { HttpClient } from "@dtm/client";
import { type DynamicModule, Module } from "@nestjs/common";
import { DataSource } from "typeorm";
import type { branchesAt } from "./branches.js";
import { Stock, Wallet } from "./entities.js";
import { BRANCHES, Orders } from "./orders.js";
import { StockController } from "./stock.controller.js";
import { WalletController } from "./wallet.controller.js";

interface AppOptions {
  readonly client: HttpClient;
  readonly branches: ReturnType<typeof branchesAt>;
  readonly databaseUrl: string;
}

@Module({ controllers: [StockController, WalletController], providers: [Orders] })
export class AppModule {}

/** The application, with what only its start knows. */
export function appModule({ client, branches, databaseUrl }: AppOptions): DynamicModule {
  const database = {
    provide: DataSource,
    useFactory: () =>
      new DataSource({ type: "mysql", url: databaseUrl, entities: [Stock, Wallet], synchronize: true }).initialize(),
  };
  return {
    module: AppModule,
    imports: [DtmModule.forRoot({ client })],
    providers: [database, { provide: BRANCHES, useValue: branches }],
  };
}
