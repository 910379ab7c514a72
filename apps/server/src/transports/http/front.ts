/**
 * The thin front: answers the routes that carry the load straight from node:http, and hands everything else to Express, which
 * costs several times as much per request (docs/decisions). It only finds the route; what happens then is `ApiServer.serve`.
 */
import type { RequestListener } from "node:http";
import { ROUTES, type Route } from "./routes.js";
import type { ApiServer } from "./serve.js";

const HOT: ReadonlyMap<string, Route> = new Map(ROUTES.filter(({ hot }) => hot).map((route) => [route.path, route]));

export function front(server: ApiServer, rest: RequestListener): RequestListener {
  return (request, response) => {
    const url = request.url ?? "/";
    const mark = url.indexOf("?");
    const route = HOT.get(mark < 0 ? url : url.slice(0, mark));
    if (route === undefined || route.method !== request.method) rest(request, response);
    else server.serve({ route, search: mark < 0 ? "" : url.slice(mark + 1), param: "" }, request, response);
  };
}
