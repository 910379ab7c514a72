/** A way to a server that can be cut, that can swallow answers (what a lost reply looks like to whoever waits for it), and that can freeze. */
import { type AddressInfo, connect, createServer, type Socket } from "node:net";

export interface TcpProxy {
  readonly port: number;
  /** Requests still arrive; the next answer of each open connection, after some that pass, is swallowed, and that connection is cut. */
  loseNextAnswers(passing?: number): void;
  /** How many answers were swallowed. */
  readonly lost: number;
  cut(): void;
  /** Connections are taken and stay open, and nothing passes, as with a stopped process; the function returned ends that. */
  freeze(): () => void;
  close(): Promise<void>;
}

export async function tcpProxy(target: { readonly host: string; readonly port: number }): Promise<TcpProxy> {
  const pairs = new Map<Socket, { readonly server: Socket; passing: number }>();
  let lost = 0;
  let frozen = false;
  const listener = createServer((client) => {
    const server = connect(target.port, target.host);
    const pair = { server, passing: Number.POSITIVE_INFINITY };
    pairs.set(client, pair);
    const end = (): void => {
      pairs.delete(client);
      client.destroy();
      server.destroy();
    };
    for (const socket of [client, server]) socket.on("error", end).on("close", end);
    client.on("data", (chunk) => server.write(chunk));
    if (frozen) client.pause();
    server.on("data", (chunk) => {
      if (pair.passing-- > 0) {
        client.write(chunk);
        return;
      }
      lost++;
      end();
    });
  });
  await new Promise<void>((resolve) => listener.listen(0, "127.0.0.1", resolve));
  const each = (work: (client: Socket, pair: { passing: number }) => void): void => {
    for (const [client, pair] of [...pairs]) work(client, pair);
  };
  return {
    port: (listener.address() as AddressInfo).port,
    loseNextAnswers: (passing = 0) =>
      each((_, pair) => {
        pair.passing = passing;
      }),
    get lost() {
      return lost;
    },
    freeze() {
      frozen = true;
      each((client) => client.pause());
      return () => {
        frozen = false;
        each((client) => client.resume());
      };
    },
    cut: () => each((client) => client.destroy()),
    async close() {
      each((client) => client.destroy());
      await new Promise((resolve) => listener.close(resolve));
    },
  };
}
