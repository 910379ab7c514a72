/** Global ids: made here as the coordinator makes them (protocol.md 1.4), which saves a round trip and can't fail. */
import { randomUUID } from "node:crypto";
import { DtmError } from "@dtm/protocol";
import { describe } from "./address.js";

const ALPHABET = "23456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";
const BASE = BigInt(ALPHABET.length);
const LENGTH = 22;
const LONGEST = 128;

/** A new global id: a random UUID in 22 characters, as unique as one that the coordinator makes. */
export function randomGid(): string {
  let left = BigInt(`0x${randomUUID().replaceAll("-", "")}`);
  let text = "";
  while (text.length < LENGTH) {
    text = (ALPHABET[Number(left % BASE)] ?? "") + text;
    left /= BASE;
  }
  return text;
}

/** Coordinators drop line ends and semicolons from a gid over HTTP only, so it couldn't be found again: refused here. */
export function checkGid(gid: unknown): string {
  if (typeof gid !== "string" || gid === "")
    throw new DtmError("OPTION_INVALID", `gid: expected a text that isn't empty, found ${describe(gid)}`);
  if (gid.length > LONGEST)
    throw new DtmError("OPTION_INVALID", `gid: expected at most ${LONGEST} characters, found ${gid.length}`);
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for
  const odd = /[\u0000-\u001f;]/.exec(gid);
  if (odd !== null)
    throw new DtmError(
      "OPTION_INVALID",
      `gid: expected no control character and no semicolon, found one in ${JSON.stringify(gid)}`,
    );
  if (gid.endsWith(" "))
    throw new DtmError(
      "OPTION_INVALID",
      `gid: expected no space at its end, which MySQL doesn't see, found ${JSON.stringify(gid)}`,
    );
  return gid;
}
