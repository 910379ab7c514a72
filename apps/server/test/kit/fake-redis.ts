/** Something that speaks just enough of Redis' protocol to be asked what it is: versions and roles that no server here has. */
import { type AddressInfo, createServer } from "node:net";

export interface FakeRedis {
  readonly port: number;
  close(): Promise<void>;
}

/** `answer`: what is said to a command; null for OK. */
export async function fakeRedis(answer: (command: readonly string[]) => string | null): Promise<FakeRedis> {
  const open = new Set<{ destroy(): unknown }>();
  const listener = createServer((socket) => {
    open.add(socket);
    let text = "";
    socket.on("error", () => undefined);
    socket.on("data", (chunk) => {
      text += chunk.toString("latin1");
      for (let read = commandIn(text); read !== null; read = commandIn(text)) {
        text = text.slice(read.length);
        const said = answer(read.words);
        socket.write(said === null ? "+OK\r\n" : said.startsWith("-") ? `${said}\r\n` : `$${said.length}\r\n${said}\r\n`);
      }
    });
  });
  await new Promise<void>((resolve) => listener.listen(0, "127.0.0.1", resolve));
  return {
    port: (listener.address() as AddressInfo).port,
    async close() {
      for (const socket of open) socket.destroy();
      await new Promise((resolve) => listener.close(resolve));
    },
  };
}

/** Takes connections and says nothing. */
export async function silentServer(): Promise<FakeRedis> {
  const open = new Set<{ destroy(): unknown }>();
  const listener = createServer((socket) => {
    open.add(socket.on("error", () => undefined));
  });
  await new Promise<void>((resolve) => listener.listen(0, "127.0.0.1", resolve));
  return {
    port: (listener.address() as AddressInfo).port,
    async close() {
      for (const socket of open) socket.destroy();
      await new Promise((resolve) => listener.close(resolve));
    },
  };
}

/** The first whole command: `*2\r\n$3\r\nGET\r\n$1\r\na\r\n`. */
function commandIn(text: string): { readonly words: readonly string[]; readonly length: number } | null {
  const count = /^\*(\d+)\r\n/.exec(text);
  if (count === null) return null;
  let at = count[0].length;
  const words: string[] = [];
  for (let left = Number(count[1]); left > 0; left--) {
    const size = /^\$(\d+)\r\n/.exec(text.slice(at));
    if (size === null) return null;
    const begin = at + size[0].length;
    const end = begin + Number(size[1]);
    if (text.length < end + 2) return null;
    words.push(text.slice(begin, end));
    at = end + 2;
  }
  return { words, length: at };
}
