/** XA (protocol.md 4.7): branches are prepared by the services; the coordinator commits or rolls back in registration order. */
import { phaseTwo } from "./phase-two.js";
import type { Step, View } from "./step.js";

export function xa(view: View): Step {
  return phaseTwo(view, { forward: "commit", back: "rollback", reverse: false });
}
