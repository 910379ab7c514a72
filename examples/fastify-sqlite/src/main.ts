/** Two transfers between two banks: one that arrives, and one to an account that isn't there, so that the money comes back. */
import { barrier } from "@dtm/barrier/libsql";
import { story } from "@dtm/example-kit";
import Database from "libsql";
import { bank, bankAt } from "./bank.js";

await story({ title: "A saga over two services: Fastify and SQLite" }, async ({ client, say, freeUrl, atEnd }) => {
  async function open(owner: string, balance: number) {
    const db = new Database(":memory:");
    barrier.createTable(db);
    db.exec("create table account (id text primary key, balance integer not null)");
    db.prepare("insert into account values (?, ?)").run(owner, balance);
    const url = await freeUrl();
    const branches = bankAt(url.origin);
    const app = bank(db, branches);
    await app.listen({ host: url.hostname, port: Number(url.port) });
    atEnd(() => app.close());
    return { db, branches, owner };
  }
  const [north, south] = [await open("Ann", 100), await open("Ben", 50)];

  async function transfer(to: string): Promise<void> {
    const saga = client
      .saga()
      .step({ action: north.branches.debit, compensate: north.branches.debitUndo, payload: { account: "Ann", amount: 30 } })
      .step({ action: south.branches.credit, compensate: south.branches.creditUndo, payload: { account: to, amount: 30 } });
    await saga.submit();
    say(`Ann sends 30 to ${to}: ${(await client.waitFor(saga.gid)).status}`);
    sayBalances();
  }

  function sayBalances(): void {
    const texts = [north, south].map(({ db, owner }) => {
      const row = db.prepare("select balance from account").get() as { readonly balance: number };
      return `${owner} ${row.balance}`;
    });
    say(`  ${texts.join(", ")}`);
  }

  sayBalances();
  await transfer("Ben");
  await transfer("nobody");
});
