/** `node dist/main.js a` or `b`: one bank, its ledger in a file, its accounts opened at the first start. */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { bank } from "./bank.js";
import { openDatabase } from "./database.js";
import { farAway } from "./latency.js";
import { Ledger } from "./ledger.js";

const BANKS = {
  a: { portSetting: "BANK_A_PORT", port: 8081, accounts: [{ id: "alice", balance: 100_000, frozen: false }] },
  b: {
    portSetting: "BANK_B_PORT",
    port: 8082,
    accounts: [
      { id: "bob", balance: 50_000, frozen: false },
      { id: "carol", balance: 25_000, frozen: true },
    ],
  },
};

const name = process.argv[2];
if (name !== "a" && name !== "b") {
  console.error("say which bank: node dist/main.js a, or b");
  process.exit(1);
}
const { portSetting, port, accounts } = BANKS[name];
const database = openDatabase(join(process.env["BANK_DATA_DIR"] ?? "data/bank", `${name}.db`));
const ledger = new Ledger(database);
for (const account of accounts) ledger.open(account);

const latencyMs = Number(process.env["BANK_LATENCY_MS"] ?? 0);
const server = createServer(latencyMs > 0 ? farAway(bank(database), latencyMs) : bank(database));
server.once("error", (error) => {
  console.error(`bank ${name} can't listen, set ${portSetting}: ${error.message}`);
  process.exit(1);
});
server.listen(Number(process.env[portSetting] ?? port), "127.0.0.1", () => {
  console.log(`bank ${name} is listening on http://127.0.0.1:${(server.address() as AddressInfo).port}`);
});

// Longer than any client keeps an idle connection, so none meets one that is just being closed.
server.keepAliveTimeout = 120_000;

for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, stop);

function stop(): void {
  server.close(() => database.close());
  server.closeIdleConnections();
}
