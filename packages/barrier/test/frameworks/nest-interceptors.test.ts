/** A branch under whatever interceptors and filters an application has: what is answered is what the branch did. */
import "reflect-metadata";
import { EventEmitter } from "node:events";
import type { ServerResponse } from "node:http";
import { Failure, Ongoing } from "@dtm/protocol";
import {
  type ArgumentsHost,
  type CallHandler,
  Catch,
  ConflictException,
  Controller,
  type ExceptionFilter,
  type ExecutionContext,
  Inject,
  type LoggerService,
  type NestInterceptor,
  Post,
  Res,
  UseFilters,
} from "@nestjs/common";
import { GrpcMethod, RpcException, Transport } from "@nestjs/microservices";
import { ExpressAdapter } from "@nestjs/platform-express";
import { FastifyAdapter } from "@nestjs/platform-fastify";
import { Test } from "@nestjs/testing";
import {
  catchError,
  EMPTY,
  endWith,
  ignoreElements,
  lastValueFrom,
  map,
  type Observable,
  of,
  retry,
  tap,
  throwError,
  timeout,
} from "rxjs";
import { DtmBranch, DtmBranchInterceptor, DtmModule } from "../../src/nest.js";
import { freePort } from "./free-port.js";
import { BRANCH_METADATA, BUSI, grpcCall, type Message } from "./grpc-call.js";
import { BRANCH_QUERY, httpCall } from "./http-call.js";

type Around = (branch: Observable<unknown>, context: ExecutionContext) => Observable<unknown>;

/** Which the test decides at the moment of the call. */
class Outer implements NestInterceptor {
  around: Around = (branch) => branch;
  intercept(context: ExecutionContext, next: CallHandler): Observable<unknown> {
    return this.around(next.handle(), context);
  }
}

const HANDLE = Symbol("the method of the test");
type Handle = () => unknown;
const refuse: Handle = () => {
  throw new Failure("no money");
};
const wait: Handle = () => {
  throw new Ongoing("not yet");
};
const fail: Handle = () => {
  throw new Error("db down");
};
const late: Handle = () => new Promise((resolve) => setTimeout(() => resolve({ ok: 1 }), 60));

const rawOf = (response: ServerResponse & { readonly raw?: ServerResponse }): ServerResponse => response.raw ?? response;

/** Of a method, so it comes before the branch's own; it sets a header, which an answer that is out can't take. */
@Catch()
class EverythingIs200 implements ExceptionFilter {
  catch(_: unknown, host: ArgumentsHost): void {
    const response = host.switchToHttp().getResponse();
    rawOf(response).setHeader("x-code", "-1");
    response.status(200).send({ code: -1 });
  }
}

@Controller()
class Service {
  constructor(@Inject(HANDLE) private readonly handle: { now: Handle }) {}

  @Post("branch")
  @DtmBranch()
  branch(): unknown {
    return this.handle.now();
  }

  @Post("filtered")
  @UseFilters(EverythingIs200)
  @DtmBranch()
  filtered(): unknown {
    return this.handle.now();
  }

  @Post("own")
  @DtmBranch()
  async own(@Res() response: { header(name: string, value: string): unknown; send(body: string): unknown }): Promise<unknown> {
    response.header("x-own", "1");
    response.send('{"code":0}');
    return this.handle.now();
  }
}

/** What Nest and Fastify have to complain about. */
const logged: unknown[] = [];
const log = (...said: unknown[]) => void logged.push(said);
const LOGGER: LoggerService = { log() {}, warn: log, error: log, fatal: log };

const PLATFORMS = [
  { platform: "Express", adapter: () => new ExpressAdapter() },
  {
    platform: "Fastify",
    adapter: () => {
      const adapter = new FastifyAdapter({ logger: { level: "warn", stream: { write: log } } });
      // As compression does: between the answer and its bytes there is time.
      adapter.getInstance().addHook("onSend", async (_request, _reply, payload) => {
        await new Promise(setImmediate);
        return payload;
      });
      return adapter;
    },
  },
] as const;

const swallowing: Around = (branch) =>
  branch.pipe(
    map((data) => ({ code: 0, data })),
    catchError(() => of({ code: 1, message: "error" })),
  );

const header = (context: ExecutionContext) => {
  const response = context.switchToHttp().getResponse();
  response.header("x-took", "1");
  rawOf(response).setHeader("x-took", "1");
};

describe.each(PLATFORMS)("NestJS over $platform", ({ adapter }) => {
  const outer = new Outer();
  const handle = { now: (): unknown => undefined };
  const errors: unknown[] = [];
  const rejections: unknown[] = [];
  const onRejection = (reason: unknown) => void rejections.push(reason);
  let base: string;
  let close: () => Promise<void>;
  const call = (now: Handle, path = "branch") => {
    handle.now = now;
    return httpCall(`${base}/${path}?${BRANCH_QUERY}`, "{}");
  };
  const ok: Handle = () => ({ ok: 1 });

  beforeAll(async () => {
    process.on("unhandledRejection", onRejection);
    const testing = await Test.createTestingModule({
      imports: [DtmModule.forRoot({ client: {}, onError: (error) => errors.push(error) })],
      controllers: [Service],
      providers: [{ provide: HANDLE, useValue: handle }],
    }).compile();
    const app = testing.createNestApplication(adapter(), { logger: LOGGER });
    app.useGlobalInterceptors(outer);
    await app.listen(0, "127.0.0.1");
    base = await app.getUrl();
    close = () => app.close();
  });
  beforeEach(() => {
    outer.around = (branch) => branch;
    for (const list of [errors, rejections, logged]) list.length = 0;
  });
  afterEach(async () => {
    await new Promise(setImmediate);
    expect({ logged, rejections }).toEqual({ logged: [], rejections: [] });
  });
  afterAll(async () => {
    process.off("unhandledRejection", onRejection);
    await close();
  });

  test.each<[string, Around]>([
    ["makes a value of every error", swallowing],
    [
      "makes a 200 of every error",
      (branch, context) =>
        branch.pipe(
          catchError(() => {
            context.switchToHttp().getResponse().status(200);
            return of({ code: 1 });
          }),
        ),
    ],
    ["adds a verdict's word", (branch) => branch.pipe(map((data) => ({ data, lastFailure: "FAILURES: 0" })))],
    ["makes a text of it", (branch) => branch.pipe(map((data) => JSON.stringify(data)))],
    ["makes another error of every error", (branch) => branch.pipe(catchError(() => throwError(() => new ConflictException())))],
    ["sets a header afterwards", (branch, context) => branch.pipe(tap(() => header(context)))],
    ["makes nothing of it", (branch) => branch.pipe(ignoreElements(), endWith(undefined))],
    ["tries again", (branch) => branch.pipe(retry(2))],
    ["sends it itself", (branch, context) => branch.pipe(tap(() => context.switchToHttp().getResponse().send('{"code":0}')))],
  ])("under an interceptor that %s the branch's own answer is sent", async (_, around) => {
    outer.around = around;
    expect(await call(refuse)).toMatchObject({ status: 409, body: '{"dtm_result":"FAILURE","message":"no money"}' });
    expect(await call(wait)).toMatchObject({ status: 425, body: '{"dtm_result":"ONGOING","message":"not yet"}' });
    expect(errors).toEqual([]);
    expect((await call(fail)).status).toBe(500);
    expect(errors).toEqual([new Error("db down")]);
    expect(await call(ok)).toMatchObject({ status: 200, body: '{"ok":1}' });
    expect(await call(() => undefined)).toMatchObject({ status: 200, body: '{"dtm_result":"SUCCESS"}' });
    await new Promise((resolve) => setTimeout(resolve, 10));
    expect(errors).toEqual([new Error("db down")]);
  });

  test("an interceptor sees the result, or the error", async () => {
    const seen: unknown[] = [];
    outer.around = (branch) =>
      branch.pipe(tap({ next: (value) => seen.push(value), error: (error: Error) => seen.push(error.message) }));
    await call(ok);
    await call(refuse);
    while (seen.length < 2) await new Promise(setImmediate);
    expect(seen).toEqual([{ ok: 1 }, "the branch ended with failure: no money"]);
  });

  test("an interceptor that fails after a success is told to onError, and the success stands", async () => {
    const error = new ConflictException("the audit is full");
    outer.around = (branch) => branch.pipe(map(() => Promise.reject(error)));
    expect((await call(ok)).status).toBe(200);
    while (errors.length === 0) await new Promise(setImmediate);
    expect(errors).toMatchObject([{ cause: error }]);
  });

  test("an interceptor that tries again doesn't run a branch twice whose answer is out", async () => {
    let runs = 0;
    outer.around = (branch) => branch.pipe(retry(2));
    const reply = await call(() => {
      runs += 1;
      throw new Failure(`run ${runs}`);
    });
    expect(reply.body).toContain("run 1");
    expect(runs).toBe(1);
  });

  test.each<[string, Around]>([
    ["an error", (branch) => branch.pipe(timeout(10))],
    [
      "a value",
      (branch, context) =>
        branch.pipe(
          timeout(10),
          catchError(() => {
            context.switchToHttp().getResponse().status(200);
            return of({ code: 1 });
          }),
        ),
    ],
    [
      "nothing",
      (branch) =>
        branch.pipe(
          timeout(10),
          catchError(() => EMPTY),
        ),
    ],
  ])("an interceptor that gives up with %s doesn't answer: the branch does when it ends", async (_, around) => {
    outer.around = around;
    expect(await call(late)).toMatchObject({ status: 200, body: '{"ok":1}' });
    expect((await call(() => Promise.resolve(late()).then(refuse))).status).toBe(409);
  });

  test("an interceptor that answers in the branch's place gives no success", async () => {
    let ran = false;
    outer.around = () => of({ cached: true });
    const reply = await call(() => {
      ran = true;
    });
    expect(reply).toMatchObject({ status: 500, body: '{"cached":true}' });
    expect(ran).toBe(false);
  });

  test("a filter of the method, which comes before the branch's, doesn't change the answer", async () => {
    expect(await call(refuse, "filtered")).toMatchObject({ status: 409, body: '{"dtm_result":"FAILURE","message":"no money"}' });
    expect((await call(fail, "filtered")).status).toBe(500);
  });

  test("a response that somebody else has begun before a refusal is broken off", async () => {
    outer.around = (branch, context) => {
      rawOf(context.switchToHttp().getResponse()).writeHead(200).write("half");
      return branch;
    };
    await expect(call(refuse)).rejects.toThrow();
    expect(errors).toEqual([new Error("something else wrote the response of a branch: return or throw instead")]);
  });

  test("a method sets headers of the response, but doesn't send it", async () => {
    const reply = await call(ok, "own");
    expect(reply).toMatchObject({ status: 200, body: '{"ok":1}', headers: { "x-own": "1" } });
    expect((await call(refuse, "own")).status).toBe(409);
  });
});

@Controller()
class GrpcService {
  constructor(@Inject(HANDLE) private readonly handle: { now: Handle }) {}

  @GrpcMethod("Busi", "debit")
  @DtmBranch()
  debit(_message: Message): unknown {
    return this.handle.now();
  }
}

describe("NestJS over gRPC", () => {
  const outer = new Outer();
  const handle = { now: (): unknown => undefined };
  const errors: unknown[] = [];
  const rejections: unknown[] = [];
  const onRejection = (reason: unknown) => void rejections.push(reason);
  let address: string;
  let close: () => Promise<void>;
  const call = (now: Handle, branch?: Readonly<Record<string, string>>) => {
    handle.now = now;
    return grpcCall(address, {}, branch);
  };

  beforeAll(async () => {
    process.on("unhandledRejection", onRejection);
    const testing = await Test.createTestingModule({
      imports: [DtmModule.forRoot({ client: {}, onError: (error) => errors.push(error) })],
      controllers: [GrpcService],
      providers: [{ provide: HANDLE, useValue: handle }],
    }).compile();
    address = `127.0.0.1:${await freePort()}`;
    const packageDefinition = { "busi.Busi": BUSI };
    const app = testing.createNestMicroservice({
      transport: Transport.GRPC,
      logger: LOGGER,
      options: { package: "busi", url: address, packageDefinition, protoLoader: "node:path" },
    });
    app.useGlobalInterceptors(outer);
    await app.listen();
    close = () => app.close();
  });
  beforeEach(() => {
    for (const list of [errors, rejections, logged]) list.length = 0;
  });
  afterAll(async () => {
    process.off("unhandledRejection", onRejection);
    await close();
  });

  test.each<[string, Around]>([
    ["makes a value of every error", swallowing],
    ["makes a late value of every error", (branch) => branch.pipe(catchError(async () => new Promise(setImmediate)))],
    [
      "makes a refusal of every error",
      (branch) => branch.pipe(catchError(() => throwError(() => new RpcException({ code: 10, message: "no" })))),
    ],
    ["makes nothing of every error", (branch) => branch.pipe(catchError(() => EMPTY))],
    ["tries again", (branch) => branch.pipe(retry(2))],
  ])("under an interceptor that %s the branch's own verdict is sent", async (_, around) => {
    outer.around = around;
    expect(await call(refuse)).toMatchObject({ code: 10, details: "no money" });
    expect(await call(wait)).toMatchObject({ code: 9, details: "not yet" });
    expect(errors).toEqual([]);
    expect((await call(fail)).code).toBe(13);
    expect(errors).toEqual([new Error("db down")]);
    expect((await call(refuse, { ...BRANCH_METADATA, gid: "" })).code).toBe(3);
    expect((await call(() => ({ amount: 1 }))).code).toBe(0);
    await new Promise(setImmediate);
    expect({ logged, rejections }).toEqual({ logged: [], rejections: [] });
  });

  test("an interceptor still makes the reply", async () => {
    outer.around = (branch) => branch.pipe(map(() => ({ text: "by the interceptor" })));
    expect(await call(() => ({ amount: 1 }))).toMatchObject({ code: 0, message: { text: "by the interceptor" } });
  });

  test("where a call can't be ended, a verdict goes through the interceptors, and onWarning is told", async () => {
    const warnings: string[] = [];
    const interceptor = new DtmBranchInterceptor({ onWarning: (message) => warnings.push(message) });
    const metadata = { get: (key: string) => [BRANCH_METADATA[key.replace("dtm-", "") as "gid"]] };
    const args = [{}, metadata, new EventEmitter()];
    const context = {
      getType: () => "rpc",
      getArgByIndex: (index: number) => args[index],
      switchToRpc: () => ({ getContext: () => metadata }),
    } as unknown as ExecutionContext;
    const answered = lastValueFrom(interceptor.intercept(context, { handle: () => throwError(() => new Failure("no")) }));
    await expect(answered).rejects.toThrow("the branch ended with failure: no");
    expect(warnings).toEqual([expect.stringContaining("1.10")]);
  });
});
