import { EventEmitter } from "node:events";
import { pgSettled } from "./pg-status.js";

/** A client of pg that waits for an answer. */
class Busy extends EventEmitter {
  readonly readyForQuery = false;
  readonly _ended = false;

  constructor(readonly connectionParameters: object) {
    super();
  }

  getTransactionStatus(): string {
    return "T";
  }
}

test.each([500, "500"])("where queries have a limit, the wait for what was asked before has it too: %p", async (limit) => {
  jest.useFakeTimers();
  try {
    const client = new Busy({ query_timeout: limit });
    const settled = pgSettled(client)?.catch(String);
    await jest.advanceTimersByTimeAsync(500);
    expect(await settled).toMatch(/found no answer in 500 ms/);
    expect(client.listenerCount("drain") + client.listenerCount("end")).toBe(0);
  } finally {
    jest.useRealTimers();
  }
});

test("an answer ends the wait, and so does the connection's end", async () => {
  for (const event of ["drain", "end"]) {
    const client = new Busy({ query_timeout: false });
    const settled = pgSettled(client);
    client.emit(event);
    await settled;
    expect(client.listenerCount("drain") + client.listenerCount("end")).toBe(0);
  }
});
