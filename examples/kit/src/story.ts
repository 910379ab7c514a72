/**
 * What stands around the story that an example tells: a coordinator, a client, services on free ports, and an end in which everything
 * that was started is stopped.
 */
import { createServer, type RequestListener } from "node:http";
import { HttpClient } from "@dtm/client";
import { freePort, startCoordinator } from "./coordinator.js";

/** What an example is given for its story. */
export interface Stage {
  /** The coordinator's URL. */
  readonly server: string;
  /** A client of this coordinator; closed at the end. */
  readonly client: HttpClient;
  /** Prints a line. */
  say(line?: string): void;
  /** Serves an application on a free port, and returns its URL. Routes may be added afterwards. */
  serve(application: RequestListener): Promise<string>;
  /** A URL on this machine with a free port, for an application that listens by itself. */
  freeUrl(): Promise<URL>;
  /** Called at the end, the last one first. */
  atEnd(stop: () => unknown): void;
}

const SERVERS = {
  DTM_TEST_POSTGRES: "PostgreSQL",
  DTM_TEST_MYSQL: "MySQL or MariaDB",
};

type Server = keyof typeof SERVERS;

export interface Story {
  readonly title: string;
  /** The variables of the database servers without which it isn't begun. Default: none. */
  readonly needs?: readonly Server[];
}

/** Says what an example lacks, without a stack. */
class Missing extends Error {}

/** The database server that an example needs. Ends the example with one clear line when the variable isn't set. */
export function databaseUrl(variable: Server): string {
  const url = process.env[variable] ?? "";
  if (url !== "") return url;
  const line = `this example needs ${SERVERS[variable]}: expected its URL in ${variable}, found nothing.`;
  throw new Missing(`${line}\n"npm run services" in the repository's root starts a server and prints the line to export.`);
}

/**
 * Tells a story once: exit code 0 when it ends well, 1 when it doesn't, 130 after Ctrl-C. `--stay` keeps everything up until Ctrl-C.
 */
export async function story({ title, needs = [] }: Story, tell: (stage: Stage) => Promise<void>): Promise<void> {
  const stops: (() => unknown)[] = [];
  const interrupted = new Promise<"interrupted">((resolve) => {
    for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => resolve("interrupted"));
  });
  try {
    needs.forEach(databaseUrl);
    const told = prepare(stops).then(async (stage) => {
      stage.say(title);
      await tell(stage);
      return "told" as const;
    });
    const how = await Promise.race([told, interrupted]);
    if (how === "interrupted") process.exitCode = 130;
    else if (process.argv.includes("--stay")) {
      console.log("\nEverything stays up until Ctrl-C.");
      await interrupted;
    }
  } catch (cause) {
    console.error(cause instanceof Missing ? `✗ ${cause.message}` : cause);
    process.exitCode = 1;
  }
  for (const stop of stops.reverse()) {
    try {
      await stop();
    } catch (cause) {
      console.error("couldn't stop what was started:", cause);
      process.exitCode = 1;
    }
  }
  // Nothing of the story keeps the process, unless it was interrupted in the middle.
  if (process.exitCode === 130) process.exit();
}

async function prepare(stops: (() => unknown)[]): Promise<Stage> {
  const coordinator = await startCoordinator();
  stops.push(() => coordinator.stop());
  const client = new HttpClient({ server: coordinator.url });
  stops.push(() => client.close());
  return {
    server: coordinator.url,
    client,
    say: (line = "") => console.log(line),
    atEnd: (stop) => void stops.push(stop),
    freeUrl: async () => new URL(`http://127.0.0.1:${await freePort()}`),
    async serve(application) {
      const server = createServer(application);
      await new Promise<void>((resolve, reject) => {
        server.once("error", reject);
        server.listen(0, "127.0.0.1", resolve);
      });
      stops.push(
        () =>
          new Promise<void>((resolve) => {
            server.close(() => resolve());
            server.closeAllConnections();
          }),
      );
      const address = server.address();
      return `http://127.0.0.1:${address !== null && typeof address === "object" ? address.port : 0}`;
    },
  };
}
