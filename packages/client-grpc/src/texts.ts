/** What travels as metadata when the coordinator calls a branch (protocol.md 2.4): a gid, or the name of a workflow. */
import { describe } from "@dtm/client-core/internal";
import { DtmError } from "@dtm/protocol";

/** HTTP/2 carries visible ASCII, and drops spaces at both ends. */
const CARRIED = /^[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?$/;

/**
 * A text that can't be carried would be stored, but no branch could ever be called with it.
 *
 * @throws DtmError OPTION_INVALID.
 */
export function checkCarried(what: string, text: string): void {
  if (CARRIED.test(text)) return;
  throw new DtmError(
    "OPTION_INVALID",
    `${what}: expected visible ASCII characters without spaces at both ends, since gRPC carries nothing else to branches, found ${describe(text)}`,
  );
}

/** The name in a workflow's custom data (protocol.md 1.3); null when there is none. */
export function workflowNameIn(customData: string | undefined): string | null {
  const data: unknown = customData === undefined ? null : JSON.parse(customData);
  if (typeof data !== "object" || data === null || !("name" in data)) return null;
  return typeof data.name === "string" ? data.name : null;
}
