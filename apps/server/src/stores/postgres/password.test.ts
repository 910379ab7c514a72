/** Which password a server is told, on a server that only knows how to ask for one. */
import { createServer, type Server, type Socket } from "node:net";
import { openPostgres } from "./store.js";

const CLEARTEXT = 3;
const SASL = 10;
const SASL_CONTINUE = 11;

let server: Server;
let port: number;
let asked: (socket: Socket, data: Buffer) => void;

beforeAll(async () => {
  server = createServer((socket) => {
    socket.on("error", () => undefined);
    socket.on("data", (data) => asked(socket, data));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  port = typeof address === "object" && address !== null ? address.port : 0;
});
afterAll(() => new Promise((resolve) => server.close(resolve)));

/** PostgreSQL's "R": how the client shall prove who it is. */
function authentication(kind: number, more = ""): Buffer {
  const message = Buffer.alloc(9 + more.length);
  message.write("R");
  message.writeInt32BE(8 + more.length, 1);
  message.writeInt32BE(kind, 5);
  message.write(more, 9);
  return message;
}

async function refusal(password: string): Promise<string> {
  const tls = { mode: "disable", caFile: "", certFile: "", keyFile: "" } as const;
  const address = { host: "127.0.0.1", port, user: "u", password, database: "d", schema: "public", tls };
  const store = openPostgres({ ...address, maxConnections: 3 });
  return store.open().then(() => "opened", String);
}

test("an empty one is empty, whatever lies about in the environment", async () => {
  const told: string[] = [];
  asked = (socket, data) => {
    // A password is a message "p"; what comes first has no letter.
    if (data[0] !== "p".charCodeAt(0)) return void socket.write(authentication(CLEARTEXT));
    told.push(data.toString("utf8", 5, data.length - 1));
    socket.destroy();
  };
  process.env["PGPASSWORD"] = "from elsewhere";
  await refusal("");
  await refusal("ours");
  delete process.env["PGPASSWORD"];
  expect(told).toEqual(["", "ours"]);
});

test("one that is missing where the server wants one is told as such", async () => {
  asked = (socket, data) => {
    const first = data[0] !== "p".charCodeAt(0);
    socket.write(first ? authentication(SASL, "SCRAM-SHA-256\0\0") : authentication(SASL_CONTINUE, "r=x,s=eA==,i=4096"));
  };
  expect(await refusal("")).toMatch(
    /^DatabaseUnusable: .* refused the user u: SASL: .*; check Store\.User \(STORE_USER\) and Store\.Password \(STORE_PASSWORD\)$/,
  );
});
