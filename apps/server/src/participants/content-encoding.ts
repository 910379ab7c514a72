/** Bodies that a service packed without being asked: Go's client unpacks them too, so services may do it. */
import { brotliDecompressSync, constants, gunzipSync, inflateRawSync, inflateSync } from "node:zlib";

/** A packed body of some kilobytes can hold gigabytes. */
const MOST_BYTES = 4 * 1024 * 1024;
const ZLIB = { maxOutputLength: MOST_BYTES, finishFlush: constants.Z_SYNC_FLUSH };
const BROTLI = { maxOutputLength: MOST_BYTES, finishFlush: constants.BROTLI_OPERATION_FLUSH };

/** Also of a body whose end wasn't read. Null when it can't be read. */
export function unpacked(body: Buffer, encoding: string | undefined): Buffer | null {
  if (encoding === undefined || body.length === 0) return body;
  try {
    switch (encoding.trim().toLowerCase()) {
      case "":
      case "identity":
        return body;
      case "gzip":
      case "x-gzip":
        return gunzipSync(body, ZLIB);
      case "deflate":
        return inflated(body);
      case "br":
        return brotliDecompressSync(body, BROTLI);
      default:
        return null;
    }
  } catch {
    return null;
  }
}

/** The name means zlib's format, some servers send the bare one. */
function inflated(body: Buffer): Buffer {
  const zlib = ((body[0] ?? 0) & 0x0f) === 8 && body.length > 1 && body.readUInt16BE(0) % 31 === 0;
  return zlib ? inflateSync(body, ZLIB) : inflateRawSync(body, ZLIB);
}
