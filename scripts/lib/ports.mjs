// Which ports the parts of `npm start` use, and whether they are free.
import { createServer } from "node:net";
import process from "node:process";
import { Trouble } from "./terminal.mjs";

/** The parts by the setting that moves each. */
const PARTS = [
  { part: "the coordinator's HTTP API", setting: "HTTP_PORT", initial: 36789 },
  { part: "the coordinator's gRPC API", setting: "GRPC_PORT", initial: 36790 },
  { part: "bank A", setting: "BANK_A_PORT", initial: 8081, loopback: true },
  { part: "bank B", setting: "BANK_B_PORT", initial: 8082, loopback: true },
];

/** Each setting's port, 0 turned into a free one. Throws when one is taken, with a line that says what to set. */
export async function choosePorts(host) {
  const ports = {};
  for (const { part, setting, initial, loopback } of PARTS) {
    const given = process.env[setting] || String(initial);
    const port = Number(given);
    if (!/^\d+$/.test(given) || port > 65_535)
      throw new Trouble(`${setting} is ${given}, but a port is a number from 0 to 65535.`);
    const address = loopback ? "127.0.0.1" : host;
    const found = await listenOnce(address, port, new Set(Object.values(ports)));
    if (found === null) throw new Trouble(taken({ part, setting, port, address }));
    ports[setting] = found;
  }
  return ports;
}

function taken({ part, setting, port, address }) {
  const other = port < 60_000 ? port + 1_000 : port - 1_000;
  return `${part} wants port ${port} on ${address}, which is in use. Choose another: ${setting}=${other} npm start`;
}

/** The port if one can listen there, null if somebody else does. */
async function listenOnce(host, port, used) {
  if (port !== 0 && used.has(port)) return null;
  const found = await new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once("error", (error) => (error.code === "EADDRINUSE" ? resolve(null) : reject(cannotListen(error, host, port))));
    probe.listen({ host, port, exclusive: true }, () => {
      const { port: got } = probe.address();
      probe.close(() => resolve(got));
    });
  });
  return port === 0 && used.has(found) ? listenOnce(host, port, used) : found;
}

function cannotListen(error, host, port) {
  return new Trouble(`nothing can listen on ${host}, port ${port}: ${error.message}`);
}
