/** The workflows of one service: registered by name, executed here, and resumed when the coordinator calls back (protocol.md 6.6). */
import { type CallOptions, type Client, randomGid, TransactionError, type TransactionOptions } from "@dtm/client-core";
import {
  type Coordinator,
  checkGid,
  coordinatorOf,
  describe,
  toWireOptions,
  type WorkflowState,
} from "@dtm/client-core/internal";
import { DtmError, Failure } from "@dtm/protocol";
import { Progress } from "./progress.js";
import { decodeResult, encodeResult, Workflow, type WorkflowSettings } from "./workflow.js";

/** A workflow's body. Its result is kept by the coordinator, and given to every later execution under the same gid. */
export type WorkflowHandler<Input, Output> = (workflow: Workflow, input: Input) => Promise<Output> | Output;

/** How one execution is begun. */
export interface ExecuteOptions extends CallOptions {
  /** Names the execution: the same gid resumes it, or gives its result again. Default: a new one. */
  readonly gid?: string | undefined;
  /** Base of the coordinator's interval of callbacks, in seconds. Default: the coordinator's. */
  readonly retryIntervalSeconds?: number | undefined;
}

/** A registered workflow; made by {@link Workflows.define}. */
export interface DefinedWorkflow<Input, Output> {
  readonly name: string;
  /**
   * Runs the workflow, or resumes it, and waits for its end.
   *
   * @param input - Given to the handler, also when another process resumes it. JSON.
   * @returns What the handler returned, as JSON carries it.
   * @throws DtmError TRANSACTION_FAILED when it was rolled back. Any other error leaves it open: the coordinator calls back and it is
   * resumed.
   */
  execute(input: Input, options?: ExecuteOptions): Promise<Output>;
}

/** Settings of {@link Workflows}. */
export interface WorkflowsOptions {
  /**
   * Where the coordinator calls back to have a workflow resumed: the URL that serves {@link workflowListener}, or for a gRPC client the
   * `host:port` of the server that has {@link workflowService}.
   */
  readonly callback: string;
}

interface Definition {
  readonly settings: WorkflowSettings;
  readonly handler: WorkflowHandler<unknown, unknown>;
}

/** How an execution ended that the coordinator asked for. */
type Resumed = { readonly status: "succeed" } | { readonly status: "failed"; readonly reason: string };

const GRPC_METHOD = "/workflow.Workflow/Execute";

/**
 * ```ts
 * const workflows = new Workflows(client, { callback: "http://app:3000/workflows" });
 * const order = workflows.define("order", async (wf, input: { amount: number }) => {
 *   await wf.saga({ action: debit, compensate: debitUndo, payload: { amount: input.amount } });
 *   await wf.tcc({ try: reserve, confirm, cancel, payload: { seats: 1 } });
 *   return { done: true };
 * });
 * app.all("/workflows", workflowListener(workflows));
 * const result = await order.execute({ amount: 30 });
 * ```
 */
export class Workflows {
  readonly #coordinator: Coordinator;
  readonly #callback: string;
  readonly #definitions = new Map<string, Definition>();

  /** @throws DtmError OPTION_INVALID for a callback that the client's coordinator can't call. */
  constructor(client: Client, { callback }: WorkflowsOptions) {
    this.#coordinator = coordinatorOf(client);
    this.#callback = this.#callbackOf(callback);
  }

  /**
   * Registers a workflow. Every service that may be called back needs the same ones under the same names.
   *
   * @throws DtmError OPTION_INVALID when the name is taken.
   */
  define<Input, Output>(
    name: string,
    handler: WorkflowHandler<Input, Output>,
    settings: WorkflowSettings = {},
  ): DefinedWorkflow<Input, Output> {
    if (name === "" || this.#definitions.has(name)) {
      throw new DtmError("OPTION_INVALID", `a workflow needs a name of its own, found ${describe(name)}`);
    }
    this.#definitions.set(name, { handler: handler as WorkflowHandler<unknown, unknown>, settings });
    return {
      name,
      execute: async (input, options = {}) => {
        const data = encodeResult(input);
        return decodeResult<Output>(await this.#execute(name, data, options));
      },
    };
  }

  /**
   * Resumes a workflow that the coordinator asks for.
   *
   * @throws DtmError WORKFLOW_UNKNOWN, and everything that leaves it open.
   */
  async resume(name: string, gid: string, data: Uint8Array): Promise<Resumed> {
    try {
      await this.#execute(name, data, { gid });
      return { status: "succeed" };
    } catch (error) {
      if (error instanceof TransactionError && error.code === "TRANSACTION_FAILED") {
        return { status: "failed", reason: error.rollbackReason ?? error.message };
      }
      throw error;
    }
  }

  async #execute(name: string, data: Uint8Array, options: ExecuteOptions): Promise<Uint8Array> {
    const definition = this.#definitions.get(name);
    if (definition === undefined) {
      const known = [...this.#definitions.keys()].join(", ") || "none";
      throw new DtmError("WORKFLOW_UNKNOWN", `expected one of the workflows ${known}, found ${describe(name)}`);
    }
    const gid = options.gid === undefined ? randomGid() : checkGid(options.gid);
    const state = await this.#prepare(gid, name, data, options);
    if (state.status === "succeed") return Buffer.from(state.result, "base64");
    if (state.status === "failed") throw failed(gid, state.rollbackReason);
    const progress = new Progress(this.#coordinator, gid, state.progresses);
    const workflow = new Workflow({ name, data, progress, settings: definition.settings });
    const ended = await run(definition.handler, workflow, data);
    const open = await workflow.settle();
    // A step whose outcome nobody knows: what the handler made of it doesn't decide anything.
    if (open !== null) throw open.error;
    if (ended.ok) {
      const result = encodeResult(ended.value);
      await workflow.end("commit");
      await this.#submit(gid, { status: "succeed", rollbackReason: "", result });
      return result;
    }
    if (!(ended.error instanceof Failure)) throw ended.error;
    await workflow.end("rollback");
    await this.#submit(gid, { status: "failed", rollbackReason: ended.error.message, result: new Uint8Array() });
    throw failed(gid, ended.error.message, ended.error);
  }

  #prepare(gid: string, name: string, data: Uint8Array, options: ExecuteOptions): Promise<WorkflowState> {
    const { retryIntervalSeconds, timeoutMs, signal } = options;
    const wire: TransactionOptions = retryIntervalSeconds === undefined ? {} : { retryIntervalSeconds };
    const customData = JSON.stringify({ name, data: Buffer.from(data).toString("base64") });
    const request = {
      gid,
      transType: "workflow" as const,
      options: toWireOptions(wire),
      queryPrepared: this.#callback,
      customData,
    };
    return this.#coordinator.prepareWorkflow(request, { timeoutMs, signal });
  }

  #submit(
    gid: string,
    end: { readonly status: "succeed" | "failed"; readonly rollbackReason: string; readonly result: Uint8Array },
  ) {
    const extra = {
      status: end.status,
      rollback_reason: end.rollbackReason,
      result: Buffer.from(end.result).toString("base64"),
    };
    const request = { gid, transType: "workflow" as const, options: toWireOptions({}), extra };
    return this.#coordinator.finishWorkflow(request, end.status);
  }

  #callbackOf(callback: string): string {
    const { transport } = this.#coordinator;
    const url = transport.name === "grpc" && !callback.includes("/") ? `${callback}${GRPC_METHOD}` : callback;
    try {
      transport.checkAddress(url, "callback");
    } catch (cause) {
      throw new DtmError("OPTION_INVALID", cause instanceof Error ? cause.message : String(cause), { cause });
    }
    return url;
  }
}

type HandlerEnd = { readonly ok: true; readonly value: unknown } | { readonly ok: false; readonly error: unknown };

async function run(handler: Definition["handler"], workflow: Workflow, data: Uint8Array): Promise<HandlerEnd> {
  try {
    return { ok: true, value: await handler(workflow, decodeResult<unknown>(data)) };
  } catch (error) {
    return { ok: false, error };
  }
}

function failed(gid: string, reason: string, cause?: unknown): TransactionError {
  const message = `workflow ${gid} was rolled back: ${reason}`;
  return new TransactionError("TRANSACTION_FAILED", message, { gid, status: "failed", rollbackReason: reason, cause });
}
