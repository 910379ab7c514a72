/** Every call of the SDK, over HTTP and gRPC, against our coordinator and against dtm. */

import { HttpClient } from "@dtm/client-http";
import { type Client, DtmError, Failure, GrpcClient, noCompensation, type TransactionState } from "../src/index.js";
import { type Call, type Participants, startGrpcParticipants, startHttpParticipants } from "./kit/participants.js";
import { type Coordinator, dtmBinary, notRun, startDtm, startOurs } from "./kit/servers.js";
import { until } from "./kit/until.js";

type Start = () => Promise<Coordinator | null>;

const COORDINATORS: readonly (readonly [string, Start])[] = [
  ["our coordinator", () => startOurs()],
  [
    "dtm",
    async () => {
      const binary = await dtmBinary();
      return binary === null ? null : startDtm(binary);
    },
  ],
];

describe.each(COORDINATORS)("%s", (name, start) => {
  let coordinator: Coordinator | null = null;
  beforeAll(async () => {
    coordinator = await start();
  }, 900_000);

  describe.each(["http", "grpc"] as const)("over %s", (protocol) => {
    let client: Client;
    let services: Participants;
    const warnings: Error[] = [];

    beforeAll(async () => {
      if (coordinator === null) return;
      const { http, grpc } = coordinator;
      const onWarning = (warning: Error): void => void warnings.push(warning);
      client =
        protocol === "http"
          ? new HttpClient({ server: http, onWarning })
          : new GrpcClient({ server: grpc, httpServer: `${http}/api/dtmsvr`, onWarning });
      services = protocol === "http" ? await startHttpParticipants() : await startGrpcParticipants();
    });
    afterAll(async () => {
      if (coordinator === null) return;
      client.close();
      await services.stop();
    });
    beforeEach(() => {
      services?.calls.splice(0);
      warnings.splice(0);
    });

    const withCoordinator = (title: string, run: () => Promise<void>): void => {
      test(title, async () => {
        if (coordinator === null) return notRun(`SDK against ${name}: Go (1.22 or newer) isn't installed`);
        await run();
      });
    };

    /** JSON over HTTP; over gRPC the same text as bytes, so that both can be compared. */
    const payload = (value: unknown): unknown => (protocol === "http" ? value : Buffer.from(JSON.stringify(value)));
    let used = 0;
    /** Own paths for each test: services answer success unless told otherwise. */
    const branches = (...names: string[]): Record<string, string> => {
      used += 1;
      return Object.fromEntries(names.map((path) => [path, services.url(`${path}${used}`)]));
    };
    const script = (url: string | undefined, answer: Parameters<Participants["answer"]>[1]): void => {
      services.answer(String(url).split("/").at(-1) ?? "", answer);
    };
    const called = (gid: string): string[] =>
      services.calls
        .filter((call) => call.gid === gid)
        .map((call) => `${call.op} ${call.branchId} ${call.path.replace(/\d+$/, "")}`);
    const callsOf = (gid: string): Call[] => services.calls.filter((call) => call.gid === gid);
    const ended = (gid: string): Promise<TransactionState> => client.waitFor(gid, { timeoutMs: 120_000 });
    const codeOf = async (promise: Promise<unknown>): Promise<string> => {
      const error: unknown = await promise.then(
        () => new Error("it succeeded"),
        (reason: unknown) => reason,
      );
      if (error instanceof DtmError) return error.code;
      throw error;
    };

    withCoordinator("newGid: one of its own for each", async () => {
      const gids = await Promise.all([client.newGid(), client.newGid()]);
      expect(gids[0]).toMatch(/^[\w-]{8,}$/);
      expect(gids[0]).not.toBe(gids[1]);
    });

    withCoordinator("saga: the steps one after the other, with their payloads and headers", async () => {
      const { debit = "", undo = "", ship = "" } = branches("debit", "undo", "ship");
      const { gid } = await client
        .saga({
          branchHeaders: { "x-tenant": "t1" },
          requestTimeoutSeconds: 5,
          timeoutToFailSeconds: 60,
          retryIntervalSeconds: 10,
          retryLimit: 2,
        })
        .step({ action: debit, compensate: undo, payload: payload({ amount: 30 }) })
        .step({ action: ship, compensate: noCompensation(), payload: payload({ order: "o1" }) })
        .submit({ waitResult: true });
      expect(called(gid)).toEqual(["action 01 debit", "action 02 ship"]);
      expect(callsOf(gid).map((call) => call.body)).toEqual(['{"amount":30}', '{"order":"o1"}']);
      expect(callsOf(gid)[0]?.headers["x-tenant"]).toBe("t1");
      expect(await client.query(gid)).toMatchObject({ gid, transType: "saga", status: "succeed" });
    });

    withCoordinator("saga: a refused step undoes the ones before", async () => {
      const { debit = "", undo = "", ship = "" } = branches("debit", "undo", "ship");
      script(ship, () => ({ kind: "failure", text: "out of stock" }));
      const saga = client
        .saga()
        .step({ action: debit, compensate: undo, payload: payload({ amount: 30 }) })
        .step({ action: ship, compensate: noCompensation() });
      await expect(saga.submit({ waitResult: true })).rejects.toMatchObject({
        code: "TRANSACTION_FAILED",
        gid: saga.gid,
        rollbackReason: expect.stringContaining("out of stock") as unknown,
      });
      const state = await ended(saga.gid);
      expect(state).toMatchObject({ status: "failed", rollbackReason: expect.stringContaining("out of stock") as unknown });
      expect(called(saga.gid)).toEqual(["action 01 debit", "action 02 ship", "compensate 01 undo"]);
    });

    withCoordinator("saga: a waited-for one that isn't done is running, and ends by itself", async () => {
      const { slow = "", undo = "" } = branches("slow", "undo");
      let asked = 0;
      script(slow, () => ({ kind: ++asked === 1 ? "ongoing" : "success" }));
      const saga = client.saga({ retryIntervalSeconds: 1 }).step({ action: slow, compensate: undo });
      await expect(saga.submit({ waitResult: true })).rejects.toMatchObject({ code: "TRANSACTION_RUNNING", status: "submitted" });
      expect(await ended(saga.gid)).toMatchObject({ status: "succeed" });
    });

    withCoordinator("saga: concurrent, in the order asked for", async () => {
      const { a = "", b = "", c = "", undo = "" } = branches("a", "b", "c", "undo");
      const { gid } = await client
        .saga()
        .step({ action: a, compensate: undo, after: ["last", 1] })
        .step({ action: b, compensate: undo, after: ["last"] })
        .step({ name: "last", action: c, compensate: undo })
        .concurrent()
        .submit({ waitResult: true });
      expect(called(gid)).toEqual(["action 03 c", "action 02 b", "action 01 a"]);
    });

    withCoordinator("saga: submitted again with the same gid it is the same saga, and a used-up gid is a conflict", async () => {
      const { debit = "", undo = "" } = branches("debit", "undo");
      let open: () => void = () => undefined;
      const gate = new Promise<void>((resolve) => {
        open = resolve;
      });
      script(debit, async () => {
        await gate;
        return { kind: "success" };
      });
      const saga = client.saga({ requestTimeoutSeconds: 60 }).step({ action: debit, compensate: undo });
      await saga.submit();
      await saga.submit();
      open();
      expect(await ended(saga.gid)).toMatchObject({ status: "succeed" });
      await expect(saga.submit()).rejects.toMatchObject({ code: "TRANSACTION_CONFLICT", status: "succeed" });
      await expect(saga.submit({ waitResult: true })).rejects.toMatchObject({ code: "TRANSACTION_CONFLICT", status: "succeed" });
    });

    withCoordinator("tcc: tried with answers, then confirmed; nested branches below their parent", async () => {
      const { reserve = "", seat = "", confirm = "", cancel = "" } = branches("reserve", "seat", "confirm", "cancel");
      script(seat, () => ({ kind: "success", body: '{"seat":"4A"}' }));
      script(reserve, async (call) => {
        const nested = { gid: call.gid, transType: call.transType, branchId: call.branchId, coordinator: call.coordinator };
        const parts = { try: seat, confirm, cancel, payload: payload({ nested: true }) };
        const answer = await client.tccFrom(nested).branch(parts);
        return { kind: "success", body: answer.text() };
      });
      const result = await client.tcc({ waitResult: true, branchHeaders: { "x-tenant": "t2" } }, async (tcc) => {
        const answer = await tcc.branch({ try: reserve, confirm, cancel, payload: payload({ row: 4 }) });
        await tcc.branch({ try: seat, confirm, cancel, payload: payload({ second: true }) });
        return { gid: tcc.gid, seat: answer.json() };
      });
      expect(result.seat).toEqual({ seat: "4A" });
      expect(called(result.gid).slice(0, 3)).toEqual(["try 01 reserve", "try 0101 seat", "try 02 seat"]);
      expect(called(result.gid).slice(3).sort()).toEqual(["confirm 01 confirm", "confirm 0101 confirm", "confirm 02 confirm"]);
      expect(callsOf(result.gid)[0]).toMatchObject({ transType: "tcc", body: '{"row":4}' });
      expect(callsOf(result.gid)[0]?.headers["x-tenant"]).toBe("t2");
      expect(callsOf(result.gid)[0]?.coordinator).toBe(
        protocol === "http" ? `${coordinator?.http}/api/dtmsvr` : coordinator?.grpc,
      );
      expect(await client.query(result.gid)).toMatchObject({ status: "succeed" });
    });

    withCoordinator("tcc: a refused try cancels everything, and its error comes out", async () => {
      const { reserve = "", no = "", confirm = "", cancel = "" } = branches("reserve", "no", "confirm", "cancel");
      script(no, () => ({ kind: "failure", text: "sold out" }));
      let gid = "";
      const run = client.tcc(async (tcc) => {
        gid = tcc.gid;
        await tcc.branch({ try: reserve, confirm, cancel });
        await tcc.branch({ try: no, confirm, cancel });
      });
      await expect(run).rejects.toBeInstanceOf(Failure);
      await expect(run).rejects.toThrow("sold out");
      expect(await ended(gid)).toMatchObject({
        status: "failed",
        rollbackReason: expect.stringContaining("sold out") as unknown,
      });
      expect(called(gid).slice(2).sort()).toEqual(["cancel 01 cancel", "cancel 02 cancel"]);
    });

    withCoordinator("tcc: a branch error that the callback swallows, or never awaits, aborts all the same", async () => {
      const { no = "", confirm = "", cancel = "" } = branches("no", "confirm", "cancel");
      script(no, () => ({ kind: "error", text: "who knows" }));
      for (const work of ["swallowed", "not awaited"]) {
        let gid = "";
        const run = client.tcc(async (tcc) => {
          gid = tcc.gid;
          const branch = tcc.branch({ try: no, confirm, cancel }).catch(() => undefined);
          if (work === "swallowed") await branch;
        });
        expect(await codeOf(run)).toBe("BRANCH_UNKNOWN");
        expect(await ended(gid)).toMatchObject({ status: "failed" });
        expect(called(gid)).toEqual(["try 01 no", "cancel 01 cancel"]);
      }
    });

    withCoordinator("tcc: an error of the callback itself is rethrown as it is", async () => {
      const error = new RangeError("my own");
      let gid = "";
      const run = client.tcc(async (tcc) => {
        gid = tcc.gid;
        throw error;
      });
      await expect(run).rejects.toBe(error);
      expect(await ended(gid)).toMatchObject({ status: "failed", rollbackReason: "my own" });
    });

    withCoordinator("tcc: a payload that is too large is a refusal, and nothing is tried", async () => {
      if (name === "dtm") return;
      const { reserve = "", confirm = "", cancel = "" } = branches("reserve", "confirm", "cancel");
      const large = payload("x".repeat(1024 * 1024));
      let gid = "";
      const run = client.tcc((tcc) => {
        gid = tcc.gid;
        return tcc.branch({ try: reserve, confirm, cancel, payload: large });
      });
      expect(await codeOf(run)).toBe("COORDINATOR_REFUSED");
      expect(await ended(gid)).toMatchObject({ status: "failed", branches: [] });
      expect(called(gid)).toEqual([]);
    });

    withCoordinator("xa: each branch registers itself and is committed; a failed one rolls back", async () => {
      const { pay = "", no = "" } = branches("pay", "no");
      const register = async (call: Call): Promise<void> => {
        if (call.op !== "action") return;
        await client.registerXaBranch({
          gid: call.gid,
          branchId: call.branchId,
          url: call.phase2Url,
          coordinator: call.coordinator,
        });
      };
      script(pay, async (call) => {
        await register(call);
        return { kind: "success", body: "paid" };
      });
      script(no, async (call) => {
        await register(call);
        return call.op === "action" ? { kind: "failure", text: "no" } : { kind: "success" };
      });
      const gid = await client.xa({ waitResult: true }, async (xa) => {
        expect((await xa.branch({ url: pay, payload: payload({ amount: 1 }) })).text()).toBe("paid");
        await xa.branch({ url: pay });
        return xa.gid;
      });
      expect(called(gid).sort()).toEqual(["action 01 pay", "action 02 pay", "commit 01 pay", "commit 02 pay"]);
      let failed = "";
      const run = client.xa(async (xa) => {
        failed = xa.gid;
        await xa.branch({ url: pay });
        await xa.branch({ url: no });
      });
      await expect(run).rejects.toBeInstanceOf(Failure);
      expect(await ended(failed)).toMatchObject({ status: "failed" });
      expect(called(failed).slice(2).sort()).toEqual(["rollback 01 pay", "rollback 02 no"]);
    });

    withCoordinator("xa: nested branches below their parent, committed with it", async () => {
      const { outer = "", inner = "" } = branches("outer", "inner");
      const register = async ({ op, gid, branchId, phase2Url: url, coordinator: told }: Call): Promise<void> => {
        if (op === "action") await client.registerXaBranch({ gid, branchId, url, coordinator: told });
      };
      script(inner, async (call) => {
        await register(call);
        return { kind: "success", body: "from inside" };
      });
      script(outer, async (call) => {
        await register(call);
        if (call.op !== "action") return { kind: "success" };
        const { gid, transType, branchId, coordinator: told } = call;
        const answer = await client.xaFrom({ gid, transType, branchId, coordinator: told }).branch({ url: inner });
        return { kind: "success", body: answer.text() };
      });
      const gid = await client.xa({ waitResult: true }, async (xa) => {
        expect((await xa.branch({ url: outer })).text()).toBe("from inside");
        return xa.gid;
      });
      expect(called(gid).slice(0, 2)).toEqual(["action 01 outer", "action 0101 inner"]);
      expect(called(gid).slice(2).sort()).toEqual(["commit 01 outer", "commit 0101 inner"]);
    });

    withCoordinator("xa: a late registration is a conflict", async () => {
      const gid = await client.xa(async (xa) => xa.gid);
      expect(await codeOf(client.registerXaBranch({ gid, branchId: "01", url: branches("late")["late"] ?? "" }))).toBe(
        "TRANSACTION_CONFLICT",
      );
    });

    withCoordinator("msg: submitted without prepare, with a delay", async () => {
      const { mail = "", book = "" } = branches("mail", "book");
      const { gid } = await client
        .msg()
        .step({ action: mail, payload: payload({ to: "a" }) })
        .step({ action: book, payload: payload({ to: "b" }) })
        .submit({ waitResult: true });
      expect(called(gid)).toEqual(["action 01 mail", "action 02 book"]);
      const later = await client
        .msg()
        .step({ action: mail, payload: payload({}) })
        .delay(2)
        .submit();
      expect(called(later.gid)).toEqual([]);
      expect(await ended(later.gid)).toMatchObject({ status: "succeed" });
      expect(called(later.gid)).toEqual(["action 01 mail"]);
    });

    withCoordinator("msg: concurrent, all steps at once; over gRPC it is refused, which has no field for it", async () => {
      if (protocol === "grpc") {
        expect(() => client.msg({ concurrent: true })).toThrow(expect.objectContaining({ code: "OPTION_INVALID" }));
        return;
      }
      const { first = "", second = "" } = branches("first", "second");
      let open: () => void = () => undefined;
      const secondCame = new Promise<void>((resolve) => {
        open = resolve;
      });
      script(first, async () => {
        await secondCame;
        return { kind: "success" };
      });
      script(second, () => {
        open();
        return { kind: "success" };
      });
      const { gid } = await client
        .msg({ concurrent: true, requestTimeoutSeconds: 60 })
        .step({ action: first, payload: payload({}) })
        .step({ action: second, payload: payload({}) })
        .submit();
      expect(await ended(gid)).toMatchObject({ status: "succeed" });
      expect(called(gid).sort()).toEqual(["action 01 first", "action 02 second"]);
    });

    withCoordinator("msg: prepared, then submitted or taken back; each may be repeated", async () => {
      const { mail = "", query = "" } = branches("mail", "query");
      const sent = client.msg().step({ action: mail, payload: payload({}) });
      await sent.prepare(query);
      await sent.prepare(query);
      expect(await client.query(sent.gid)).toMatchObject({ status: "prepared", transType: "msg" });
      await sent.submit();
      expect(await ended(sent.gid)).toMatchObject({ status: "succeed" });
      await sent.submit();
      const back = client.msg().step({ action: mail, payload: payload({}) });
      await back.prepare(query);
      await back.abort();
      await back.abort();
      expect(await client.query(back.gid)).toMatchObject({ status: "failed" });
      expect(await codeOf(back.submit())).toBe("TRANSACTION_FAILED");
      expect(await codeOf(sent.abort())).toBe("TRANSACTION_CONFLICT");
      expect(await codeOf(client.msg().step({ action: mail }).abort())).toBe("TRANSACTION_UNKNOWN");
      expect(called(back.gid)).toEqual([]);
    });

    withCoordinator("msg: doAndSubmit goes by what the local transaction came to", async () => {
      const { mail = "", query = "" } = branches("mail", "query");
      const run = async (work: () => unknown): Promise<{ gid: string; result: unknown }> => {
        const msg = client.msg().step({ action: mail, payload: payload({}) });
        const result: unknown = await msg.doAndSubmit(query, work).catch((error: unknown) => ({ error }));
        return { gid: msg.gid, result };
      };
      const done = await run(async () => "stored");
      expect(done.result).toBe("stored");
      expect(await ended(done.gid)).toMatchObject({ status: "succeed" });
      expect(called(done.gid)).toEqual(["action 01 mail"]);

      const failure = new Failure("no money");
      const refused = await run(() => {
        throw failure;
      });
      expect(refused.result).toEqual({ error: failure });
      expect(await client.query(refused.gid)).toMatchObject({ status: "failed" });

      const error = new Error("connection lost");
      const thrown = (): never => {
        throw error;
      };
      const committed = await run(thrown);
      expect(committed.result).toEqual({ error });
      expect(called(committed.gid)[0]).toBe("msg 00 query");
      expect(await ended(committed.gid)).toMatchObject({ status: "succeed" });

      script(query, () => ({ kind: "failure" }));
      const rolledBack = await run(thrown);
      expect(rolledBack.result).toEqual({ error });
      expect(await client.query(rolledBack.gid)).toMatchObject({ status: "failed" });

      script(query, () => ({ kind: "error" }));
      expect(warnings).toEqual([]);
      const open = await run(thrown);
      expect(open.result).toEqual({ error });
      expect(warnings).toMatchObject([{ code: "BRANCH_UNKNOWN" }]);
      expect(await client.query(open.gid)).toMatchObject({ status: "prepared" });
    });

    withCoordinator("topics: to every subscriber; what isn't there is refused", async () => {
      const { first = "", second = "" } = branches("first", "second");
      const topic = `news-${protocol}-${name.replaceAll(" ", "-")}`;
      expect(await codeOf(client.msg().topic(topic, payload({})).submit())).toBe("COORDINATOR_REFUSED");
      await client.topics.subscribe(topic, first, "a reader");
      await client.topics.subscribe(topic, second);
      expect(await codeOf(client.topics.subscribe(topic, first))).toBe("COORDINATOR_REFUSED");
      // dtm learns of subscribers after a while.
      const gid = await until("both subscribers get the message", async () => {
        const msg = client.msg().topic(topic, payload({ head: "line" }));
        const sent = await msg.submit().catch((error: unknown) => {
          if (error instanceof DtmError && error.code === "COORDINATOR_REFUSED") return null;
          throw error;
        });
        if (sent === null) return undefined;
        const state = await ended(msg.gid);
        return state.branches.length === 2 ? msg.gid : undefined;
      });
      expect(called(gid).sort()).toEqual(["action 01-01 first", "action 01-02 second"]);
      expect(callsOf(gid)[0]?.body).toBe('{"head":"line"}');
      await client.topics.unsubscribe(topic, second);
      expect(await codeOf(client.topics.unsubscribe(topic, second))).toBe("COORDINATOR_REFUSED");
      await client.topics.delete(topic);
    });

    withCoordinator("query and waitFor: of an unknown gid", async () => {
      expect(await client.query("nobody-has-this")).toBeNull();
      expect(await codeOf(client.waitFor("nobody-has-this"))).toBe("TRANSACTION_UNKNOWN");
      const { slow = "" } = branches("slow");
      script(slow, () => ({ kind: "ongoing" }));
      const { gid } = await client.saga().step({ action: slow, compensate: noCompensation() }).submit();
      expect(await codeOf(client.waitFor(gid, { timeoutMs: 300 }))).toBe("DEADLINE_EXCEEDED");
      expect(await codeOf(client.waitFor(gid, { signal: AbortSignal.abort(new Error("enough")) }))).toBe("DEADLINE_EXCEEDED");
    });
  });
});
