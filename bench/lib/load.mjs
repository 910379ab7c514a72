/** Closed loop: a fixed number of submitters, each starting its next transaction when the last one is answered. */
import { availableParallelism } from "node:os";
import { awaitEnds, countSucceeded, wallMs } from "./ends.mjs";
import { newGid } from "./patterns.mjs";
import { cpuMs, deviceFlushes, machineCpu, peakRssMb } from "./proc.mjs";
import { pause } from "./server-process.mjs";

const NOWAIT_DRAIN_LIMIT_MS = 120_000;

function startLanes(job, records) {
  const { pattern, concurrency, coordinator, participants, service, wait } = job;
  const state = { stopped: false, errors: 0, firstError: null };
  const lane = async () => {
    while (!state.stopped) {
      const gid = newGid();
      try {
        const submitMs = await pattern.run({ coordinator, participants, service, gid, wait });
        records.push({ gid, submitMs, endedMs: performance.now() });
      } catch (cause) {
        state.errors += 1;
        state.firstError ??= cause instanceof Error ? cause.message : String(cause);
        // A server that is gone must not make the lanes spin.
        await pause(10);
      }
    }
  };
  const done = Promise.all(Array.from({ length: concurrency }, lane));
  return {
    state,
    async stop() {
      state.stopped = true;
      await done;
    },
  };
}

async function meter(job) {
  const { cpuMs: servicesCpuMs } = await job.services.stats();
  const { user, system } = process.cpuUsage();
  return {
    at: performance.now(),
    cpuMs: cpuMs(job.pid()),
    flushes: deviceFlushes(),
    servicesCpuMs,
    ownCpuMs: (user + system) / 1000,
    ...machineCpu(),
  };
}

function figures(job, before, after, finished, latencies, problems) {
  const seconds = (after.at - before.at) / 1000;
  const cores = (key) => (after[key] - before[key]) / 1000 / seconds;
  const known = { coresServer: cores("cpuMs"), coresServices: cores("servicesCpuMs"), coresLoad: cores("ownCpuMs") };
  return {
    finished,
    seconds,
    perSecond: finished / seconds,
    submitMs: latencies,
    cpuMsEach: (after.cpuMs - before.cpuMs) / finished,
    flushesEach: before.flushes === null ? null : (after.flushes - before.flushes) / finished,
    peakRssMb: job.peakRss,
    ...known,
    coresOthers: Math.max(0, cores("busyMs") - known.coresServer - known.coresServices - known.coresLoad),
    coresStolen: cores("stolenMs") + Math.max(0, availableParallelism() - cores("toldMs")),
    ...problems,
  };
}

/** Counts what was answered within the window *and* is `succeed` when asked afterwards. */
async function runWaiting(job) {
  const records = [];
  const lanes = startLanes(job, records);
  await pause(job.warmupMs);
  const before = await meter(job);
  await pause(job.windowMs);
  const after = await meter(job);
  job.peakRss = peakRssMb(job.pid());
  await lanes.stop();
  const inWindow = records.filter(({ endedMs }) => endedMs >= before.at && endedMs < after.at);
  const gids = inWindow.map(({ gid }) => gid);
  const finished = await countSucceeded(job.coordinator, gids);
  const { errors, firstError } = lanes.state;
  const problems = { errors, firstError, notFinal: gids.length - finished };
  const latencies = inWindow.map(({ submitMs }) => submitMs);
  return figures(job, before, after, finished, latencies, problems);
}

/** Nobody waits for the result, so the clock runs until the last one is finished: a backlog isn't throughput. */
async function runWithoutWaiting(job) {
  const warm = [];
  const warmLanes = startLanes(job, warm);
  await pause(job.warmupMs);
  await warmLanes.stop();
  await drain(job, warm);
  const answeredBefore = await answered(job);
  const records = [];
  const before = await meter(job);
  const startedWall = wallMs();
  const lanes = startLanes(job, records);
  await pause(job.windowMs);
  await lanes.stop();
  const ends = await drain(job, records, answeredBefore);
  const after = await meter(job);
  job.peakRss = peakRssMb(job.pid());
  if (ends.endMs !== null) after.at = before.at + (ends.endMs - startedWall);
  const { errors, firstError } = lanes.state;
  const problems = { errors, firstError, notFinal: records.length - ends.succeed };
  const latencies = records.map(({ submitMs }) => submitMs);
  return figures(job, before, after, ends.succeed, latencies, problems);
}

const answered = async (job) => (await job.services.stats()).services[job.serviceName].answered;

function drain(job, records, answeredBefore = 0) {
  return awaitEnds({
    client: job.coordinator,
    gids: records.map(({ gid }) => gid),
    callsSeen: async () => (await job.services.stats()).services[job.serviceName],
    expectedCalls: answeredBefore + records.length * (job.pattern.calls + job.pattern.tries),
    limitMs: NOWAIT_DRAIN_LIMIT_MS,
  });
}

/**
 * `job`: pattern, concurrency, wait, warmupMs, windowMs, coordinator and participants (clients), service (URL), serviceName,
 * services (the participants' handle), pid (of the server).
 */
export function runClosedLoop(job) {
  return job.wait ? runWaiting(job) : runWithoutWaiting(job);
}
