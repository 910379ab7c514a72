/** Where Redis is, as `Store.Host` and `Store.Port` say it. */
export interface HostPort {
  readonly host: string;
  readonly port: number;
}

/** `host1:port1,host2:port2`, `[::1]:port`, or a host alone, which then has the port given beside it. */
export function hostsFrom(text: string, port: number): readonly HostPort[] {
  return text.split(",").flatMap((part) => {
    const [, bracketed, plain, own] = /^(?:\[([^\]]+)\]|([^:]*))(?::(\d+))?$/.exec(part.trim()) ?? [];
    const host = bracketed ?? plain ?? part.trim();
    if (host === "") return [];
    return [{ host, port: own === undefined ? port : Number(own) }];
  });
}
