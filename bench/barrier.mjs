/** What `barrier.run` costs: the same local transactions with and without it, in alternating slices on one pool. */
import { createRequire } from "node:module";
import { join } from "node:path";
import { progress, readOptions, runScript } from "./lib/cli.mjs";
import { ROOT } from "./lib/paths.mjs";
import { number, publish, table } from "./lib/report.mjs";
import { median, percentile } from "./lib/stats.mjs";

const ACCOUNTS = 10_000;
/** Of what the bare transaction does per second; design of the SDKs. */
const BAR = 0.15;

const options = readOptions("barrier.mjs", "Measures what barrier.run costs a local transaction, on PostgreSQL and MySQL.", {
  postgres: { initial: process.env["DTM_TEST_POSTGRES"] ?? "", about: "postgres://… (default: $DTM_TEST_POSTGRES)" },
  mysql: { initial: process.env["DTM_TEST_MYSQL"] ?? "", about: "mysql://… (default: $DTM_TEST_MYSQL)" },
  seconds: { initial: 5, about: "length of one slice" },
  rounds: { initial: 8, about: "slices of each" },
  warmup: { initial: 10, about: "seconds of both before the first slice" },
  concurrency: { initial: 32, about: "connections, each with one transaction at a time" },
});

// The drivers that the barrier is tested with.
const require = createRequire(join(ROOT, "packages/barrier/package.json"));
const random = () => Math.floor(Math.random() * ACCOUNTS);

/** Each: `begin`, the statements of a service (`small`: one update; `usual`: read, update, insert), `commit`. */
const DATABASES = {
  async postgres(url) {
    const pg = require("pg");
    const { barrier } = await import(join(ROOT, "packages/barrier/dist/pg.js"));
    const pool = new pg.Pool({ connectionString: url, max: options.concurrency });
    await barrier.createTable(pool);
    for (const statement of tables("bigint generated always as identity")) await pool.query(statement);
    await pool.query(`insert into bench_account select id, 0 from generate_series(0, ${ACCOUNTS - 1}) id`);
    return {
      barrier,
      connect: () => pool.connect(),
      query: (client, text, values) => client.query(text, values),
      balanceOf: ({ rows }) => rows[0].balance,
      texts: {
        read: "select balance from bench_account where id = $1",
        update: "update bench_account set balance = balance + $1 where id = $2",
        insert: "insert into bench_entry (account, amount, seen) values ($1, $2, $3)",
      },
      durability: async () => {
        const { rows } = await pool.query(
          "select current_setting('synchronous_commit') s, current_setting('fsync') f, version() v",
        );
        return `${rows[0].v.split(" on ")[0]}, synchronous_commit ${rows[0].s}, fsync ${rows[0].f}`;
      },
      close: () => pool.end(),
    };
  },
  async mysql(url) {
    const mysql = require("mysql2/promise");
    const { barrier } = await import(join(ROOT, "packages/barrier/dist/mysql2.js"));
    const pool = mysql.createPool({ uri: url, connectionLimit: options.concurrency });
    await barrier.createTable(pool);
    for (const statement of tables("bigint auto_increment")) await pool.query(statement);
    for (let first = 0; first < ACCOUNTS; first += 1_000) {
      await pool.query("insert into bench_account values ?", [Array.from({ length: 1_000 }, (_, at) => [first + at, 0])]);
    }
    return {
      barrier,
      connect: () => pool.getConnection(),
      query: (connection, text, values) => connection.query(text, values),
      balanceOf: ([rows]) => rows[0].balance,
      texts: {
        read: "select balance from bench_account where id = ?",
        update: "update bench_account set balance = balance + ? where id = ?",
        insert: "insert into bench_entry (account, amount, seen) values (?, ?, ?)",
      },
      durability: async () => {
        const [[row]] = await pool.query("select @@version v, @@innodb_flush_log_at_trx_commit f");
        return `${row.v}, innodb_flush_log_at_trx_commit ${row.f}`;
      },
      close: () => pool.end(),
    };
  },
};

function tables(key) {
  return [
    "drop table if exists bench_account",
    "drop table if exists bench_entry",
    "create table bench_account (id integer primary key, balance bigint not null)",
    `create table bench_entry (id ${key} primary key, account integer not null, amount integer not null, seen bigint not null)`,
  ];
}

const WORK = {
  small: ({ query, texts }, client) => query(client, texts.update, [1, random()]),
  async usual({ query, texts, balanceOf }, client) {
    const account = random();
    const balance = balanceOf(await query(client, texts.read, [account]));
    await query(client, texts.update, [1, account]);
    await query(client, texts.insert, [account, 1, balance]);
  },
};

let calls = 0;
const run = `${Date.now()}`;
const WAYS = {
  bare: (database, client, work) => work(database, client),
  barrier: (database, client, work) =>
    database.barrier.run(client, () => work(database, client), {
      branch: { gid: `bench-${run}-${++calls}`, transType: "saga", branchId: "01", op: "action" },
    }),
};

/** Closed loop: every connection works for `ms`. */
async function slice(database, clients, way, work, ms) {
  const took = [];
  const begun = performance.now();
  const until = begun + ms;
  await Promise.all(
    clients.map(async (client) => {
      while (performance.now() < until) {
        const start = performance.now();
        await database.query(client, "begin");
        await WAYS[way](database, client, WORK[work]);
        await database.query(client, "commit");
        took.push(performance.now() - start);
      }
    }),
  );
  return {
    perSecond: (took.length * 1000) / (performance.now() - begun),
    p50: percentile(took, 0.5),
    p99: percentile(took, 0.99),
  };
}

async function measure(name, url, closing) {
  const database = await DATABASES[name](url);
  // Before every connection of the pool is taken.
  const durability = `- ${name}: ${await database.durability()}`;
  const clients = await Promise.all(Array.from({ length: options.concurrency }, () => database.connect()));
  closing.push(async () => {
    for (const client of clients) client.release();
    await database.close();
  });
  const rows = [];
  for (const work of Object.keys(WORK)) {
    for (const way of Object.keys(WAYS)) await slice(database, clients, way, work, options.warmup * 500);
    const seen = { bare: [], barrier: [] };
    for (let round = 1; round <= options.rounds; round++) {
      // Who goes first changes: what a slice leaves behind falls on both.
      for (const way of round % 2 === 1 ? ["bare", "barrier"] : ["barrier", "bare"]) {
        seen[way].push(await slice(database, clients, way, work, options.seconds * 1_000));
      }
      progress(
        `${name} ${work} ${round}/${options.rounds}: ${Object.keys(WAYS)
          .map((way) => `${way} ${number(seen[way].at(-1).perSecond)}/s`)
          .join(", ")}`,
      );
    }
    const of = (way, key) => median(seen[way].map((one) => one[key]));
    const cost = median(seen.bare.map(({ perSecond }, at) => 1 - seen.barrier[at].perSecond / perSecond));
    rows.push([
      `${name}, ${work}`,
      ...["perSecond", "p50", "p99"].flatMap((key) => Object.keys(WAYS).map((way) => number(of(way, key)))),
      `${number(cost * 100, 2)} %`,
      cost <= BAR ? "reached" : "MISSED",
    ]);
  }
  return { rows, durability };
}

await runScript(async (closing) => {
  const ends = [];
  for (const name of Object.keys(DATABASES)) {
    if (options[name] === "") progress(`${name}: not run, no address (--${name}, npm run services)`);
    else ends.push(await measure(name, options[name], closing));
  }
  if (ends.length === 0) throw new Error("no database: give --postgres or --mysql");
  const head = [
    "",
    "bare /s",
    "with barrier /s",
    "bare p50 ms",
    "with p50",
    "bare p99",
    "with p99",
    "cost",
    `bar ${BAR * 100} %`,
  ];
  const body = [
    "`small`: begin, one update, commit. `usual`: begin, read, update, insert, commit. Cost: the median over the rounds of what neighbouring slices lack.",
    ends.map(({ durability }) => durability).join("\n"),
    table(
      head,
      ends.flatMap(({ rows }) => rows),
    ),
  ].join("\n\n");
  publish(`Barrier: ${options.rounds} × ${options.seconds} s of each, ${options.concurrency} connections`, body, options.write);
});
