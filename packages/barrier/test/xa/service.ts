/** The service that crash.ts kills: `<driver> <address> <table> <gid> <amount>`. */
import { xa } from "../../src/xa.js";
import { type Driver, openDatabase } from "./beds.js";

const [driver = "", address = "", table = "", gid = "", amount = ""] = process.argv.slice(2);

async function main(): Promise<void> {
  const { database } = openDatabase(driver as Driver, address, table);
  const branch = { gid, branchId: "01", op: "action", transType: "xa", phase2Url: "http://127.0.0.1:1/xa" };
  // With 0 it leaves the account alone, which another one may hold.
  await xa.run(database, { register: async () => undefined, branch }, async (execute) => {
    if (amount !== "0") await execute(`update account set balance = balance + ${amount} where id = 1`);
  });
  process.stdout.write("prepared\n");
  // Lives until it is killed.
  setInterval(() => undefined, 60_000);
}

void main();
