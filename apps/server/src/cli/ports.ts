/**
 * Whether the ports are free, asked before anything changes: a second start by mistake must not migrate the store, delete its data
 * or drive its transactions until it finds out that it can't be reached.
 */
import { createServer, type Server } from "node:net";
import type { Config } from "../config/schema.js";
import { StartError } from "../service.js";

export async function probePorts({ Host, HttpPort, GrpcPort }: Pick<Config, "Host" | "HttpPort" | "GrpcPort">): Promise<void> {
  await probe("HttpPort (HTTP_PORT)", Host, HttpPort);
  await probe("GrpcPort (GRPC_PORT)", Host, GrpcPort);
}

async function probe(setting: string, host: string, port: number): Promise<void> {
  if (port === 0) return;
  // Somebody may be quicker than the close.
  const server = createServer((socket) => socket.destroy());
  try {
    await listening(server, host.replace(/^\[(.*)\]$/, "$1"), port);
  } catch (cause) {
    throw new StartError(explain(setting, `${host}:${port}`, cause), { cause });
  }
  await new Promise((resolve) => server.close(resolve));
}

function listening(server: Server, host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen({ host, port }, resolve);
  });
}

function explain(setting: string, address: string, cause: unknown): string {
  const { code, message } = cause as NodeJS.ErrnoException;
  switch (code) {
    case "EADDRINUSE":
      return `${address} is in use: end what uses the port, or set ${setting}`;
    case "EACCES":
      return `${address} may not be used by this user: set ${setting} above 1023`;
    case "EADDRNOTAVAIL":
    case "ENOTFOUND":
    case "EAI_AGAIN":
      return `Host (HOST) is not an address of this machine: ${address}`;
    default:
      return `${address} can't be listened on: ${message}; set ${setting}`;
  }
}
