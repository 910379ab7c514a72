/** The services' side, in a process of its own (see `startParticipants`). Tiny answers, no work: the coordinator is measured. */
import { createServer } from "node:http";

const BODY = "{}";
const HEADERS = { "Content-Type": "application/json", "Content-Length": String(BODY.length) };

/** name → { server, behaviour, answered, lastMs, sockets } */
const services = new Map();

function answer(service, response) {
  if (service.behaviour === "hang") return;
  service.answered += 1;
  service.lastMs = performance.timeOrigin + performance.now();
  response.writeHead(200, HEADERS);
  response.end(BODY);
}

function open({ name, port = 0, behaviour = "answer" }) {
  const before = services.get(name);
  const service = { behaviour, answered: before?.answered ?? 0, lastMs: before?.lastMs ?? 0, sockets: new Set(), server: null };
  const server = createServer((_request, response) => answer(service, response));
  service.server = server;
  server.keepAliveTimeout = 120_000;
  server.headersTimeout = 125_000;
  server.requestTimeout = 0;
  server.on("connection", (socket) => {
    service.sockets.add(socket);
    socket.on("close", () => service.sockets.delete(socket));
  });
  services.set(name, service);
  return new Promise((resolve, reject) => {
    server.on("error", reject);
    server.listen(port, "127.0.0.1", 1024, () => resolve({ port: server.address().port }));
  });
}

/** Down as a stopped process is down: the port refuses, and open connections break. */
function close({ name }) {
  const service = services.get(name);
  if (service === undefined) return Promise.resolve({});
  return new Promise((resolve) => {
    service.server.close(() => resolve({}));
    for (const socket of service.sockets) socket.destroy();
  });
}

function stats() {
  const report = {};
  for (const [name, { answered, lastMs }] of services) report[name] = { answered, lastMs };
  const { user, system } = process.cpuUsage();
  return { services: report, cpuMs: (user + system) / 1000 };
}

const commands = { open, close, stats };

process.on("message", async ({ id, command, args }) => {
  try {
    process.send({ id, result: await commands[command](args ?? {}) });
  } catch (cause) {
    process.send({ id, error: String(cause) });
  }
});
process.on("disconnect", () => process.exit(0));
