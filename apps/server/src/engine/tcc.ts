/** TCC (protocol.md 4.6): tries are the client's; the coordinator confirms or cancels, last registered first. */
import { phaseTwo } from "./phase-two.js";
import type { Step, View } from "./step.js";

export function tcc(view: View): Step {
  return phaseTwo(view, { forward: "confirm", back: "cancel", reverse: true });
}
