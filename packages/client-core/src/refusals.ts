/**
 * dtm answers refusals and its own breakdowns with the same codes (HTTP 500, gRPC INTERNAL and UNKNOWN). These texts are refusals: they
 * are said before anything is stored (protocol.md 1.3 to 1.12, 2.2), so the request needn't be repeated.
 */
const REFUSALS: readonly RegExp[] = [
  /^no gid specified/,
  /^gid is empty/,
  /^no TransGlobal with gid: /,
  /^topic not found/,
  /^empty (topic|url)/,
  /^this url exists/,
  /^no such a(n url| topic)/,
  /^this topic is empty/,
  /^unknow trans type: /,
  /^unknown trans type/,
  /^storage: UniqueKeyConflict/,
  /^storage: NotFound/,
];

export function isRefusalText(message: string): boolean {
  return REFUSALS.some((text) => text.test(message));
}
