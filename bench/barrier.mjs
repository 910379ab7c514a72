/**
 * What the barrier costs: the same local transactions bare, with `barrier.run` inside, and as `barrier.transaction`, in alternating slices on
 * one pool, from which each transaction takes its connection. Closed loop with many at a time (where the bar is) and with one, then at
 * a fixed rate, half of what the bare ones reach: how late they are when nothing is saturated.
 */
import { randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { progress, readOptions, runScript } from "./lib/cli.mjs";
import { runOpenLoop } from "./lib/open-loop.mjs";
import { ROOT } from "./lib/paths.mjs";
import { cpuMs, machineCpu } from "./lib/proc.mjs";
import { number, publish, table } from "./lib/report.mjs";
import { median, percentile } from "./lib/stats.mjs";

const ACCOUNTS = 10_000;
/** Of what the bare transaction does per second; design of the SDKs. */
const BAR = 0.15;
const [BRANCHES, TELLERS, BANK_ACCOUNTS] = [100, 1_000, 100_000];
/** Of the fixed rate, in seconds and times. */
const [WINDOW, WINDOWS] = [4, 2];
/** Its own, made anew: rows of earlier runs would make its indexes deeper than the bare transaction's. */
const BARRIER_TABLE = "bench_barrier";

const options = readOptions(
  "barrier.mjs",
  "Measures what the barrier costs a local transaction, on PostgreSQL and MySQL.",
  {
    postgres: { initial: process.env["DTM_TEST_POSTGRES"] ?? "", about: "postgres://… (default: $DTM_TEST_POSTGRES)" },
    mysql: { initial: process.env["DTM_TEST_MYSQL"] ?? "", about: "mysql://… (default: $DTM_TEST_MYSQL)" },
    seconds: { initial: 0.5, about: "length of one slice: many short ones, since the machine's own pace changes within seconds" },
    rounds: { initial: 40, about: "slices of each" },
    warmup: { initial: 10, about: "seconds of all before the first slice" },
    concurrency: { initial: 32, about: "transactions at a time, and connections; one alone is measured too" },
    work: { initial: "small,usual,tpcb", about: "which transactions" },
    prepared: { initial: "default", about: "the barrier's option of this name: default, true or false" },
  },
  ["write"],
);
const PREPARED = new Map([
  ["default", undefined],
  ["true", true],
  ["false", false],
]);

// The drivers that the barrier is tested with.
const require = createRequire(join(ROOT, "packages/barrier/package.json"));
const random = (below = ACCOUNTS) => Math.floor(Math.random() * below);

const DATABASES = {
  async postgres(url) {
    const pg = require("pg");
    const { barrier } = await import(join(ROOT, "packages/barrier/dist/pg.js"));
    const pool = new pg.Pool({ connectionString: url, max: options.concurrency });
    for (const statement of tables("bigint generated always as identity")) await pool.query(statement);
    await barrier.createTable(pool, { table: BARRIER_TABLE });
    await fill((text) => pool.query(text));
    const { rows } = await pool.query(
      "select current_setting('synchronous_commit') s, current_setting('fsync') f, version() v, pg_read_file('postmaster.pid') p",
    );
    const [{ s, f, v, p }] = rows;
    return {
      barrier,
      pool,
      connect: () => pool.connect(),
      query: (client, text, values) => client.query(text, values),
      balanceOf: (answer) => answer.rows[0].balance,
      countOf: async () => Number((await pool.query(`select count(*) n from ${BARRIER_TABLE}`)).rows[0].n),
      texts: withNumbers(TEXTS),
      durable: f === "on" && s !== "off",
      durability: `${v.split(" on ")[0]}, synchronous_commit ${s}, fsync ${f}`,
      pid: Number(p.split("\n", 1)[0]),
      close: () => pool.end(),
    };
  },
  async mysql(url) {
    const mysql = require("mysql2/promise");
    const { barrier } = await import(join(ROOT, "packages/barrier/dist/mysql2.js"));
    const pool = mysql.createPool({ uri: url, connectionLimit: options.concurrency });
    for (const statement of tables("bigint auto_increment")) await pool.query(statement);
    await barrier.createTable(pool, { table: BARRIER_TABLE });
    await fill((text) => pool.query(text));
    const [[row]] = await pool.query(
      "select @@version v, @@innodb_flush_log_at_trx_commit f, @@datadir d, @@pid_file p, @@innodb_doublewrite w",
    );
    return {
      barrier,
      pool,
      connect: () => pool.getConnection(),
      query: (connection, text, values) => connection.query(text, values),
      balanceOf: ([rows]) => rows[0].balance,
      countOf: async () => Number((await pool.query(`select count(*) n from ${BARRIER_TABLE}`))[0][0].n),
      texts: TEXTS,
      durable: Number(row.f) === 1,
      durability: `${row.v}, innodb_flush_log_at_trx_commit ${row.f}, innodb_doublewrite ${row.w}`,
      pid: pidIn(row.p.startsWith("/") ? row.p : join(row.d, row.p)),
      close: () => pool.end(),
    };
  },
};

function tables(key) {
  const names = ["account", "entry", "branches", "tellers", "accounts", "history"].map((name) => `bench_${name}`);
  return [
    ...[...names, BARRIER_TABLE].map((name) => `drop table if exists ${name}`),
    "create table bench_account (id integer primary key, balance bigint not null)",
    `create table bench_entry (id ${key} primary key, account integer not null, amount integer not null, seen bigint not null)`,
    // pgbench's.
    "create table bench_branches (bid int primary key, bbalance int, filler char(88))",
    "create table bench_tellers (tid int primary key, bid int, tbalance int, filler char(84))",
    "create table bench_accounts (aid int primary key, bid int, abalance int, filler char(84))",
    "create table bench_history (tid int, bid int, aid int, delta int, mtime timestamp, filler char(22))",
  ];
}

async function fill(query) {
  await fillOne(query, "bench_account", ACCOUNTS, (id) => `${id}, 0`);
  await fillOne(query, "bench_branches", BRANCHES, (id) => `${id}, 0, ''`);
  await fillOne(query, "bench_tellers", TELLERS, (id) => `${id}, ${id % BRANCHES}, 0, ''`);
  await fillOne(query, "bench_accounts", BANK_ACCOUNTS, (id) => `${id}, ${id % BRANCHES}, 0, ''`);
}

async function fillOne(query, name, count, row) {
  for (let first = 0; first < count; first += 1_000) {
    const rows = Array.from({ length: Math.min(1_000, count - first) }, (_, at) => `(${row(first + at)})`);
    await query(`insert into ${name} values ${rows.join(", ")}`);
  }
}

const TEXTS = {
  read: "select balance from bench_account where id = ?",
  update: "update bench_account set balance = balance + ? where id = ?",
  insert: "insert into bench_entry (account, amount, seen) values (?, ?, ?)",
  account: "update bench_accounts set abalance = abalance + ? where aid = ?",
  look: "select abalance from bench_accounts where aid = ?",
  teller: "update bench_tellers set tbalance = tbalance + ? where tid = ?",
  branch: "update bench_branches set bbalance = bbalance + ? where bid = ?",
  history: "insert into bench_history (tid, bid, aid, delta, mtime) values (?, ?, ?, ?, current_timestamp)",
};

/** As PostgreSQL writes them. */
function withNumbers(texts) {
  const numbered = (text) => text.split("?").reduce((before, part, at) => `${before}$${at}${part}`);
  return Object.fromEntries(Object.entries(texts).map(([name, text]) => [name, numbered(text)]));
}

/** Of a server on another machine nobody here can tell the CPU. */
function pidIn(file) {
  try {
    return Number(readFileSync(file, "utf8"));
  } catch {
    return Number.NaN;
  }
}

/** The statements of a service between `begin` and `commit`. */
const WORK = {
  small: ({ query, texts }, client) => query(client, texts.update, [1, random()]),
  async usual({ query, texts, balanceOf }, client) {
    const account = random();
    const balance = balanceOf(await query(client, texts.read, [account]));
    await query(client, texts.update, [1, account]);
    await query(client, texts.insert, [account, 1, balance]);
  },
  async tpcb({ query, texts }, client) {
    const [account, teller, branch, delta] = [random(BANK_ACCOUNTS), random(TELLERS), random(BRANCHES), random(10_000) - 5_000];
    await query(client, texts.account, [delta, account]);
    await query(client, texts.look, [account]);
    await query(client, texts.teller, [delta, teller]);
    await query(client, texts.branch, [delta, branch]);
    await query(client, texts.history, [teller, branch, account, delta]);
  },
};

const works = options.work.split(",");

/** Each is a whole transaction, as a service writes it, on a connection of the pool. */
const WAYS = {
  bare: (database, work) => begun(database, (client) => work(database, client)),
  run: (database, work, gid) =>
    begun(database, (client) => database.barrier.run(client, () => work(database, client), guard(gid))),
  transaction: (database, work, gid) =>
    database.barrier.transaction(database.pool, (client) => work(database, client), guard(gid)),
};
const NAMES = Object.keys(WAYS);
const GUARDED = NAMES.filter((way) => way !== "bare");
const ofEach = (show) => NAMES.map((way) => show(way)).join(" / ");

async function begun(database, work) {
  const client = await database.connect();
  try {
    await database.query(client, "begin");
    await work(client);
    await database.query(client, "commit");
  } finally {
    client.release();
  }
}

const guard = (gid) => ({
  branch: { gid, transType: "saga", branchId: "01", op: "action" },
  table: BARRIER_TABLE,
  prepared: PREPARED.get(options.prepared),
});

/** How many rows the barrier must have at the end: one that did nothing would be fast. */
let guarded = 0;

async function transaction(database, way, work) {
  // Made for all: what it costs is the application's.
  const gid = randomUUID();
  await WAYS[way](database, WORK[work], gid);
  if (way !== "bare") guarded += 1;
}

/** Closed loop: so many lanes work for `ms`. */
async function slice(database, lanes, way, work, ms) {
  const took = [];
  const before = spent(database);
  const begun = performance.now();
  const until = begun + ms;
  await Promise.all(
    Array.from({ length: lanes }, async () => {
      while (performance.now() < until) {
        const start = performance.now();
        await transaction(database, way, work);
        took.push(performance.now() - start);
      }
    }),
  );
  const wallMs = performance.now() - begun;
  const after = spent(database);
  const each = (key) => ((after[key] - before[key]) * 1000) / took.length;
  return {
    perSecond: (took.length * 1000) / wallMs,
    p50: percentile(took, 0.5),
    p99: percentile(took, 0.99),
    clientUs: each("clientMs"),
    databaseUs: each("databaseMs"),
    stolen: (after.stolenMs - before.stolenMs) / (after.toldMs - before.toldMs),
  };
}

function spent({ pid }) {
  const { user, system } = process.cpuUsage();
  const databaseMs = Number.isNaN(pid) ? Number.NaN : cpuMs(pid);
  return { clientMs: (user + system) / 1000, databaseMs, ...machineCpu() };
}

const perWay = () => Object.fromEntries(NAMES.map((way) => [way, []]));
/** Who goes first changes: what a slice leaves behind falls on all. */
const inTurn = (round) => NAMES.map((_, at) => NAMES[(at + round) % NAMES.length]);

async function closedLoop(name, database, lanes, work) {
  for (const way of NAMES) await slice(database, lanes, way, work, (options.warmup * 1_000) / NAMES.length);
  const seen = perWay();
  // The bar is for many at a time.
  const rounds = lanes === 1 ? Math.ceil(options.rounds / 4) : options.rounds;
  for (let round = 1; round <= rounds; round++) {
    for (const way of inTurn(round)) seen[way].push(await slice(database, lanes, way, work, options.seconds * 1_000));
    const rates = NAMES.map((way) => `${way} ${number(seen[way].at(-1).perSecond)}/s`).join(", ");
    progress(`${name} ${work}, c=${lanes} ${round}/${rounds}: ${rates}`);
  }
  const of = (way, key) => median(seen[way].map((one) => one[key]));
  const costs = GUARDED.map((way) => seen.bare.map(({ perSecond }, at) => 1 - seen[way][at].perSecond / perSecond));
  const stolen = Math.max(...NAMES.flatMap((way) => seen[way].map((one) => one.stolen)));
  const row = [
    `${name}, ${work}, c=${lanes}`,
    ...["perSecond", "p50", "p99", "clientUs", "databaseUs"].map((key) => ofEach((way) => number(of(way, key)))),
    `${number(stolen * 100, 2)} %`,
    ...costs.map((all) => told(all, lanes === options.concurrency)),
  ];
  return { row, barePerSecond: of("bare", "perSecond") };
}

/** With the middle half of the rounds. */
function told(costs, hasBar) {
  const cost = median(costs);
  const [from, to] = [0.25, 0.75].map((part) => number(percentile(costs, part) * 100, 2));
  return `${number(cost * 100, 2)} % (${from} to ${to})${hasBar && cost > BAR ? ", MISSED" : ""}`;
}

/** Arrivals that wait for nobody; who finds no connection free waits in the pool's line, and that counts. */
async function fixedRate(name, database, work, rate) {
  const seen = perWay();
  const stolen = [];
  for (let round = 1; round <= WINDOWS; round++) {
    for (const way of inTurn(round)) {
      const before = machineCpu();
      const windowMs = WINDOW * 1_000;
      const ran = await runOpenLoop({ rate, warmupMs: windowMs / 5, windowMs, send: () => transaction(database, way, work) });
      if (ran.errors > 0) throw new Error(`${name} ${work}: ${ran.errors} errors, the first: ${ran.firstError}`);
      const after = machineCpu();
      stolen.push((after.stolenMs - before.stolenMs) / (after.toldMs - before.toldMs));
      seen[way].push({ p50: percentile(ran.latencies, 0.5), p99: percentile(ran.latencies, 0.99) });
    }
  }
  const of = (way, key) => median(seen[way].map((one) => one[key]));
  progress(`${name} ${work} at ${number(rate)}/s: p50 ${ofEach((way) => number(of(way, "p50")))} ms`);
  const late = ["p50", "p99"].map((key) => ofEach((way) => number(of(way, key))));
  return [`${name}, ${work}`, number(rate), ...late, `${number(Math.max(...stolen) * 100, 2)} %`];
}

async function measure(name, url, closing) {
  const database = await DATABASES[name](url);
  if (!database.durable) {
    await database.close();
    throw new Error(`${name}: expected every commit to be flushed, found ${database.durability}`);
  }
  closing.push(() => database.close());
  const closed = [];
  const open = [];
  const before = guarded;
  for (const work of works) {
    const many = await closedLoop(name, database, options.concurrency, work);
    const one = await closedLoop(name, database, 1, work);
    closed.push(many.row, one.row);
    open.push(await fixedRate(name, database, work, many.barePerSecond / 2));
  }
  const rows = await database.countOf();
  if (rows !== guarded - before) throw new Error(`${name}: expected ${guarded - before} rows of the barrier, found ${rows}`);
  return { closed, open, durability: `- ${name}: ${database.durability}` };
}

await runScript(async (closing) => {
  const unknown = works.find((work) => WORK[work] === undefined);
  if (unknown !== undefined) throw new Error(`--work: there is no "${unknown}", there are: ${Object.keys(WORK).join(", ")}`);
  if (!PREPARED.has(options.prepared)) throw new Error("--prepared must be default, true or false");
  const ends = [];
  for (const name of Object.keys(DATABASES)) {
    if (options[name] === "") progress(`${name}: not run, no address (--${name}, npm run services)`);
    else ends.push(await measure(name, options[name], closing));
  }
  if (ends.length === 0) throw new Error("no database: give --postgres or --mysql");
  const each = (title) => `${title}, ${NAMES.join(" / ")}`;
  const body = [
    `\`small\`: begin, one update, commit. \`usual\`: begin, read, update, insert, commit. \`tpcb\`: pgbench's own, begin, three updates, a read, an insert, commit. Cost: the median over the rounds of what it lacks beside the bare one of the same round, with the middle half; bar ${BAR * 100} % at c=${options.concurrency}. CPU is per transaction; stolen: the most of any slice.`,
    `${ends.map(({ durability }) => durability).join("\n")}\n- prepared: ${options.prepared}`,
    table(
      [
        "",
        each("per s"),
        each("p50 ms"),
        each("p99 ms"),
        each("client CPU µs"),
        each("database CPU µs"),
        "stolen",
        ...GUARDED.map((way) => `cost of ${way}`),
      ],
      ends.flatMap(({ closed }) => closed),
    ),
    "At a fixed rate, half of the bare one's with all connections:",
    table(
      ["", "per s", each("p50 ms"), each("p99 ms"), "stolen"],
      ends.flatMap(({ open }) => open),
    ),
  ].join("\n\n");
  publish(`Barrier: ${options.rounds} × ${options.seconds} s of each, ${options.concurrency} connections`, body, options.write);
});
