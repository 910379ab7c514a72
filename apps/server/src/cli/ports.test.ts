/** A port in use is found before anything changes, by the one process that starts all others. */
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { type AddressInfo, createServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { loadConfig } from "../config/load.js";
import { StartError } from "../service.js";
import { probePorts } from "./ports.js";
import { serve } from "./serve.js";

let folder: string;
let other: Server;
let port: number;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "dtm-ports-"));
  other = createServer();
  await new Promise<void>((resolve) => other.listen(0, "127.0.0.1", resolve));
  port = (other.address() as AddressInfo).port;
});
afterEach(async () => {
  await new Promise((resolve) => other.close(resolve));
  rmSync(folder, { recursive: true });
});

async function refusedBy(start: Promise<unknown>): Promise<string> {
  const cause: unknown = await start.then(
    () => null,
    (refusal: unknown) => refusal,
  );
  return cause instanceof StartError ? cause.message : `not refused: ${String(cause)}`;
}

test.each(["HTTP_PORT", "GRPC_PORT"])("%s in use: one line, and -r has deleted nothing", async (name) => {
  const data = join(folder, "data");
  mkdirSync(data);
  writeFileSync(join(data, "dtm.db"), "not even looked at");
  const env = { DATA_DIR: data, HTTP_PORT: "0", GRPC_PORT: "0", [name]: String(port) };
  const said = await refusedBy(serve(loadConfig({ env }), { reset: true }));
  expect(said).toBe(
    `127.0.0.1:${port} is in use: end what uses the port, or set ${name === "HTTP_PORT" ? "HttpPort" : "GrpcPort"} (${name})`,
  );
  expect(readFileSync(join(data, "dtm.db"), "utf8")).toBe("not even looked at");
});

test("a store that isn't there yet is not made", async () => {
  const data = join(folder, "data");
  const env = { DATA_DIR: data, HTTP_PORT: String(port), GRPC_PORT: "0" };
  expect(await refusedBy(serve(loadConfig({ env }), { reset: false }))).toContain("is in use");
  expect(existsSync(data)).toBe(false);
});

test("with Workers the supervisor says so, and starts none", async () => {
  const env = {
    STORE_DRIVER: "redis",
    STORE_HOST: "127.0.0.1",
    STORE_PORT: "1",
    WORKERS: "2",
    HTTP_PORT: String(port),
    GRPC_PORT: "0",
  };
  expect(await refusedBy(serve(loadConfig({ env }), { reset: false }))).toContain("set HttpPort (HTTP_PORT)");
});

test("free ports are free afterwards too, and 0 is any", async () => {
  await new Promise((resolve) => other.close(resolve));
  await probePorts({ Host: "127.0.0.1", HttpPort: port, GrpcPort: 0 });
  await probePorts({ Host: "localhost", HttpPort: 0, GrpcPort: port });
  await new Promise<void>((resolve) => other.listen(port, "127.0.0.1", resolve));
});

test("a Host that is not this machine's is named", async () => {
  expect(await refusedBy(probePorts({ Host: "192.0.2.1", HttpPort: port, GrpcPort: 0 }))).toBe(
    `Host (HOST) is not an address of this machine: 192.0.2.1:${port}`,
  );
});
