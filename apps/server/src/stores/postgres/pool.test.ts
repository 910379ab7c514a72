/** Against a server that ends a connection in the same breath in which it opens it, as PostgreSQL does when its postmaster is killed. */
import { once } from "node:events";
import { type AddressInfo, createServer, type Server } from "node:net";
import { troubleOf } from "./errors.js";
import { Pool } from "./pool.js";

const AUTHENTICATION_OK = message("R", Buffer.from([0, 0, 0, 0]));
const READY = message("Z", Buffer.from("I"));
const GOOD_BYE = message(
  "E",
  Buffer.from("SFATAL\0VFATAL\0C57P01\0Mterminating connection due to unexpected postmaster exit\0\0"),
);

let server: Server;
beforeAll(async () => {
  server = createServer((socket) => {
    socket.on("error", () => undefined);
    socket.once("data", () => socket.end(Buffer.concat([AUTHENTICATION_OK, READY, GOOD_BYE])));
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
});
afterAll(() => {
  server.close();
});

test("a connection that ends as it is handed out fails what is asked on it, and nothing else", async () => {
  const pool = new Pool(address(), 1);
  const client = await pool.connect();
  const refusal: unknown = await client.query("SELECT 1").catch((cause: unknown) => cause);
  expect(troubleOf(refusal, false)).toBe("lost");
  client.release(true);
  await pool.end();
});

function address() {
  const { port } = server.address() as AddressInfo;
  const tls = { mode: "disable", caFile: "", certFile: "", keyFile: "" } as const;
  return { host: "127.0.0.1", port, user: "dtm", password: "", database: "dtm", schema: "public", tls };
}

function message(kind: string, body: Buffer): Buffer {
  const length = Buffer.alloc(4);
  length.writeInt32BE(4 + body.length);
  return Buffer.concat([Buffer.from(kind), length, body]);
}
