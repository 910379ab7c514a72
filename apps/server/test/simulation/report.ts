/** What a run of worlds met (R31): a simulation that never meets a fault proves nothing about it. */
export const FAULTS = [
  "crash before write",
  "crash after write",
  "unknown commit, applied",
  "unknown commit, applied later",
  "unknown commit, not applied",
  "lost request",
  "lost reply",
  "late answer",
  "lease loss",
  "clock jump",
  "operator action",
  "nudge",
  "restart",
  "graceful stop",
  "breaker opened",
  "probe",
  "wake-up",
] as const;
export type Fault = (typeof FAULTS)[number];

export interface Report {
  worlds: number;
  faults: Record<string, number>;
  /** `<type> <end>` */
  ends: Record<string, number>;
  violations: { seed: number; message: string }[];
}

export function emptyReport(): Report {
  return { worlds: 0, faults: {}, ends: {}, violations: [] };
}

export function merge(into: Report, from: Report): void {
  into.worlds += from.worlds;
  for (const key of ["faults", "ends"] as const) {
    for (const [name, count] of Object.entries(from[key])) into[key][name] = (into[key][name] ?? 0) + count;
  }
  into.violations.push(...from.violations);
}
