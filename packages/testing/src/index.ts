export { startCoordinator, type TestCoordinator, type TestCoordinatorOptions } from "./coordinator.js";
export {
  type FaultMatrixOptions,
  type FaultMatrixReport,
  faultMatrix,
  InvariantBroken,
  type Kit,
  type Run,
  type Scenario,
} from "./matrix.js";
export { FAULTS, type FaultKind } from "./schedule.js";
export type { Ended } from "./world.js";
