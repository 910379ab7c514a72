import { requireDurablePrepare, xaMariadb, xaMysql2 } from "./mysql.js";
import { xaPostgres } from "./postgres.js";

test.each([
  ["10.11.19-MariaDB-0+deb12u1", true],
  ["5.5.5-10.5.2-MariaDB", true],
  ["10.5.1-MariaDB", false],
  ["5.5.5-10.4.30-MariaDB-log", false],
  ["11.0.2-MariaDB", true],
  ["8.0.36", true],
  ["5.7.7", true],
  ["5.7.6-log", false],
  ["5.6.51", false],
])("%s keeps what is prepared: %s", (version, keeps) => {
  const check = () => requireDurablePrepare(version);
  if (keeps) check();
  else expect(check).toThrow(expect.objectContaining({ code: "XA_UNSUPPORTED" }));
});

describe("a pool of another driver is refused", () => {
  const never = async () => {
    throw new Error("must not be called");
  };
  const pools = {
    pg: { connect: never, totalCount: 0 },
    mysql2: { getConnection: never },
    "mysql2 with callbacks": { getConnection: never, promise: () => undefined },
    mariadb: { getConnection: never, activeConnections: () => 0 },
    nothing: null,
  };
  const wrap = { pg: xaPostgres, mysql2: xaMysql2, mariadb: xaMariadb };
  for (const [driver, make] of Object.entries(wrap)) {
    for (const [name, pool] of Object.entries(pools)) {
      test(`${driver} given ${name}`, () => {
        const open = () => Reflect.apply(make, undefined, [pool]);
        if (driver === name) open();
        else expect(open).toThrow(expect.objectContaining({ code: "WRONG_DRIVER" }));
      });
    }
  }
});

test("PostgreSQL without prepared transactions is refused before phase 1", async () => {
  const said: string[] = [];
  const client = {
    async query(text: string) {
      said.push(text);
      return { command: "SHOW", rows: [{ max_prepared_transactions: "0" }], rowCount: 1 };
    },
    release: (error?: Error | boolean) => void said.push(`release ${String(error)}`),
    on: () => undefined,
    off: () => undefined,
  };
  const database = xaPostgres({ connect: async () => client, totalCount: 0 });
  await expect(database.open()).rejects.toEqual(expect.objectContaining({ code: "XA_UNSUPPORTED" }));
  expect(said).toEqual(["show max_prepared_transactions", "release true"]);
});
