/** A coordinator inside a test, with a clock that the test moves. */
import type { RequestListener } from "node:http";
import type { Client } from "@dtm/client-core";
import { DtmError } from "@dtm/protocol";
import type { EngineSettings } from "@dtm/server/embedded";
import { checkCoordinator, checkMs, checkService } from "./options.js";
import { World } from "./world.js";

/** Settings of {@link startCoordinator}. */
export interface TestCoordinatorOptions {
  /** The server's own settings, like `{ types: … }`. Default: those of a server without configuration. */
  readonly settings?: Partial<EngineSettings> | undefined;
  /**
   * Real time in milliseconds that a handler may run without an answer, or a wait for virtual time, before whoever waits for time to pass is told
   * so (OPTION_INVALID): `Infinity` for a debugger. Default: 10,000.
   */
  readonly longestHandlerMs?: number | undefined;
}

/** A coordinator in this process, with a clock of its own. */
export interface TestCoordinator {
  /** The whole client, in process. */
  readonly client: Client;
  /**
   * Serves every branch address that begins with `origin`: `serve("http://bank", app)`, or `serve("http://gateway/bank", app)` for what lies
   * below it. The longest of several serves, the same one again is replaced. An Express app, a Fastify instance's `routing`, or any listener
   * of `node:http`; called without a socket, with the whole path.
   */
  serve(origin: string, listener: RequestListener): void;
  /** Virtual time, in milliseconds since 1970. Handlers that ask the system's clock see real time. */
  now(): number;
  /** Lets so many milliseconds pass; everything that comes due in them happens. */
  advance(ms: number): Promise<void>;
  /**
   * Lets time pass until the transaction has ended.
   *
   * @returns `succeed` or `failed`.
   * @throws DtmError TRANSACTION_UNKNOWN; DEADLINE_EXCEEDED when it hasn't ended after `withinMs` (default: 30 days).
   */
  ended(gid: string, withinMs?: number): Promise<string>;
  /** The process dies, and another one goes on with what it had stored. */
  restart(): Promise<void>;
  /** Ends it. Nothing is left that would keep the process alive. */
  stop(): Promise<void>;
}

export function isFinal(status: string | null): boolean {
  return status === "succeed" || status === "failed";
}

const LONGEST_MS = 30 * 86_400_000;

/**
 * Starts a coordinator in this process: the real one, on its memory store, with a virtual clock. A week of retries takes milliseconds.
 *
 * Throws DtmError OPTION_INVALID, naming the option. So do its methods, and whatever waits for virtual time while a handler never answers.
 *
 * ```ts
 * const dtm = await startCoordinator();
 * dtm.serve("http://bank", app);
 * const saga = await dtm.client.saga().step({ … }).submit();
 * expect(await dtm.ended(saga.gid)).toBe("succeed");
 * await dtm.stop();
 * ```
 */
export async function startCoordinator(options: TestCoordinatorOptions = {}): Promise<TestCoordinator> {
  checkCoordinator(options);
  const { settings, longestHandlerMs } = options;
  const world = new World({ schedule: [], settings, longestHandlerMs });
  await world.start();
  const { client } = world;
  return {
    client,
    serve(origin, listener) {
      checkService(origin, listener);
      world.serve(origin, listener);
    },
    now: () => world.clock.now(),
    async advance(ms) {
      checkMs("advance", ms);
      await world.pause(ms);
    },
    async ended(gid, withinMs = LONGEST_MS) {
      checkMs("withinMs", withinMs);
      const final = (): boolean => isFinal(world.statusOf(gid));
      const found = world.statusOf(gid);
      if (found === null) throw new DtmError("TRANSACTION_UNKNOWN", `expected a transaction ${gid}, found none`);
      if (!(await world.pass(world.clock.now() + withinMs, final))) {
        const message = `expected the end of ${gid} within ${withinMs} ms, found it '${world.statusOf(gid)}'`;
        throw new DtmError("DEADLINE_EXCEEDED", message);
      }
      return world.statusOf(gid) ?? found;
    },
    async restart() {
      world.restart();
      await world.pause(2_000);
    },
    async stop() {
      client.close();
      await world.stop();
    },
  };
}
