/**
 * Branches served by NestJS, over HTTP and over gRPC, and the client as an injectable:
 *
 * ```ts
 * @Module({ imports: [DtmModule.forRoot({ client: new HttpClient({ server }) })], controllers: [BankController] })
 * class BankModule {}
 *
 * @Controller()
 * class BankController {
 *   constructor(private readonly database: DataSource) {}
 *
 *   @Post("debit") @DtmBranch()
 *   async debit(@Body() { amount }: Debit) {
 *     await this.database.transaction((manager) => barrier.run(manager, () => take(manager, amount)));
 *   }
 * }
 * ```
 */
import {
  type ArgumentsHost,
  applyDecorators,
  type CallHandler,
  Catch,
  type DynamicModule,
  type ExceptionFilter,
  type ExecutionContext,
  HttpCode,
  Inject,
  Injectable,
  type InjectionToken,
  Module,
  type ModuleMetadata,
  type NestInterceptor,
  Optional,
  type OptionalFactoryDependency,
  UseFilters,
  UseInterceptors,
} from "@nestjs/common";
import { defaultIfEmpty, from, lastValueFrom, type Observable, throwError } from "rxjs";
import { GRPC_CODES, type GrpcStatus, grpcStatus, type MetadataLike, readMetadata } from "./grpc.js";
import { endCall, type ResponseLike, takeResponse, writeAnswer } from "./nest-answer.js";
import {
  ERROR_TEXT,
  type HttpAnswer,
  harmless,
  httpAnswer,
  type ReadValue,
  readQuery,
  report,
  type Served,
  type ServeOptions,
  serve,
  warn,
} from "./serve.js";

/** The token of the client that {@link DtmModule} was given. */
export const DTM_CLIENT = Symbol.for("dtm.nest.client");

/** The token of the module's options. */
export const DTM_OPTIONS = Symbol.for("dtm.nest.options");

/** Injects the client: `constructor(@InjectDtm() private readonly dtm: HttpClient)`. */
export const InjectDtm = (): ParameterDecorator & PropertyDecorator => Inject(DTM_CLIENT);

/** Options of `DtmModule.forRoot`. */
export interface DtmModuleOptions<Client = unknown> extends ServeOptions {
  /** A client of `@dtm/client`, or anything that is to be injected as one. Who made it closes it. */
  readonly client: Client;
}

/** Options of `DtmModule.forRootAsync`. */
export interface DtmModuleAsyncOptions<Client = unknown> extends Pick<ModuleMetadata, "imports"> {
  /** What `useFactory` is called with. */
  readonly inject?: (InjectionToken | OptionalFactoryDependency)[];
  // What is injected has the types of the tokens, which Nest doesn't tell.
  readonly useFactory: (...injected: never[]) => DtmModuleOptions<Client> | Promise<DtmModuleOptions<Client>>;
}

/** Gives the whole application the client ({@link InjectDtm}) and the hooks of its branches; to be imported once. */
// biome-ignore lint/complexity/noStaticOnlyClass: Nest knows a module by its class.
export class DtmModule {
  static forRoot(options: DtmModuleOptions): DynamicModule {
    return dynamicModule({ provide: DTM_OPTIONS, useValue: options }, {});
  }

  static forRootAsync({ imports, inject = [], useFactory }: DtmModuleAsyncOptions): DynamicModule {
    return dynamicModule({ provide: DTM_OPTIONS, inject, useFactory }, imports === undefined ? {} : { imports });
  }
}

function dynamicModule(
  options: NonNullable<DynamicModule["providers"]>[number],
  more: Pick<ModuleMetadata, "imports">,
): DynamicModule {
  const client = { provide: DTM_CLIENT, inject: [DTM_OPTIONS], useFactory: (given: DtmModuleOptions) => given.client };
  return { module: DtmModule, global: true, ...more, providers: [options, client], exports: [DTM_OPTIONS, DTM_CLIENT] };
}

/**
 * Makes a method of a controller the handler of a branch: over HTTP together with `@Post`, or with `@All` where a payload may be absent (a
 * coordinator then calls with GET), over gRPC together with `@GrpcMethod`.
 *
 * The method returns for success: nothing, or a value that becomes the answer. It throws `Failure` to have the global transaction rolled back
 * (409, ABORTED), `Ongoing` to be asked again (425, FAILED_PRECONDITION). Anything else is asked again: it is answered with 500 or INTERNAL
 * and a general text, and told to `onError` of {@link DtmModule}. A pipe counts as part of the method: an `HttpException` of it is asked again
 * too, so one that refuses a payload for good throws `Failure`. An `HttpException` of a guard keeps its status over HTTP, except for 409 and 425,
 * which are verdicts that only `Failure` and `Ongoing` give.
 *
 * The branch answers by itself, before the application's interceptors and filters get to see how it ended: one that makes a value of every
 * error would make a success of a refusal. They see the result, or a {@link BranchAnswer}, and what they make of it isn't sent; nor are headers
 * that they set after it, nor what the method itself sends through `@Res()`. Over gRPC that is so for all but a success, whose reply they may
 * change; there one that gives up waiting for the branch mustn't make a value of that. An interceptor that doesn't call the branch at all may
 * answer in its place over HTTP, with 500 unless it sets another status. Those that stand between `@DtmBranch()` and the method are part of the
 * method. A result whose text contains `FAILURE` or `ONGOING` is replaced by the plain success, see `onWarning`.
 */
export function DtmBranch(): MethodDecorator {
  // The status counts only when the branch wasn't reached: what an interceptor answers in its place is no success.
  return applyDecorators(HttpCode(500), UseInterceptors(DtmBranchInterceptor), UseFilters(DtmBranchFilter));
}

/** How a branch ended that wasn't a success, as the application's interceptors get to see it. */
export class BranchAnswer extends Error {
  readonly served: Served;

  constructor(served: Served) {
    super(`the branch ended with ${served.kind}${"message" in served ? `: ${served.message}` : ""}`, {
      cause: served.kind === "error" ? served.error : undefined,
    });
    this.name = "BranchAnswer";
    this.served = served;
  }
}

/**
 * Who has begun, by the response or the call: the run, which an interceptor that tries again gets the outcome of instead of a second one, since
 * the first one's answer is out; and how it ended, null until then.
 */
const begun = new WeakMap<object, { readonly run: Promise<unknown>; served: Served | null }>();

/** Runs the method as the branch that the request names, and answers. Used by {@link DtmBranch}. */
export class DtmBranchInterceptor implements NestInterceptor {
  readonly #options: ServeOptions;

  constructor(options?: ServeOptions) {
    this.#options = options ?? {};
  }

  intercept(context: ExecutionContext, next: CallHandler): Observable<unknown> {
    const isHttp = context.getType() === "http";
    const key: unknown = context.getArgByIndex(isHttp ? 1 : 2);
    if (typeof key !== "object" || key === null) return from(this.#overRpc(context, next, key));
    const before = begun.get(key);
    if (before !== undefined) return from(before.run);
    const run = isHttp ? this.#overHttp(context, next) : this.#overRpc(context, next, key);
    begun.set(key, { run, served: null });
    // Nobody may be listening any more when it ends.
    run.catch(() => undefined);
    return from(run);
  }

  async #overHttp(context: ExecutionContext, next: CallHandler): Promise<unknown> {
    const response = context.switchToHttp().getResponse<ResponseLike>();
    const own = takeResponse(response);
    const served = await this.#serve(readUrl(context), next, response);
    const call = served.kind === "invalid" ? null : served.call;
    await own.answer(httpAnswer(served, this.#options)).catch((cause: unknown) => report(cause, call, this.#options));
    if (served.kind !== "success") throw new BranchAnswer(served);
    return served.result ?? { dtm_result: "SUCCESS" };
  }

  async #overRpc(context: ExecutionContext, next: CallHandler, call: unknown): Promise<unknown> {
    const served = await this.#serve(readRpc(context), next, call);
    const status = grpcStatus(served);
    if (status !== null && !(await endCall(call, status)) && "call" in served) warn(CANT_END, served.call, this.#options);
    if (served.kind !== "success") throw new BranchAnswer(served);
    return served.result ?? {};
  }

  async #serve(read: ReadValue, next: CallHandler, key: unknown): Promise<Served> {
    // Nest runs the method when the observable is made, so that has to happen inside the branch.
    const served = await serve(read, () => lastValueFrom(next.handle().pipe(defaultIfEmpty(undefined))), this.#options);
    const mine = typeof key === "object" && key !== null ? begun.get(key) : undefined;
    if (mine !== undefined) mine.served = served;
    return served;
  }
}

const CANT_END =
  "a branch that isn't done answers through the interceptors of the application, and one that makes a value of its error makes a success of it: " +
  "only a unary call of @grpc/grpc-js 1.10 or later can be ended before them";

function readUrl(context: ExecutionContext): ReadValue {
  const request = context.switchToHttp().getRequest<{ readonly originalUrl?: string; readonly url?: string }>();
  return readQuery(request.originalUrl ?? request.url ?? "");
}

function readRpc(context: ExecutionContext): ReadValue {
  const metadata: unknown = context.switchToRpc().getContext();
  return isMetadata(metadata) ? readMetadata(metadata) : () => null;
}

function isMetadata(value: unknown): value is MetadataLike {
  return typeof value === "object" && value !== null && typeof Reflect.get(value, "get") === "function";
}

/** Answers what went wrong outside the method, such as a guard's refusal. Used by {@link DtmBranch}. */
export class DtmBranchFilter implements ExceptionFilter {
  readonly #options: ServeOptions;

  constructor(options?: ServeOptions) {
    this.#options = options ?? {};
  }

  catch(exception: unknown, host: ArgumentsHost): unknown {
    const isHttp = host.getType() === "http";
    const key: unknown = host.getArgByIndex(isHttp ? 1 : 2);
    const branch = typeof key === "object" && key !== null ? begun.get(key) : undefined;
    if (isHttp) {
      if (branch === undefined) writeAnswer(this.#refused(exception), host.switchToHttp().getResponse());
      else this.#afterwards(exception, branch.served);
      return undefined;
    }
    // Of a branch that failed it is what an interceptor made of that.
    const served = exception instanceof BranchAnswer ? exception.served : branch?.served;
    const status = (served ? grpcStatus(served) : null) ?? this.#refusedRpc(exception);
    return throwError(() => ({ code: status.code, message: status.details }));
  }

  /** The branch answers by itself, so this one only mustn't be lost; after an error it is what an interceptor made of that. */
  #afterwards(exception: unknown, served: Served | null): void {
    if (served !== null && served.kind !== "success") return;
    const message = "an interceptor of the application failed around a branch, which answers for itself all the same";
    report(new Error(message, { cause: exception }), null, this.#options);
  }

  /** A guard's refusal, or an error outside the method. */
  #refused(exception: unknown): HttpAnswer {
    const { status, message } = ofHttpException(exception) ?? { status: 500, message: ERROR_TEXT };
    if (status >= 500) report(exception, null, this.#options);
    return { status, headers: { "content-type": "application/json" }, body: JSON.stringify({ message: harmless(message) }) };
  }

  #refusedRpc(exception: unknown): GrpcStatus {
    report(exception, null, this.#options);
    return { code: GRPC_CODES.internal, details: ERROR_TEXT };
  }
}

/** The status of an HttpException that isn't a verdict; 2xx and 3xx aren't either, but an error with one would pass for a success. */
function ofHttpException(exception: unknown): { readonly status: number; readonly message: string } | null {
  if (!(exception instanceof Error) || typeof Reflect.get(exception, "getStatus") !== "function") return null;
  const status: unknown = Reflect.apply(Reflect.get(exception, "getStatus"), exception, []);
  if (typeof status !== "number" || status < 400 || status === 409 || status === 425) return null;
  return { status, message: exception.message };
}

// The package is compiled without decorators, so they are applied by hand.
Module({})(DtmModule);
Injectable()(DtmBranchInterceptor);
Catch()(DtmBranchFilter);
for (const part of [DtmBranchInterceptor, DtmBranchFilter]) {
  Inject(DTM_OPTIONS)(part, undefined, 0);
  Optional()(part, undefined, 0);
}
