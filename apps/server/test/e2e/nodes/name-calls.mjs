// Goes with a coordinator (`node --import`): each call to a service says which process began it and when, so that a test can tell whose it was.
import { subscribe } from "node:diagnostics_channel";
import process from "node:process";

subscribe("undici:request:create", ({ request }) => request.addHeader("x-begun-by", `${process.pid} ${Date.now()}`));
