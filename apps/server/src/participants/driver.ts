/**
 * Where a branch's URL leads: the four duties of dtm's microservice drivers (protocol.md 7.4). One driver serves a process;
 * a registry (etcd, consul, nacos, …) is added by implementing this interface.
 */
export interface Driver {
  readonly name: string;
  /** The URL that is really called over HTTP, for drivers that resolve schemes of their own. */
  httpUrl(url: string): string;
  /** A dial target and a full method name with its leading slash, or why the URL is none. */
  splitGrpc(url: string): GrpcAddress | { readonly error: string };
  /** Makes this server known; `target` and `endpoint` are the settings MicroService.Target and .EndPoint. */
  register(target: string, endpoint: string): Promise<void>;
}

export interface GrpcAddress {
  readonly target: string;
  readonly method: string;
}

export const defaultDriver: Driver = {
  name: "default",
  httpUrl: (url) => url,
  splitGrpc(url) {
    if (url.includes("://")) return { error: `call dtmdriver.Use() before you use custom scheme for '${url}'` };
    return splitAt(url, url.indexOf("/"));
  },
  register: async () => {},
};

/** `dns:///host:port/package.Service/Method` beside the plain form; the channel asks DNS again as addresses come and go. */
export const dnsDriver: Driver = {
  ...defaultDriver,
  name: "dns",
  splitGrpc(url) {
    if (!url.startsWith("dns://")) return defaultDriver.splitGrpc(url);
    const host = url.indexOf("/", "dns://".length) + 1;
    return splitAt(url, host === 0 ? -1 : url.indexOf("/", host));
  },
};

function splitAt(url: string, slash: number): GrpcAddress | { readonly error: string } {
  if (slash < 0) return { error: `bad url: '${url}'. no '/' found` };
  return { target: url.slice(0, slash), method: url.slice(slash) };
}

const DRIVERS: readonly Driver[] = [defaultDriver, dnsDriver];

/** Null when no driver has this name; the configuration names it then. */
export function driverNamed(name: string): Driver | null {
  return DRIVERS.find((driver) => driver.name === (name || "default")) ?? null;
}
