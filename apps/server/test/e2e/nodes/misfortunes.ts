/** What befalls nodes under load, one at a time: each leaves calls of the victim under way that outlive its lease. */
import { until } from "../kit/until.js";
import type { Node } from "./nodes.js";
import type { Call } from "./overlaps.js";
import type { Held } from "./recorder.js";
import type { Scene } from "./scene.js";

const HELD = 6;
const PATIENCE = { withinMs: 120_000, everyMs: 20 };

/** kill -9; it comes back before or after others have taken up what it left. */
export async function killed(scene: Scene): Promise<void> {
  const { nodes, recorder, random } = scene;
  const victim = nodes.any();
  const held = await holding(victim, recorder);
  await victim.kill();
  if (random.chance(0.5)) await victim.restart();
  await takenUp(held, scene);
  held.release();
  if (!victim.up) await victim.restart();
}

/** SIGSTOP until others have taken up what it held, then SIGCONT: it wakes with answers in its sockets, or gets them soon after. */
export async function stopped(scene: Scene): Promise<void> {
  const { nodes, recorder, random } = scene;
  const victim = nodes.any();
  const held = await holding(victim, recorder);
  victim.freeze();
  await takenUp(held, scene);
  if (random.chance(0.5)) held.release();
  await victim.thaw();
  held.release();
}

async function holding(victim: Node, recorder: Scene["recorder"]): Promise<Held> {
  const held = recorder.hold(victim.server.pid, HELD);
  await until(`node ${victim.name} has ${HELD} calls under way`, async () => (held.full ? true : undefined), PATIENCE);
  return held;
}

async function takenUp(held: Held, { nodes, recorder }: Scene): Promise<void> {
  const again = async () => (recorder.repeatsOf(held).length > 0 ? true : undefined);
  await until("a call that was under way is made again by another node", again, PATIENCE).catch(async (cause: unknown) => {
    const one = async ({ gid, branchId, op }: Call): Promise<string> =>
      `${gid} ${branchId} ${op}: ${JSON.stringify((await nodes.reachable.client.query(gid)).transaction)}`;
    const calls = await Promise.all(held.calls.map((call) => one(call).catch(String)));
    throw new Error([String(cause), ...calls, nodes.lastWords].join("\n"));
  });
}
