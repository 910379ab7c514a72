/**
 * Headers that belong to one connection or to the framing of one message, in lower case: a client can't choose them for a branch call (rules.md
 * R22). `accept-encoding` is among them since the verdict is read from the body: who forwards his caller's headers doesn't mean to have it packed.
 */
export const CONNECTION_HEADERS: ReadonlySet<string> = new Set([
  "accept-encoding",
  "connection",
  "content-length",
  "expect",
  "http2-settings",
  "keep-alive",
  "proxy-authenticate",
  "proxy-authorization",
  "proxy-connection",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
]);
