export type { AsJson } from "./workflow/as-json.js";
export { workflowService } from "./workflow/grpc.js";
export { type WorkflowListenerOptions, workflowListener } from "./workflow/http.js";
export {
  type LocalStepOptions,
  Workflow,
  type WorkflowSagaStep,
  type WorkflowSettings,
  type WorkflowTccStep,
} from "./workflow/workflow.js";
export {
  type DefinedWorkflow,
  type ExecuteOptions,
  type WorkflowHandler,
  type WorkflowInput,
  Workflows,
  type WorkflowsOptions,
} from "./workflow/workflows.js";
