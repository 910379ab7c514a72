/** The callback of workflows over gRPC: `workflow.Workflow/Execute` (protocol.md 2.3). */
import { BRANCH_KEYS, METADATA_PREFIX, Ongoing, workflow as protobuf } from "@dtm/protocol";
import { type Metadata, type ServiceError, status } from "@grpc/grpc-js";
import type { WorkflowListenerOptions } from "./http.js";
import { logError, report } from "./report.js";
import type { Workflows } from "./workflows.js";

/**
 * The service to add to a gRPC server: `server.addService(...workflowService(workflows))`. Answers OK for a workflow that has succeeded,
 * ABORTED for one that was rolled back, FAILED_PRECONDITION for one that isn't done, UNKNOWN for everything else.
 */
export function workflowService(
  workflows: Workflows,
  options: WorkflowListenerOptions = {},
): [definition: typeof protobuf.WorkflowService, implementation: protobuf.WorkflowServer] {
  const { onError = logError } = options;
  const implementation: protobuf.WorkflowServer = {
    execute: (call, callback) => {
      const name = textOf(call.metadata, BRANCH_KEYS.op);
      const gid = textOf(call.metadata, BRANCH_KEYS.gid);
      if (name === "" || gid === "") {
        callback(refusal(status.INVALID_ARGUMENT, "expected dtm-op and dtm-gid in the metadata: is this the coordinator?"));
        return;
      }
      workflows.resume(name, gid, call.request.Data).then(
        (resumed) => {
          if (resumed.status === "succeed") callback(null, {});
          else callback(refusal(status.ABORTED, resumed.reason));
        },
        (error: unknown) => {
          if (error instanceof Ongoing) {
            callback(refusal(status.FAILED_PRECONDITION, error.message));
            return;
          }
          void report(onError, error, { name, gid });
          callback(refusal(status.UNKNOWN, "the workflow stays open: the service's log tells why"));
        },
      );
    },
  };
  return [protobuf.WorkflowService, implementation];
}

function textOf(metadata: Metadata, key: string): string {
  const [value = ""] = metadata.get(`${METADATA_PREFIX}${key}`);
  return value.toString();
}

function refusal(code: status, details: string): Partial<ServiceError> {
  // grpc-js percent-encodes it, which throws for half of a surrogate pair, where nobody would catch it.
  return { code, details: Buffer.from(details, "utf8").toString("utf8") };
}
