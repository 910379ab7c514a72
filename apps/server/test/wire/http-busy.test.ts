/** One legal request may need many turns of a drive that no I/O interrupts: everybody else is answered meanwhile. */
import { settle, VirtualClock } from "../../src/engine/virtual-clock.js";
import { REPLIES } from "../kit/scripted-participants.js";
import { DONE, parsed, until, WireServer } from "./http-kit.js";

/** Gives way as the system's clock does; the time itself stays virtual. */
class SharedClock extends VirtualClock {
  giveWay(): Promise<void> {
    return settle();
  }
}

const emptySteps = (count: number) => ({
  steps: Array.from({ length: count }, () => ({ action: "", compensate: "" })),
  payloads: Array.from({ length: count }, () => ""),
});

let server: WireServer;
beforeEach(async () => {
  server = await WireServer.started({ clock: new SharedClock() });
});
afterEach(() => server.stop());

test.each([
  ["saga of 10,000 steps without URLs", "succeed", { trans_type: "saga", ...emptySteps(10_000) }],
  ["msg of 10,000 steps without URLs", "succeed", { trans_type: "msg", ...emptySteps(10_000) }],
  [
    "saga whose refused call is repeated 10,000 times",
    "failed",
    { trans_type: "saga", steps: [{ action: "ftp://x" }], payloads: ["{}"], retry_limit: 10_000 },
  ],
])("a %s holds nobody up", async (_name, end, body) => {
  server.participants.script("ftp://x", REPLIES.error);
  expect(await server.post("submit", { gid: "long", ...body })).toMatchObject(DONE);
  expect(parsed(await server.get("/api/ping"))).toEqual({ msg: "pong" });
  expect(await server.status("long")).toBe("submitted");
  await until(() => server.core.engine.driving === 0);
  expect(await server.status("long")).toBe(end);
});
