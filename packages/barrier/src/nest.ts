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
  successBody,
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
 * The answer is made by a filter of the method's own, which comes before the application's: one that answers every exception with 200 would
 * have made a success of a refusal. A result whose text contains `FAILURE` or `ONGOING` is replaced by the plain success, see `onWarning`.
 * `@Res()` without `passthrough` isn't supported: the branch answers.
 */
export function DtmBranch(): MethodDecorator {
  return applyDecorators(HttpCode(200), UseInterceptors(DtmBranchInterceptor), UseFilters(DtmBranchFilter));
}

/** How a branch ended that wasn't a success, on its way from the interceptor to the filter. */
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

/** Runs the method as the branch that the request names. Used by {@link DtmBranch}. */
export class DtmBranchInterceptor implements NestInterceptor {
  readonly #options: ServeOptions;

  constructor(options?: ServeOptions) {
    this.#options = options ?? {};
  }

  intercept(context: ExecutionContext, next: CallHandler): Observable<unknown> {
    return from(this.#run(context, next));
  }

  async #run(context: ExecutionContext, next: CallHandler): Promise<unknown> {
    const isHttp = context.getType() === "http";
    const read = isHttp ? readUrl(context) : readRpc(context);
    // Nest runs the method when the observable is made, so that has to happen inside the branch.
    const served = await serve(read, () => lastValueFrom(next.handle().pipe(defaultIfEmpty(undefined))), this.#options);
    if (served.kind !== "success") throw new BranchAnswer(served);
    if (!isHttp) return served.result ?? {};
    // What may be sent is sent by Nest, with its own serialisation.
    const body = successBody(served.call, served.result, this.#options);
    return body === PLAIN ? { dtm_result: "SUCCESS" } : served.result;
  }
}

const PLAIN = '{"dtm_result":"SUCCESS"}';

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

/** Answers what wasn't a success. Used by {@link DtmBranch}. */
export class DtmBranchFilter implements ExceptionFilter {
  readonly #options: ServeOptions;

  constructor(options?: ServeOptions) {
    this.#options = options ?? {};
  }

  catch(exception: unknown, host: ArgumentsHost): unknown {
    if (host.getType() === "http") {
      this.#write(
        exception instanceof BranchAnswer ? httpAnswer(exception.served, this.#options) : this.#refused(exception),
        host,
      );
      return undefined;
    }
    const status = exception instanceof BranchAnswer ? grpcStatus(exception.served) : this.#refusedRpc(exception);
    return throwError(() => ({ code: status?.code ?? GRPC_CODES.internal, message: status?.details ?? ERROR_TEXT }));
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

  #write({ status, headers, body }: HttpAnswer, host: ArgumentsHost): void {
    // Express and Fastify have these three under the same names.
    const response = host.switchToHttp().getResponse<{
      status(code: number): unknown;
      header(name: string, value: string): unknown;
      send(body: string): unknown;
    }>();
    response.status(status);
    for (const [name, value] of Object.entries(headers)) response.header(name, value);
    response.send(body);
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
