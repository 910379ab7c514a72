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
  // This coordinator's own, which gRPC tells by their code.
  /^\w+ is longer than \d+ characters$/,
  /^\w+ contains a NUL character$/,
  /^\w+ is \d+ bytes; at most \d+ /,
  /^\w+ must be a (number of seconds|whole number), 0 or more; found /,
  /^\w+ is over (ten years|\d+): /,
  /^branch_headers has a name or value that HTTP refuses: /,
  /^a transaction has at most \d+ (steps|payloads|branches), found /,
  /^the subscribers of topic .* don't fit into \d+ bytes$/s,
  /^the stored subscribers of topic .* can't be read: /s,
];

export function isRefusalText(message: string): boolean {
  return REFUSALS.some((text) => text.test(message));
}
