/** What must hold when a world has ended, whatever happened in it. */
import type { Story } from "./clients.js";
import type { World } from "./world.js";

export function* judgeEnd(world: World): Iterable<string> {
  for (const story of world.stories.values()) {
    const status = world.peek(story.gid)?.transaction.status;
    if (status === undefined) {
      if (story.ackedPrepare || story.ackedSubmit || story.ackedAbort) yield `${story.gid} was acknowledged and is not stored`;
      continue;
    }
    if (story.forced) continue;
    if (story.ackedAbort && status !== "failed") yield `${story.gid}: its abort was acknowledged and it ended ${status}`;
    switch (story.type) {
      case "saga":
        yield* judgeSaga(world, story, status);
        break;
      case "msg":
        yield* judgeMsg(world, story, status);
        break;
      case "tcc":
      case "xa":
        yield* judgePhases(world, story, status);
        break;
      case "workflow":
        yield* judgeWorkflow(world, story, status);
    }
  }
}

/** All done, or all that ran undone. */
function* judgeSaga(world: World, { gid, steps }: Story, status: string): Iterable<string> {
  for (let step = 1; step <= steps; step++) {
    const state = world.services.state(gid, `0${step}`);
    if (status === "succeed" && !(state.effect && !state.undone)) yield `${gid} succeeded, and step ${step} is not done`;
    if (status !== "failed") continue;
    if (state.ran && !state.undone) yield `${gid} failed, and step ${step} ran and was never undone`;
    if (world.barriered && state.effect) yield `${gid} failed, and the effect of step ${step} lasts behind its barrier`;
  }
}

/** Delivered if and only if the local transaction committed. */
function* judgeMsg(world: World, { gid, steps, local, ackedSubmit }: Story, status: string): Iterable<string> {
  if (ackedSubmit && status !== "succeed") yield `${gid}: its submit was acknowledged and it ended ${status}`;
  if (local === "committed" && status !== "succeed") yield `${gid}: its local transaction committed and it ended ${status}`;
  if (local === "rolled back" && status !== "failed") yield `${gid}: its local transaction rolled back and it ended ${status}`;
  for (let step = 1; step <= steps; step++) {
    const { effect } = world.services.state(gid, `0${step}`);
    if (effect !== (status === "succeed")) yield `${gid} ended ${status}, and action ${step} is ${effect ? "" : "not "}done`;
  }
}

/** Every registered branch is confirmed, or every one cancelled. */
function* judgePhases(world: World, { gid, registered, ackedSubmit }: Story, status: string): Iterable<string> {
  if (ackedSubmit && status !== "succeed") yield `${gid}: its submit was acknowledged and it ended ${status}`;
  for (const branchId of registered) {
    const state = world.services.state(gid, branchId);
    if (status === "succeed" && (!state.confirmed || state.undone))
      yield `${gid} succeeded, and ${branchId} is not confirmed, or cancelled too`;
    if (status === "failed" && (!state.undone || state.confirmed))
      yield `${gid} failed, and ${branchId} is not cancelled, or confirmed too`;
  }
}

function* judgeWorkflow(world: World, { gid, steps, registered }: Story, status: string): Iterable<string> {
  const wanted = steps === 3 ? "failed" : "succeed";
  if (status !== wanted) yield `${gid}: the application ended it as ${wanted}, stored is ${status}`;
  const stored = new Set(world.peek(gid)?.branches.map((branch) => branch.branchId));
  for (const branchId of registered)
    if (!stored.has(branchId)) yield `${gid}: the progress ${branchId} was acknowledged and is not stored`;
}
