/**
 * Who called what, and may they have called at once? Two calls of one branch overlap rightly only when the node of one of them had been
 * declared dead before the other began (R2). The store says which epochs it declared dead and when, the log of a node that went on
 * says when it noticed; together they tell which epoch a call belongs to.
 */

/** One call of a branch operation as the service saw it. Times are milliseconds since 1970, all on this machine. */
export interface Call {
  readonly gid: string;
  readonly branchId: string;
  readonly op: string;
  /** The coordinator's process, and when it began the call. */
  readonly pid: number;
  readonly begunAt: number;
  readonly start: number;
  /** Infinite while it is under way. */
  readonly end: number;
  /** What was answered; null while it is under way. */
  readonly status: number | null;
}

/** One that was declared dead. */
export interface DeadEpoch {
  readonly name: string;
  readonly pid: number;
  readonly deadAt: number;
  /** When its process learned of it and became another epoch; infinite when it never did. */
  readonly noticedAt: number;
}

export interface Overlap {
  readonly first: Call;
  readonly second: Call;
  /** Whose death explains it. */
  readonly epoch: DeadEpoch | null;
}

/** Databases round to whole milliseconds. */
const ROUNDED_MS = 1;

/** `logs`: of all nodes, as lines of JSON. */
export function deadEpochs(deaths: ReadonlyMap<string, number>, logs: readonly string[]): readonly DeadEpoch[] {
  const noticed = new Map<string, number>();
  for (const line of logs) {
    if (!line.includes("epoch was declared dead")) continue;
    const { epoch, ts } = JSON.parse(line) as { readonly epoch: string; readonly ts: string };
    noticed.set(epoch, Date.parse(ts));
  }
  return [...deaths].map(([name, deadAt]) => {
    // <host>.<pid>.<random>
    const pid = Number(name.split(".").at(-2));
    return { name, pid, deadAt, noticedAt: noticed.get(name) ?? Number.POSITIVE_INFINITY };
  });
}

/** The epoch that a call belongs to, if it is dead by now: the first one of its process that had not noticed its death when the call began. */
export function epochOf(call: Call, epochs: readonly DeadEpoch[]): DeadEpoch | null {
  const own = epochs.filter(({ pid, noticedAt }) => pid === call.pid && call.begunAt <= noticedAt);
  return own.sort((a, b) => a.noticedAt - b.noticedAt)[0] ?? null;
}

export function overlapsOf(calls: readonly Call[], epochs: readonly DeadEpoch[]): readonly Overlap[] {
  const found: Overlap[] = [];
  for (const same of byBranch(calls)) {
    for (const [place, first] of same.entries()) {
      for (const second of same.slice(place + 1)) {
        if (second.start < first.end) found.push({ first, second, epoch: whoseDeath(first, second, epochs) });
      }
    }
  }
  return found;
}

/** Calls that a dead epoch began after its death: a node stops when it can't be sure to live, so at most the one that it was about to send. */
export function lateCalls(calls: readonly Call[], epochs: readonly DeadEpoch[]): ReadonlyMap<DeadEpoch, readonly Call[]> {
  const late = new Map<DeadEpoch, Call[]>();
  for (const call of calls) {
    const epoch = epochOf(call, epochs);
    if (epoch !== null && call.begunAt > epoch.deadAt + ROUNDED_MS) late.set(epoch, [...(late.get(epoch) ?? []), call]);
  }
  return late;
}

/** Calls of a branch that had answered success before. */
export function doubledOf(calls: readonly Call[]): readonly Call[] {
  return byBranch(calls).flatMap((same) => {
    const done = Math.min(...same.map(({ status, end }) => (status === 200 ? end : Number.POSITIVE_INFINITY)));
    return same.filter(({ start, end }) => start >= done && end > done);
  });
}

function whoseDeath(first: Call, second: Call, epochs: readonly DeadEpoch[]): DeadEpoch | null {
  const [one, other] = [epochOf(first, epochs), epochOf(second, epochs)];
  if (one?.name === other?.name) return null;
  return [one, other].find((epoch) => epoch !== null && epoch.deadAt <= second.start + ROUNDED_MS) ?? null;
}

/** The calls of each branch operation, in the order of their starts. */
function byBranch(calls: readonly Call[]): Call[][] {
  const groups = new Map<string, Call[]>();
  for (const call of calls) {
    const key = branchOf(call);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [call]);
    else group.push(call);
  }
  return [...groups.values()].map((group) => group.sort((a, b) => a.start - b.start));
}

export function branchOf({ gid, branchId, op }: Pick<Call, "gid" | "branchId" | "op">): string {
  return `${gid} ${branchId} ${op}`;
}
