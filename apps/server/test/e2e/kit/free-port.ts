import { createServer } from "node:net";

const given = new Set<number>();

/** A port that nobody holds now. Only for a process that must come back on the same one; anything else listens on port 0. */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once("error", reject);
    probe.listen(0, "127.0.0.1", () => {
      const address = probe.address();
      const port = address !== null && typeof address === "object" ? address.port : 0;
      probe.close(() => {
        if (given.has(port)) return resolve(freePort());
        given.add(port);
        resolve(port);
      });
    });
  });
}
