/** Workflows over HTTP and gRPC, against our coordinator and against dtm: the same progress on the wire, resumed after a crash. */
import { createServer, type RequestListener, type Server } from "node:http";
import { currentBranch } from "@dtm/barrier";
import { Server as GrpcServer, ServerCredentials } from "@grpc/grpc-js";
import { type Participants, startGrpcParticipants, startHttpParticipants } from "../../client-grpc/test/kit/participants.js";
import { type Coordinator, dtmBinary, notRun, startDtm, startOurs } from "../../client-grpc/test/kit/servers.js";
import { until } from "../../client-grpc/test/kit/until.js";
import {
  type Client,
  DtmError,
  Failure,
  GrpcClient,
  HttpClient,
  noCompensation,
  type WorkflowSagaStep,
  Workflows,
  workflowListener,
  workflowService,
} from "../src/index.js";

const COORDINATORS = [
  ["our coordinator", () => startOurs()],
  [
    "dtm",
    async () => {
      const binary = await dtmBinary();
      return binary === null ? null : startDtm(binary);
    },
  ],
] as const;

interface Callback {
  readonly address: string;
  serve(workflows: Workflows): void;
  stop(): Promise<void>;
}

async function httpCallback(): Promise<Callback> {
  let listener: RequestListener | null = null;
  const server: Server = createServer((request, response) => {
    if (listener === null) response.writeHead(503).end();
    else listener(request, response);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  const port = address !== null && typeof address === "object" ? address.port : 0;
  return {
    address: `http://127.0.0.1:${port}/workflows`,
    serve: (workflows) => {
      listener = workflowListener(workflows, { onError: () => undefined });
    },
    stop: () =>
      new Promise((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  };
}

async function grpcCallback(): Promise<Callback> {
  const server = new GrpcServer();
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (error, bound) =>
      error === null ? resolve(bound) : reject(error),
    );
  });
  return {
    address: `127.0.0.1:${port}`,
    serve: (workflows) => server.addService(...workflowService(workflows, { onError: () => undefined })),
    stop: async () => server.forceShutdown(),
  };
}

describe.each(COORDINATORS)("%s", (name, start) => {
  let coordinator: Coordinator | null = null;
  beforeAll(async () => {
    coordinator = await start();
  }, 900_000);

  describe.each(["http", "grpc"] as const)("over %s", (protocol) => {
    let client: Client;
    let services: Participants;
    let callback: Callback;
    let workflows: Workflows;

    beforeEach(async () => {
      if (coordinator === null) return;
      const { http, grpc } = coordinator;
      client = protocol === "http" ? new HttpClient({ server: http }) : new GrpcClient({ server: grpc, httpServer: http });
      services = protocol === "http" ? await startHttpParticipants() : await startGrpcParticipants();
      callback = protocol === "http" ? await httpCallback() : await grpcCallback();
      workflows = new Workflows(client, { callback: callback.address });
    });
    afterEach(async () => {
      if (coordinator === null) return;
      client.close();
      await services.stop();
      await callback.stop();
    });

    const withCoordinator = (title: string, run: () => Promise<void>): void => {
      test(title, async () => {
        if (coordinator === null) return notRun(`workflows against ${name}: Go (1.22 or newer) isn't installed`);
        await run();
      });
    };
    const payload = (): unknown => (protocol === "http" ? { amount: 30 } : Buffer.from('{"amount":30}'));
    const called = () => services.calls.map(({ path, op, branchId }) => `${branchId} ${op} ${path}`);
    const step = (path: string): WorkflowSagaStep<unknown> => ({
      action: services.url(path),
      compensate: services.url(`${path}-undo`),
      payload: payload(),
    });

    withCoordinator("mixes steps, confirms in reverse order, and gives its result again", async () => {
      let ran = 0;
      const order = workflows.define("order", async (wf, input: { seats: number }) => {
        await wf.saga(step("debit"));
        await wf.tcc({
          try: services.url("try"),
          confirm: services.url("confirm"),
          cancel: services.url("cancel"),
          payload: payload(),
        });
        const local = await wf.local(() => {
          ran++;
          const { gid, branchId, op, transType } = currentBranch();
          return { mine: gid === wf.gid, branchId, op, transType };
        });
        return { local, seats: input.seats };
      });
      const gid = await client.newGid();
      const expected = { local: { mine: true, branchId: "03", op: "action", transType: "workflow" }, seats: 2 };
      expect(await order.execute({ seats: 2 }, { gid })).toEqual(expected);
      expect(called()).toEqual(["01 action debit", "02 action try", "02 commit confirm"]);
      expect(services.calls[0]).toMatchObject({ gid, transType: "workflow", body: '{"amount":30}' });
      expect((await client.query(gid))?.status).toBe("succeed");
      // dtm's gRPC answer forgets the result (Q4), so it is asked for over HTTP.
      expect(await order.execute({ seats: 2 }, { gid })).toEqual(expected);
      expect(ran).toBe(1);
      expect(services.calls).toHaveLength(3);
    });

    withCoordinator("a gid that another workflow has is refused, open or ended, and nothing is taken from it", async () => {
      const { http, grpc } = coordinator ?? { http: "", grpc: "" };
      // Over gRPC also without a way to ask what is stored.
      const alone = new GrpcClient({ server: grpc });
      const others = protocol === "http" ? [client] : [client, alone];
      for (const [i, other] of others.entries()) {
        const own = new Workflows(other, { callback: callback.address });
        let broken = true;
        const pay = own.define(`pay${i}`, async (wf) => {
          await wf.local(() => "charged");
          if (broken) throw new Error("crashed before the next step");
          return "paid";
        });
        const ship = own.define(`ship${i}`, (wf) => wf.local(() => "printed"));
        const gid = await client.newGid();
        const asker = new HttpClient({ server: http });
        await expect(pay.execute(undefined, { gid })).rejects.toThrow("crashed");
        await expect(ship.execute(undefined, { gid })).rejects.toMatchObject({ code: "TRANSACTION_CONFLICT" });
        expect((await asker.query(gid))?.status).toBe("prepared");
        broken = false;
        expect(await pay.execute(undefined, { gid })).toBe("paid");
        asker.close();
        // Of what has ended gRPC's answer holds no steps, and dtm has forgotten the name.
        if (other === alone || name === "dtm") continue;
        await expect(ship.execute(undefined, { gid })).rejects.toMatchObject({ code: "TRANSACTION_CONFLICT" });
      }
      alone.close();
    });

    withCoordinator("an open workflow is refused to who brings another input", async () => {
      const { grpc } = coordinator ?? { grpc: "" };
      // Over gRPC also without a way to ask what is stored.
      const alone = new GrpcClient({ server: grpc });
      const others = protocol === "http" ? [client] : [client, alone];
      for (const [i, other] of others.entries()) {
        let broken = true;
        const paid: number[] = [];
        const own = new Workflows(other, { callback: callback.address });
        const pay = own.define(`pay${i}`, async (wf, input: { amount: number }) => {
          await wf.local(() => void paid.push(input.amount));
          if (broken) throw new Error("crashed before the next step");
          return input.amount;
        });
        const gid = await client.newGid();
        await expect(pay.execute({ amount: 30 }, { gid })).rejects.toThrow("crashed");
        broken = false;
        await expect(pay.execute({ amount: 50 }, { gid })).rejects.toMatchObject({
          code: "TRANSACTION_CONFLICT",
          message: expect.stringContaining("another input") as unknown,
        });
        expect(await pay.execute({ amount: 30 }, { gid })).toBe(30);
        expect(paid).toEqual([30]);
      }
      alone.close();
    });

    withCoordinator("a run that another one overtakes gets how that one ended", async () => {
      const gid = await client.newGid();
      const order = workflows.define("order", async (wf) => {
        const by = await wf.local(async () => {
          await beside.execute(undefined, { gid });
          return "the first";
        });
        return { by };
      });
      // Another process, as far as `workflows` can tell.
      const beside = new Workflows(client, { callback: callback.address }).define("order", async (wf) => {
        return { by: await wf.local(() => "the second") };
      });
      expect(await order.execute(undefined, { gid })).toEqual({ by: "the second" });
      expect((await client.query(gid))?.status).toBe("succeed");
    });

    withCoordinator("a run whose step another one has recorded goes on with that", async () => {
      const gid = await client.newGid();
      const order = workflows.define("order", async (wf) => {
        const by = await wf.local(async () => {
          await expect(beside.execute(undefined, { gid })).rejects.toThrow("dies");
          return "the first";
        });
        await wf.saga(step("ship"));
        return { by };
      });
      const beside = new Workflows(client, { callback: callback.address }).define("order", async (wf) => {
        await wf.local(() => "the second");
        throw new Error("the process dies");
      });
      expect(await order.execute(undefined, { gid })).toEqual({ by: "the second" });
      expect(called()).toEqual(["02 action ship"]);
    });

    withCoordinator("a refusal undoes what was done, the last step first, and not the one that refused", async () => {
      services.answer("ship", () => ({ kind: "failure", text: "no stock" }));
      const undone: string[] = [];
      const order = workflows.define("order", async (wf) => {
        await wf.saga(step("debit"));
        await wf.local(() => undefined, { undo: () => void undone.push(currentBranch().op) });
        await wf.saga(step("ship"));
      });
      const gid = await client.newGid();
      await expect(order.execute(undefined, { gid })).rejects.toMatchObject({ code: "TRANSACTION_FAILED", gid });
      expect(called()).toEqual(["01 action debit", "03 action ship", "01 rollback debit-undo"]);
      expect(undone).toEqual(["rollback"]);
      const state = await client.query(gid);
      expect(state).toMatchObject({ status: "failed" });
      expect(state?.rollbackReason).toContain("no stock");
      await expect(order.execute(undefined, { gid })).rejects.toMatchObject({ code: "TRANSACTION_FAILED" });
      expect(services.calls).toHaveLength(3);
    });

    withCoordinator("a refusal of a repeat undoes that step too, since the first call may still arrive", async () => {
      let calls = 0;
      services.answer("ship", () => ({ kind: ++calls === 1 ? "error" : "failure" }));
      const order = workflows.define("order", async (wf) => {
        await wf.saga(step("debit"));
        await wf.saga(step("ship"));
      });
      const gid = await client.newGid();
      await expect(order.execute(undefined, { gid })).rejects.toMatchObject({ code: "BRANCH_UNKNOWN" });
      await expect(order.execute(undefined, { gid })).rejects.toMatchObject({ code: "TRANSACTION_FAILED" });
      expect(called()).toEqual([
        "01 action debit",
        "02 action ship",
        "02 action ship",
        "02 rollback ship-undo",
        "01 rollback debit-undo",
      ]);
    });

    withCoordinator("over gRPC alone nobody tells whose a chosen gid is, so a first refusal undoes the step too", async () => {
      if (protocol === "http") return;
      services.answer("ship", () => ({ kind: "failure" }));
      const alone = new GrpcClient({ server: coordinator?.grpc ?? "" });
      const order = new Workflows(alone, { callback: callback.address }).define("alone", async (wf) => {
        await wf.saga(step("ship"));
      });
      try {
        await expect(order.execute(undefined)).rejects.toMatchObject({ code: "TRANSACTION_FAILED" });
        expect(called()).toEqual(["01 action ship"]);
        await expect(order.execute(undefined, { gid: await client.newGid() })).rejects.toMatchObject({
          code: "TRANSACTION_FAILED",
        });
        expect(called()).toEqual(["01 action ship", "01 action ship", "01 rollback ship-undo"]);
      } finally {
        alone.close();
      }
    });

    withCoordinator("a refusal that the handler deals with doesn't end the workflow", async () => {
      services.answer("first", () => ({ kind: "failure" }));
      const order = workflows.define("order", async (wf) => {
        try {
          await wf.saga(step("first"));
        } catch (error) {
          if (!(error instanceof Failure)) throw error;
          await wf.saga({ action: services.url("second"), compensate: noCompensation(), payload: payload() });
        }
        return "by the second";
      });
      expect(await order.execute(undefined)).toBe("by the second");
      expect(called()).toEqual(["01 action first", "02 action second"]);
    });

    withCoordinator(
      "an unclear step leaves it open, whatever the handler makes of it, and it is resumed where it stood",
      async () => {
        services.answer("ship", () => ({ kind: "error" }));
        const order = workflows.define("order", async (wf) => {
          await wf.saga(step("debit"));
          await wf.saga(step("ship")).catch(() => undefined);
        });
        const gid = await client.newGid();
        await expect(order.execute(undefined, { gid })).rejects.toMatchObject({ code: "BRANCH_UNKNOWN" });
        expect((await client.query(gid))?.status).toBe("prepared");
        services.answer("ship", () => ({ kind: "success" }));
        callback.serve(workflows);
        await until("the coordinator has it resumed", async () =>
          (await client.query(gid))?.status === "succeed" ? true : undefined,
        );
        expect(called().filter((call) => call === "01 action debit")).toHaveLength(1);
      },
    );

    withCoordinator("the coordinator is killed between two steps, and what it knew is not repeated", async () => {
      let runs = 0;
      const order = workflows.define("order", async (wf) => {
        await wf.saga(step("debit"));
        const number = await wf.local(async () => {
          runs++;
          if (runs === 1) await coordinator?.stop();
          return runs;
        });
        await wf.saga(step("ship"));
        return number;
      });
      const gid = await client.newGid();
      await expect(order.execute(undefined, { gid })).rejects.toBeInstanceOf(DtmError);
      expect(called()).toEqual(["01 action debit"]);
      callback.serve(workflows);
      await coordinator?.again();
      await until("the coordinator has it resumed", async () =>
        (await client.query(gid).catch(() => null))?.status === "succeed" ? true : undefined,
      );
      expect(called()).toEqual(["01 action debit", "03 action ship"]);
      // Its end was never reported.
      expect(runs).toBe(2);
    });

    withCoordinator("an unknown name and bad steps have no effect", async () => {
      await expect(workflows.resume("nobody", "g", new Uint8Array())).rejects.toMatchObject({ code: "WORKFLOW_UNKNOWN" });
      const order = workflows.define("order", (wf) => wf.local(() => 10n));
      expect(() => workflows.define("order", () => undefined)).toThrow(DtmError);
      await expect(order.execute(undefined)).rejects.toMatchObject({ code: "PAYLOAD_INVALID" });
      expect(services.calls).toEqual([]);
    });
  });
});
