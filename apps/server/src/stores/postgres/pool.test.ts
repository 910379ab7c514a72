/** Against servers that say good-bye, or fall silent, at moments in which PostgreSQL does so when it is killed or hangs. */
import { once } from "node:events";
import { type AddressInfo, createServer, type Server, Socket } from "node:net";
import { leave } from "./connection.js";
import { troubleOf } from "./errors.js";
import { Pool } from "./pool.js";

const AUTHENTICATION_OK = message("R", Buffer.from([0, 0, 0, 0]));
const READY = message("Z", Buffer.from("I"));
const GREETING = Buffer.concat([AUTHENTICATION_OK, READY]);
const GOOD_BYE = message(
  "E",
  Buffer.from("SFATAL\0VFATAL\0C57P01\0Mterminating connection due to unexpected postmaster exit\0\0"),
);
const PATIENCE_MS = 300;

const servers: Server[] = [];
afterAll(() => {
  for (const server of servers) server.close();
});

test("a connection that ends as it is handed out fails what is asked on it, and nothing else", async () => {
  const { pool } = await poolOn((socket) => socket.end(Buffer.concat([GREETING, GOOD_BYE])));
  const client = await pool.connect();
  const refusal: unknown = await client.query("SELECT 1").catch((cause: unknown) => cause);
  expect(troubleOf(refusal, false)).toBe("lost");
  client.release(true);
  await pool.end();
});

test("a server that greets and falls silent keeps no connection", async () => {
  const { pool, closed } = await poolOn((socket) => void socket.write(GREETING));
  const refusal: unknown = await pool
    .dedicatedTo(async (client) => await client.query("SELECT 1"))
    .catch((cause: unknown) => cause);
  expect(troubleOf(refusal, false)).toBe("lost");
  await closed;
  await pool.end();
});

test("a connection is left, answered or not", async () => {
  const { pool, closed } = await poolOn((socket) => void socket.write(GREETING));
  const client = await pool.dedicated();
  const unanswered = client.query("SELECT 1");
  await Promise.all([leave(client), closed, expect(unanswered).rejects.toThrow(/terminated/)]);
  await pool.end();
});

test("a machine that is gone is noticed long before the system would by itself", async () => {
  const keepAlive = jest.spyOn(Socket.prototype, "setKeepAlive");
  const { pool } = await poolOn((socket) => void socket.write(GREETING));
  const client = await pool.dedicated();
  expect(keepAlive).toHaveBeenCalledWith(true, 10_000);
  await leave(client);
  await pool.end();
});

/** `greet` has the client's first words; `closed` resolves when the first connection is. */
async function poolOn(greet: (socket: Socket) => void): Promise<{ readonly pool: Pool; readonly closed: Promise<unknown> }> {
  const server = createServer((socket) => {
    socket.on("error", () => undefined);
    socket.once("data", () => greet(socket));
  });
  servers.push(server);
  const closed = once(server, "connection").then(([socket]) => once(socket as Socket, "close"));
  await once(server.listen(0, "127.0.0.1"), "listening");
  const { port } = server.address() as AddressInfo;
  const tls = { mode: "disable", caFile: "", certFile: "", keyFile: "" } as const;
  const address = { host: "127.0.0.1", port, user: "dtm", password: "", database: "dtm", schema: "public", tls };
  return { pool: new Pool({ ...address, patienceMs: PATIENCE_MS }, 1), closed };
}

function message(kind: string, body: Buffer): Buffer {
  const length = Buffer.alloc(4);
  length.writeInt32BE(4 + body.length);
  return Buffer.concat([Buffer.from(kind), length, body]);
}
