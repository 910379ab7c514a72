/** The coordinator's address, as people write it. */
import { DtmError } from "@dtm/protocol";

const PATH = "/api/dtmsvr";

/** @throws DtmError OPTION_INVALID. */
export function baseOf(server: unknown, option: string): string {
  const url = typeof server === "string" && /^https?:\/\//i.test(server) ? parse(server) : null;
  if (url === null || url.search !== "" || url.hash !== "") {
    throw new DtmError(
      "OPTION_INVALID",
      `${option}: expected the coordinator's URL, like "http://localhost:36789", found ${JSON.stringify(server)}`,
    );
  }
  const path = url.pathname.replace(/\/+$/, "");
  return `${url.origin}${path.endsWith(PATH) ? path : `${path}${PATH}`}`;
}

function parse(text: string): URL | null {
  try {
    return new URL(text);
  } catch {
    return null;
  }
}
