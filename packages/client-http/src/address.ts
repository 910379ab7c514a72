/** The coordinator's address, as people write it. */
import { DtmError } from "@dtm/protocol";

const PATH = "/api/dtmsvr";

/**
 * As {@link baseOf}, for an address of the application's own. A user and password in it would be dropped, and the coordinator refuse.
 *
 * @throws DtmError OPTION_INVALID, which doesn't show them.
 */
export function serverOf(server: unknown, option: string): string {
  const url = parse(server);
  if (url !== null && (url.username !== "" || url.password !== "")) {
    const message = `${option}: expected the coordinator's URL, and credentials as token or in headers, found a user or password before ${url.host}`;
    throw new DtmError("OPTION_INVALID", message);
  }
  return baseOf(server, option);
}

/** @throws DtmError OPTION_INVALID. */
export function baseOf(server: unknown, option: string): string {
  const url = parse(server);
  if (url === null || url.search !== "" || url.hash !== "") {
    // What stands before an @ may be a password.
    const found = typeof server === "string" && server.includes("@") ? "another text, with an @" : JSON.stringify(server);
    throw new DtmError(
      "OPTION_INVALID",
      `${option}: expected the coordinator's URL, like "http://localhost:36789", found ${found}`,
    );
  }
  const path = url.pathname.replace(/\/+$/, "");
  return `${url.origin}${path.endsWith(PATH) ? path : `${path}${PATH}`}`;
}

function parse(server: unknown): URL | null {
  if (typeof server !== "string" || !/^https?:\/\//i.test(server)) return null;
  try {
    return new URL(server);
  } catch {
    return null;
  }
}
