import { randomUUID } from "node:crypto";

/** Base 57 without the characters people mistake; what dtm's ids look like (protocol.md 1.4). */
const ALPHABET = "23456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";
const LENGTH = 22;
const BASE = 57n;
/** Nine base-57 digits fit a safe integer (ten lose the low bits), so the big number is divided three times, not 22. */
const CHUNK = 9;
const CHUNK_BASE = BASE ** BigInt(CHUNK);

/** A v4 UUID, shortened; 22 characters, opaque to clients. */
export function newGid(): string {
  let rest = BigInt(`0x${randomUUID().replaceAll("-", "")}`);
  let gid = "";
  while (gid.length < LENGTH) {
    let chunk = Number(rest % CHUNK_BASE);
    rest /= CHUNK_BASE;
    for (let digit = 0; digit < CHUNK && gid.length < LENGTH; digit++) {
      gid = `${ALPHABET[chunk % 57]}${gid}`;
      chunk = Math.floor(chunk / 57);
    }
  }
  return gid;
}
