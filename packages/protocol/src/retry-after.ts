/** `Retry-After` as seconds or an HTTP date (RFC 9110, 10.2.3); null when absent, unreadable or already past. */
export function retryAfterMs(header: string | readonly string[] | undefined, now = Date.now()): number | null {
  if (header === undefined) return null;
  const text = (typeof header === "string" ? header : (header[0] ?? "")).trim();
  if (/^\d{1,12}$/.test(text)) return Number(text) * 1000 || null;
  // Date.parse also reads "5.5" or "-3" as some date, so only what starts with a weekday's name is given to it.
  const at = /^(Mon|Tue|Wed|Thu|Fri|Sat|Sun)/.test(text) ? Date.parse(text) : Number.NaN;
  return at > now ? at - now : null;
}
