/** Express serves the whole API from the route table, and what other parts mount beside it: the dashboard and its admin API. */
import express, { type Express, type NextFunction, type Request, type RequestHandler, type Response } from "express";
import type { Exposure } from "./access.js";
import { TEXT_TYPE, text } from "./answer.js";
import { ROUTES, type Route } from "./routes.js";
import type { ApiServer } from "./serve.js";

/** A part of another module under a path; it reads its own bodies. */
export interface Mount {
  readonly path: string;
  readonly exposure: Exposure;
  /** Label in the metrics; null = not counted. */
  readonly api: string | null;
  readonly handler: RequestHandler;
}

export function expressApp(server: ApiServer, mounts: readonly Mount[]): Express {
  const app = express();
  app.disable("x-powered-by");
  // A query's answer is never worth a hash, and a 304 would surprise SDKs.
  app.disable("etag");
  app.enable("case sensitive routing");
  app.enable("strict routing");
  app.set("query parser", false);
  for (const route of ROUTES)
    app.all(route.path, (request, response, next) => serveRoute(server, route, request, response, next));
  app.use(redirectSlash);
  for (const mount of mounts) app.use(mount.path, guarded(server, mount), mount.handler);
  app.use((request, response) => server.notFound(request, response));
  app.use((cause: unknown, request: Request, response: Response, _next: NextFunction) => {
    if (isBadPath(cause)) server.write(request, response, text("400 bad request", TEXT_TYPE, 400));
    else server.fail(request, response, cause);
  });
  return app;
}

/** A wrong method is a 404, as with dtm, and not Express's 405 or its own answer to OPTIONS (protocol.md 1.1). */
function serveRoute(server: ApiServer, route: Route, request: Request, response: Response, next: NextFunction): void {
  if (!answers(route, request.method)) {
    next();
    return;
  }
  const mark = request.url.indexOf("?");
  const param = request.params["topicName"];
  server.serve(
    { route, search: mark < 0 ? "" : request.url.slice(mark + 1), param: typeof param === "string" ? param : "" },
    request,
    response,
  );
}

function answers(route: Route, method: string): boolean {
  if (route.method === "ANY" || route.method === method) return true;
  return method === "HEAD" && route.exposure === "probe";
}

/** 301 for GET, 307 for the others, which keeps method and body (protocol.md 1.1). */
function redirectSlash(request: Request, response: Response, next: NextFunction): void {
  const { path, method } = request;
  const trimmed = path.slice(0, -1);
  if (!path.endsWith("/") || !ROUTES.some((route) => answers(route, method) && fits(route.path, trimmed))) {
    next();
    return;
  }
  const mark = request.url.indexOf("?");
  const location = mark < 0 ? trimmed : trimmed + request.url.slice(mark);
  response.writeHead(method === "GET" ? 301 : 307, { Location: location, "Content-Length": "0" }).end();
}

function fits(pattern: string, path: string): boolean {
  const colon = pattern.indexOf(":");
  if (colon < 0) return pattern === path;
  return path.startsWith(pattern.slice(0, colon)) && path.length > colon && !path.includes("/", colon);
}

function guarded(server: ApiServer, { exposure, api }: Mount): RequestHandler {
  return (request, response, next) => {
    const began = performance.now();
    if (api !== null)
      response.once("finish", () => server.served(api, response.statusCode >= 400, (performance.now() - began) / 1000));
    const refusal = server.refuse(exposure, request);
    if (refusal === null) next();
    else next(refusal);
  };
}

function isBadPath(cause: unknown): boolean {
  return cause instanceof URIError;
}
