/** Database servers that are killed under a coordinator: each of the test's own, with the settings that lead there, and how it is hurt. */
import { Redis } from "ioredis";
import mysql from "mysql2/promise";
import pg from "pg";
import { until } from "../kit/until.js";
import { OwnService } from "./own-service.js";

export interface Victim {
  /** The settings that lead a coordinator there. */
  readonly env: Readonly<Record<string, string>>;
  /** How often it can be killed. */
  readonly lives: number;
  /** Ends connections of the coordinator, in an SQL database some that are in the middle of a transaction; returns how many. */
  cut(): Promise<number>;
  /** SIGKILL. */
  kill(): Promise<void>;
  /** Resolves when it serves again: started on its data, or with another in its place. */
  back(): Promise<void>;
  stop(): Promise<void>;
}

export interface VictimStore {
  readonly name: string;
  /** What was acknowledged may be lost when it is killed; README.md of stores/redis says when. */
  readonly mayLose: boolean;
  /** Null: there is no such server on this machine. */
  start(): Promise<Victim | null>;
}

export const VICTIMS: readonly VictimStore[] = [
  { name: "postgres", mayLose: false, start: postgres },
  { name: "mysql", mayLose: false, start: mysqlOrMariadb },
  { name: "redis", mayLose: false, start: redis },
  { name: "redis cluster", mayLose: true, start: redisCluster },
];

const AGAIN = { withinMs: 120_000, everyMs: 2 };

async function postgres(): Promise<Victim | null> {
  const service = await OwnService.start("postgres");
  if (service === null) return null;
  return {
    env: { ...sqlEnv("postgres", service), STORE_USER: "postgres", STORE_DB: "postgres" },
    ...startedAgain(service),
    async cut() {
      const client = new pg.Client({ connectionString: service.url });
      client.on("error", () => undefined);
      await client.connect();
      try {
        return await until(
          "a connection is in the middle of a transaction",
          async () => {
            const { rowCount } = await client.query(
              "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'dtm' AND xact_start IS NOT NULL",
            );
            return rowCount || undefined;
          },
          AGAIN,
        );
      } finally {
        await client.end();
      }
    },
  };
}

async function mysqlOrMariadb(): Promise<Victim | null> {
  const service = await OwnService.start("mysql");
  if (service === null) return null;
  const inside = async <T>(work: (connection: mysql.Connection) => Promise<T>): Promise<T> => {
    const connection = await mysql.createConnection(service.url);
    try {
      return await work(connection);
    } finally {
      await connection.end();
    }
  };
  await inside((connection) => connection.query("CREATE DATABASE dtm"));
  return {
    env: { ...sqlEnv("mysql", service), STORE_USER: "root", STORE_DB: "dtm", TIME_ZONE_OFFSET: "0" },
    ...startedAgain(service),
    cut: () =>
      inside((connection) =>
        until(
          "a connection is in the middle of a transaction",
          async () => {
            const [rows] = await connection.query<mysql.RowDataPacket[]>(
              "SELECT trx_mysql_thread_id AS id FROM information_schema.innodb_trx WHERE trx_mysql_thread_id <> 0",
            );
            // One that has gone meanwhile can't be killed.
            const killed = await Promise.allSettled(rows.map(({ id }) => connection.query(`KILL ${Number(id)}`)));
            return killed.filter(({ status }) => status === "fulfilled").length || undefined;
          },
          // InnoDB shows a copy that it renews only when nobody has looked at it for 100 ms.
          { ...AGAIN, everyMs: 130 },
        ),
      ),
  };
}

async function redis(): Promise<Victim | null> {
  const service = await OwnService.start("redis", { settings: { appendfsync: "always" } });
  if (service === null) return null;
  return {
    env: redisEnv(service),
    ...startedAgain(service),
    cut: () => cutAll(service),
  };
}

/** Four replicas for three masters: the one that loses its master still has one to wait for when it takes over. */
async function redisCluster(): Promise<Victim | null> {
  const service = await OwnService.start("redis-cluster", { nodes: 7 });
  if (service === null) return null;
  // On a busy machine they need their time to meet; then nobody should wait for long.
  for (const port of service.ports) await asked(port, (redis) => redis.config("SET", "cluster-node-timeout", "5000"));
  const [dead, witness] = await masterWithTwoReplicas(service);
  return {
    env: { ...redisEnv(service), STORE_WAIT_REPLICAS: "1" },
    // For good.
    lives: 1,
    cut: () => cutAll(service),
    kill: () => service.kill(dead),
    async back() {
      const covered = async () => ((await mastersAlive(witness)) === 3 ? true : undefined);
      await until("a replica takes over", covered, { withinMs: 120_000, everyMs: 100 });
    },
    stop: () => service.stop(),
  };
}

function startedAgain(service: OwnService): Pick<Victim, "lives" | "kill" | "back" | "stop"> {
  const [port = 0] = service.ports;
  return {
    lives: Number.POSITIVE_INFINITY,
    kill: () => service.kill(port),
    back: () => service.restart(port),
    stop: () => service.stop(),
  };
}

function sqlEnv(driver: string, service: OwnService): Readonly<Record<string, string>> {
  return { STORE_DRIVER: driver, STORE_HOST: "127.0.0.1", STORE_PORT: String(service.ports[0]) };
}

function redisEnv(service: OwnService): Readonly<Record<string, string>> {
  return { STORE_DRIVER: "redis", STORE_HOST: service.ports.map((port) => `127.0.0.1:${port}`).join(",") };
}

async function cutAll(service: OwnService): Promise<number> {
  const cut = await Promise.all(
    service.ports.map((port) =>
      asked(port, async (redis) => Number(await redis.call("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "YES"))),
    ),
  );
  return cut.reduce((sum, count) => sum + count, 0);
}

async function asked<T>(port: number, work: (redis: Redis) => Promise<T>): Promise<T> {
  const redis = new Redis(port, "127.0.0.1");
  try {
    return await work(redis);
  } finally {
    redis.disconnect();
  }
}

interface ClusterNode {
  readonly id: string;
  readonly port: number;
  readonly flags: readonly string[];
  /** Of a replica. */
  readonly master: string;
  readonly hasSlots: boolean;
}

/** Its port, and that of somebody who will see it die. */
async function masterWithTwoReplicas(service: OwnService): Promise<readonly [number, number]> {
  const nodes = await clusterNodes(service.ports[0] ?? 0);
  const replicasOf = (id: string): ClusterNode[] => nodes.filter(({ master }) => master === id);
  const master = nodes.find(({ id }) => replicasOf(id).length > 1);
  const witness = nodes.find(({ id, master: own }) => id !== master?.id && own === "-");
  if (master === undefined || witness === undefined) throw new Error("no master of the Cluster has two replicas");
  return [master.port, witness.port];
}

async function mastersAlive(port: number): Promise<number> {
  const nodes = await clusterNodes(port);
  return nodes.filter(
    ({ flags, hasSlots }) => flags.includes("master") && !flags.some((flag) => flag.startsWith("fail")) && hasSlots,
  ).length;
}

/** `<id> <host>:<port>@<bus> <flags> <master or -> <ping> <pong> <epoch> <link> <slots…>` */
function clusterNodes(port: number): Promise<readonly ClusterNode[]> {
  return asked(port, async (redis) => {
    const said = String(await redis.call("CLUSTER", "NODES"));
    const lines = said.trim().split("\n");
    return lines.map((line) => {
      const [id = "", address = "", flags = "", master = "", , , , , ...slots] = line.split(" ");
      return { id, port: Number(/:(\d+)@/.exec(address)?.[1]), flags: flags.split(","), master, hasSlots: slots.length > 0 };
    });
  });
}
