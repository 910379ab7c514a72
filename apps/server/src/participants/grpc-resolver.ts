import { experimental, Metadata, status } from "@grpc/grpc-js";
import { type Egress, openEgress } from "./egress.js";

/** A name like grpc-js's own `dns`, whose addresses pass the egress rules before a channel may connect to one of them. */
export const CHECKED_SCHEME = "dtm-checked";
const EGRESS_OPTION = "dtm.egress";

type Listener = experimental.ResolverListener;
type Endpoints = Parameters<Listener>[0];

class CheckedResolver implements experimental.Resolver {
  readonly #dns: experimental.Resolver;

  constructor(target: experimental.GrpcUri, listener: Listener, options: Readonly<Record<string, unknown>>) {
    const egress = isEgress(options[EGRESS_OPTION]) ? options[EGRESS_OPTION] : openEgress;
    const host = experimental.splitHostPort(target.path)?.host ?? target.path;
    this.#dns = experimental.createResolver(
      { ...target, scheme: "dns" },
      (endpoints, ...rest) => listener(checked(endpoints, egress, host), ...rest),
      options,
    );
  }

  static getDefaultAuthority(target: experimental.GrpcUri): string {
    return target.path;
  }

  updateResolution(): void {
    this.#dns.updateResolution();
  }

  destroy(): void {
    this.#dns.destroy();
  }
}

function checked(endpoints: Endpoints, egress: Egress, host: string): Endpoints {
  if (!endpoints.ok) return endpoints;
  let refusal = "no address";
  const allowed = endpoints.value.filter((endpoint) =>
    endpoint.addresses.every((address) => {
      const verdict = "host" in address ? egress.refuseAddress(address.host, host) : "not an internet address";
      refusal = verdict ?? refusal;
      return verdict === null;
    }),
  );
  if (allowed.length > 0) return experimental.statusOrFromValue(allowed);
  return experimental.statusOrFromError({ code: status.UNAVAILABLE, details: refusal, metadata: new Metadata() });
}

function isEgress(value: unknown): value is Egress {
  return typeof value === "object" && value !== null && "refuseAddress" in value;
}

let registered = false;

/** The channel options that make a `dtm-checked:` target answer to these rules. grpc-js keeps resolvers per process. */
export function checkedBy(egress: Egress): Record<string, unknown> {
  if (!registered) experimental.registerResolver(CHECKED_SCHEME, CheckedResolver);
  registered = true;
  return { [EGRESS_OPTION]: egress };
}
