/** What a database sees of a process that dies: its connections are gone, and their transactions are rolled back. */
import { requireFunction, requireObject } from "@dtm/client-core/internal";
import type { Activity } from "./activity.js";

/** Until the connection is given back; whoever takes it out of its pool next is somebody else. */
export function connection<T extends object>(activity: Activity, client: T, destroy: (client: T) => unknown): T {
  requireObject(client, "OPTION_INVALID", "kit.connection: client");
  requireFunction(destroy, "OPTION_INVALID", "kit.connection: destroy");
  const forget = activity.diesWithProcess(() => destroy(client));
  onRelease(client, forget);
  return client;
}

/** For one time only: some pools give the same object again. */
function onRelease(client: object, forget: () => void): void {
  const release: unknown = Reflect.get(client, "release");
  if (typeof release !== "function") return;
  const own = Object.hasOwn(client, "release");
  Reflect.set(client, "release", (...given: unknown[]): unknown => {
    if (own) Reflect.set(client, "release", release);
    else Reflect.deleteProperty(client, "release");
    forget();
    return Reflect.apply(release, client, given) as unknown;
  });
}
