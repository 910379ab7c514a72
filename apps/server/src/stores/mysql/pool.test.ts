/** Against a server that greets and falls silent, as one does that hangs. */
import { once } from "node:events";
import { type AddressInfo, createServer, type Server, Socket } from "node:net";
import { leave } from "./connection.js";
import { troubleOf } from "./errors.js";
import { Pool } from "./pool.js";

const PATIENCE_MS = 300;
const GREETING = packet(
  0,
  Buffer.concat([
    Buffer.from("\x0a8.0.36\0\x01\0\0\0saltsalt\0", "latin1"),
    // Capabilities: the protocol of 4.1, secure connections, transactions; utf8mb4; autocommit.
    Buffer.from([0x00, 0xa2, 0xff, 0x02, 0x00, 0x08, 0x00, 0x15]),
    Buffer.from(`${"\0".repeat(10)}saltsaltsalt\0mysql_native_password\0`, "latin1"),
  ]),
);
const OK = Buffer.from([0, 0, 0, 2, 0, 0, 0]);

const servers: Server[] = [];
afterAll(() => {
  for (const server of servers) server.close();
});

test("a server that greets and falls silent keeps no connection", async () => {
  const { pool, closed } = await poolOn(() => undefined);
  const refusal: unknown = await pool.dedicated().catch((cause: unknown) => cause);
  expect(troubleOf(refusal, false)).toBe("lost");
  await closed;
});

test("nor does one that falls silent when it is asked for the first time", async () => {
  const { pool, closed } = await poolOn(answering(3));
  const refusal: unknown = await pool
    .dedicatedTo(async (connection) => await connection.query("SELECT 1"))
    .catch((cause: unknown) => cause);
  expect(troubleOf(refusal, false)).toBe("lost");
  await closed;
});

test("a connection is left, answered or not", async () => {
  const { pool, closed } = await poolOn(answering(3));
  const connection = await pool.dedicated();
  const unanswered = connection.query("SELECT 1");
  await Promise.all([leave(connection), closed, expect(unanswered).rejects.toThrow(/lost/)]);
});

test("a machine that is gone is noticed long before the system would by itself", async () => {
  const keepAlive = jest.spyOn(Socket.prototype, "setKeepAlive");
  const { pool } = await poolOn(answering(3));
  const connection = await pool.dedicated();
  expect(keepAlive).toHaveBeenCalledWith(true, 10_000);
  await leave(connection);
  await pool.end();
});

/** That many packets of the client are answered: its introduction, and what is set first. */
function answering(count: number): (socket: Socket) => void {
  return (socket) => {
    let answers = 0;
    // The client waits for each answer before it goes on.
    socket.on("data", () => void (answers++ < count && socket.write(packet(answers === 1 ? 2 : 1, OK))));
  };
}

/** `then` has the connection after the greeting; `closed` resolves when the first one is. */
async function poolOn(then: (socket: Socket) => void): Promise<{ readonly pool: Pool; readonly closed: Promise<unknown> }> {
  const server = createServer((socket) => {
    socket.on("error", () => undefined);
    socket.resume();
    socket.write(GREETING);
    then(socket);
  });
  servers.push(server);
  const closed = once(server, "connection").then(([socket]) => once(socket as Socket, "close"));
  await once(server.listen(0, "127.0.0.1"), "listening");
  const { port } = server.address() as AddressInfo;
  const tls = { mode: "disable", caFile: "", certFile: "", keyFile: "" } as const;
  const address = { host: "127.0.0.1", port, user: "root", password: "", database: "dtm", zoneHours: 0, tls };
  return { pool: new Pool({ ...address, patienceMs: PATIENCE_MS }, 1), closed };
}

function packet(sequence: number, body: Buffer): Buffer {
  const head = Buffer.alloc(4);
  head.writeUIntLE(body.length, 0, 3);
  head.writeUInt8(sequence, 3);
  return Buffer.concat([head, body]);
}
