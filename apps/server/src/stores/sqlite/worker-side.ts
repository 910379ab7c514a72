/** The worker's end of a link: opens, answers in order of arrival, closes. Worker threads only. */
import { parentPort } from "node:worker_threads";
import { messageOf } from "./errors.js";
import type { Ask, Failure, FromWorker, ToWorker } from "./wire.js";

export interface Serving<Request, Reply> {
  answer(ask: Ask<Request>): Reply | Failure | Promise<Reply | Failure>;
  close(): void | Promise<void>;
}

export async function serve<Request, Reply>(open: () => Promise<Serving<Request, Reply>>): Promise<void> {
  const port = parentPort;
  if (port === null) throw new Error("this file is a worker of the sqlite store and runs nowhere else");
  const say = (message: FromWorker<Reply>): void => port.postMessage(message);
  try {
    const serving = await open();
    port.on("message", (message: ToWorker<Request>) => {
      if (message.kind === "close") void Promise.resolve(serving.close()).finally(() => port.close());
      else void reply(serving, message.ask, say);
    });
    say({ kind: "ready" });
  } catch (cause) {
    say({ kind: "unusable", name: cause instanceof Error ? cause.name : "Error", message: messageOf(cause) });
  }
}

async function reply<Request, Reply>(
  serving: Serving<Request, Reply>,
  ask: Ask<Request>,
  say: (message: FromWorker<Reply>) => void,
): Promise<void> {
  try {
    say({ kind: "reply", id: ask.id, reply: await serving.answer(ask) });
  } catch (cause) {
    say({ kind: "reply", id: ask.id, reply: { failed: "unavailable", message: messageOf(cause) } });
  }
}
