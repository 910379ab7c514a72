/** A TCP proxy that loses what a test wants lost, right where it matters: at the COMMIT of somebody's transaction. */
import { connect, createServer, type Server, type Socket } from "node:net";

/**
 * What happens to the next COMMIT. `request`: it never arrives. `reply`: it is done, and nobody hears of it. `late`: the client is cut
 * off first, and it arrives when somebody else has long been asking. `halt`: it never arrives, and for the server
 * the client stays as it is, whatever it does.
 */
export type Loss = "request" | "reply" | "late" | "halt";

const LATE_MS = 500;

export class CuttingProxy {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #next: Loss | null = null;
  #away = false;
  lost = 0;

  constructor(
    private readonly target: { readonly host: string; readonly port: number },
    private readonly isCommit: (data: Buffer) => boolean,
  ) {
    this.#server = createServer((client) => this.#serve(client));
  }

  listen(): Promise<number> {
    return new Promise((resolve, reject) => {
      this.#server.once("error", reject);
      this.#server.listen(0, "127.0.0.1", () => {
        const address = this.#server.address();
        resolve(typeof address === "object" && address !== null ? address.port : 0);
      });
    });
  }

  /** The database is away: what is open is cut, what comes is refused, until it is back. */
  leave(): void {
    this.#away = true;
    for (const socket of this.#sockets) socket.destroy();
  }

  comeBack(): void {
    this.#away = false;
  }

  loseNext(loss: Loss): void {
    this.#next = loss;
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #serve(client: Socket): void {
    if (this.#away) {
      client.destroy();
      return;
    }
    const server = connect(this.target.port, this.target.host);
    let losing: Loss | null = null;
    for (const socket of [client, server]) {
      socket.setNoDelay(true);
      this.#sockets.add(socket);
      socket.on("error", () => undefined);
      socket.on("close", () => this.#sockets.delete(socket));
    }
    client.on("data", (data) => {
      if (this.#next === null || !this.isCommit(data)) {
        server.write(data);
        return;
      }
      losing = this.#next;
      this.#next = null;
      this.lost++;
      switch (losing) {
        case "request":
          client.destroy();
          server.destroy();
          break;
        case "reply":
          server.write(data);
          break;
        case "late":
          client.destroy();
          setTimeout(() => server.write(data), LATE_MS).unref();
          break;
        case "halt":
          break;
      }
    });
    server.on("data", (data) => {
      if (losing === null) client.write(data);
      else {
        client.destroy();
        server.destroy();
      }
    });
    client.on("close", () => losing !== "late" && losing !== "halt" && server.destroy());
    server.on("close", () => client.destroy());
  }
}
