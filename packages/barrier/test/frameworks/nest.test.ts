import "reflect-metadata";
import { Failure } from "@dtm/protocol";
import {
  All,
  type ArgumentsHost,
  BadRequestException,
  Body,
  type CallHandler,
  type CanActivate,
  Catch,
  ConflictException,
  Controller,
  type ExceptionFilter,
  type ExecutionContext,
  Inject,
  Injectable,
  Module,
  type NestInterceptor,
  Post,
  UnauthorizedException,
  UseGuards,
} from "@nestjs/common";
import { GrpcMethod, Transport } from "@nestjs/microservices";
import { ExpressAdapter } from "@nestjs/platform-express";
import { FastifyAdapter } from "@nestjs/platform-fastify";
import { Test } from "@nestjs/testing";
import { map } from "rxjs";
import { DtmBranch, DtmModule, InjectDtm } from "../../src/nest.js";
import { frameworkContract, type Handler } from "./contract.js";
import { freePort } from "./free-port.js";
import { BUSI, type Message } from "./grpc-call.js";
import { type GrpcHandler, grpcContract } from "./grpc-contract.js";
import { BRANCH_QUERY, httpCall } from "./http-call.js";

const CLIENT = { name: "the client" };
const PLATFORMS = [
  { platform: "Express", adapter: () => new ExpressAdapter() },
  { platform: "Fastify", adapter: () => new FastifyAdapter() },
] as const;
type Platform = (typeof PLATFORMS)[number];
const HANDLE = Symbol("the handler of the test");

/** As many applications have it: every exception becomes a 200 with a code of their own. */
@Catch()
class EverythingIs200 implements ExceptionFilter {
  catch(exception: unknown, host: ArgumentsHost): void {
    host
      .switchToHttp()
      .getResponse()
      .status(200)
      .send({ code: -1, error: String(exception) });
  }
}

@Controller("service")
class BankController {
  constructor(@Inject(HANDLE) private readonly handle: Handler) {}

  @All("branch")
  @DtmBranch()
  branch(@Body() body: unknown): unknown {
    // Nest's parser leaves an empty object where there is no body.
    const isEmpty = typeof body === "object" && body !== null && Object.keys(body).length === 0;
    return this.handle(isEmpty ? undefined : body);
  }
}

async function start({ adapter }: Platform, handle: Handler, hooks: object) {
  const testing = await Test.createTestingModule({
    imports: [DtmModule.forRoot({ client: CLIENT, ...hooks })],
    controllers: [BankController],
    providers: [{ provide: HANDLE, useValue: handle }],
  }).compile();
  const app = testing.createNestApplication(adapter(), { logger: false });
  app.useGlobalFilters(new EverythingIs200());
  await app.listen(0, "127.0.0.1");
  return { url: `${await app.getUrl()}/service/branch`, close: () => app.close() };
}

for (const platform of PLATFORMS) {
  frameworkContract(`NestJS over ${platform.platform}, under a filter that answers everything with 200`, (handle, options) =>
    start(platform, handle, options),
  );
}

@Controller()
class GrpcController {
  constructor(@Inject(HANDLE) private readonly handle: GrpcHandler) {}

  @GrpcMethod("Busi", "debit")
  @DtmBranch()
  debit(message: Message): Promise<Message | undefined> {
    return this.handle(message);
  }
}

grpcContract("NestJS over gRPC", async (handle, options) => {
  const testing = await Test.createTestingModule({
    imports: [DtmModule.forRoot({ client: CLIENT, ...options })],
    controllers: [GrpcController],
    providers: [{ provide: HANDLE, useValue: handle }],
  }).compile();
  const port = await freePort();
  const app = testing.createNestMicroservice({
    transport: Transport.GRPC,
    logger: false,
    options: {
      package: "busi",
      url: `127.0.0.1:${port}`,
      packageDefinition: { "busi.Busi": BUSI },
      // Not asked, since the definition is given, but loaded.
      protoLoader: "node:path",
    },
  });
  await app.listen();
  return { address: `127.0.0.1:${port}`, close: () => app.close() };
});

describe.each(PLATFORMS)("NestJS over $platform", ({ adapter }) => {
  const query = `?${BRANCH_QUERY}`;

  class Refusing implements CanActivate {
    canActivate(): boolean {
      throw new UnauthorizedException("who are you");
    }
  }

  @Injectable()
  class Wrapping implements NestInterceptor {
    intercept(_: ExecutionContext, next: CallHandler) {
      return next.handle().pipe(map((data: unknown) => ({ data })));
    }
  }

  @Controller("service")
  class OtherController {
    constructor(@InjectDtm() private readonly client: typeof CLIENT) {}

    @Post("client")
    @DtmBranch()
    injected() {
      return { client: this.client.name };
    }

    @Post("guarded")
    @UseGuards(Refusing)
    @DtmBranch()
    guarded() {
      return "unreached";
    }

    @Post("conflict")
    @DtmBranch()
    conflict() {
      throw new ConflictException("not for the coordinator");
    }

    @Post("piped")
    @DtmBranch()
    piped(@Body({ transform: refuse }) body: unknown) {
      return body;
    }

    @Post("refused")
    @DtmBranch()
    refused() {
      throw new Failure("no");
    }
  }
  function refuse(): never {
    throw new BadRequestException("the shape is wrong");
  }

  @Module({ providers: [{ provide: "server", useValue: "http://d" }], exports: ["server"] })
  class Settings {}

  const errors: unknown[] = [];
  let base: string;
  let close: () => Promise<void>;
  beforeAll(async () => {
    const testing = await Test.createTestingModule({
      imports: [
        DtmModule.forRootAsync({
          imports: [Settings],
          inject: ["server"],
          useFactory: async (server: string) => ({ client: { name: `to ${server}` }, onError: (error) => errors.push(error) }),
        }),
      ],
      controllers: [OtherController],
    }).compile();
    const app = testing.createNestApplication(adapter(), { logger: false });
    app.useGlobalFilters(new EverythingIs200());
    app.useGlobalInterceptors(new Wrapping());
    await app.listen(0, "127.0.0.1");
    base = `${await app.getUrl()}/service`;
    close = () => app.close();
  });
  afterAll(() => close());
  beforeEach(() => {
    errors.length = 0;
  });

  test("forRootAsync gives the client, and interceptors of the application don't change the answer", async () => {
    expect(await httpCall(`${base}/client${query}`, "{}")).toMatchObject({
      status: 200,
      body: '{"client":"to http://d"}',
    });
    expect(await httpCall(`${base}/refused${query}`, "{}")).toMatchObject({ status: 409 });
  });

  test("a guard's refusal keeps its status", async () => {
    expect(await httpCall(`${base}/guarded${query}`, "{}")).toMatchObject({ status: 401, body: '{"message":"who are you"}' });
  });

  test("an exception that is a 409 of HTTP is no verdict", async () => {
    expect(await httpCall(`${base}/conflict${query}`, "{}")).toMatchObject({ status: 500 });
    expect(errors).toHaveLength(1);
  });

  test("a pipe's refusal is asked again", async () => {
    expect((await httpCall(`${base}/piped${query}`, "{}")).status).toBe(500);
    expect(errors).toHaveLength(1);
  });

  test("without DtmModule a branch is served all the same, and its errors go to the console", async () => {
    const said = jest.spyOn(console, "error").mockImplementation(() => undefined);
    @Controller("service")
    class Alone {
      @Post("branch")
      @DtmBranch()
      fail() {
        throw new Error("lost");
      }
    }
    const testing = await Test.createTestingModule({ controllers: [Alone] }).compile();
    const app = testing.createNestApplication(adapter(), { logger: false });
    await app.listen(0, "127.0.0.1");
    expect((await httpCall(`${await app.getUrl()}/service/branch${query}`, "{}")).status).toBe(500);
    expect(said).toHaveBeenCalledTimes(1);
    said.mockRestore();
    await app.close();
  });
});
