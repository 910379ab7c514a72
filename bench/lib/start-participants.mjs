import { fork } from "node:child_process";
import { fileURLToPath } from "node:url";

/** Forks the services' process. Services have names; `open` again with the same port brings a closed one back. */
export function startParticipants() {
  const child = fork(fileURLToPath(new URL("./participants.mjs", import.meta.url)), { execArgv: [] });
  const waiting = new Map();
  let nextId = 0;
  let gone = false;
  child.on("message", ({ id, result, error }) => {
    const { resolve, reject } = waiting.get(id);
    waiting.delete(id);
    if (error === undefined) resolve(result);
    else reject(new Error(`participants: ${error}`));
  });
  const ended = new Promise((resolve) =>
    child.on("exit", () => {
      gone = true;
      for (const { reject } of waiting.values()) reject(new Error("the participants' process ended"));
      resolve();
    }),
  );
  const ask = (command, args) =>
    new Promise((resolve, reject) => {
      if (gone) return reject(new Error("the participants' process ended"));
      const id = nextId++;
      waiting.set(id, { resolve, reject });
      child.send({ id, command, args });
    });
  return {
    pid: child.pid,
    open: (name, options = {}) =>
      ask("open", { name, ...options }).then(({ port }) => ({ port, url: `http://127.0.0.1:${port}` })),
    close: (name) => ask("close", { name }),
    stats: () => ask("stats"),
    async stop() {
      if (child.connected) child.disconnect();
      await ended;
    },
  };
}
