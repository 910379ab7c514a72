import { number, table } from "./report.mjs";
import { median } from "./stats.mjs";

const ROWS = [
  { key: "perSecond", title: "finished per second", target: "perSecond" },
  { key: "p50", title: "p50 submit, ms" },
  { key: "p99", title: "p99 submit, ms" },
  { key: "cpuMsEach", title: "coordinator CPU each, ms", target: "cpu" },
  { key: "peakRssMb", title: "peak RSS, MB" },
  { key: "flushesEach", title: "disk flushes each" },
  { key: "coresServer", title: "cores used by the server" },
  { key: "coresServices", title: "… by the services" },
  { key: "coresLoad", title: "… by the load generator" },
  { key: "coresOthers", title: "… by anything else (noise)" },
  { key: "coresStolen", title: "cores that the host withheld (noise)" },
];

export function runLine(run) {
  const trouble = [
    run.notFinal > 0 ? `${run.notFinal} answered but not succeed` : "",
    run.errors > 0 ? `${run.errors} errors, first: ${run.firstError}` : "",
  ].filter((text) => text !== "");
  const cores = ["Server", "Services", "Load", "Others", "Stolen"].map(
    (who) => `${who.toLowerCase()} ${number(run[`cores${who}`], 2)}`,
  );
  const figures =
    `${number(run.perSecond)}/s, submit p50 ${number(run.p50)} p99 ${number(run.p99)} ms, CPU ${number(run.cpuMsEach)} ms each, ` +
    `RSS ${number(run.peakRssMb)} MB; cores: ${cores.join(", ")}`;
  return `${run.pattern} ${run.mode} round ${run.round} ${run.peer}: ${figures}${trouble.length > 0 ? `; ${trouble.join("; ")}` : ""}`;
}

/** Beyond this, others had so much of the machine that the figures say little. */
const NOISE_CORES = 0.2;

const medianOf = (runs, key) => median(runs.map((run) => run[key]).filter((value) => value !== null));

/** What of the design's goals for `target` a ratio of ours to dtm's reaches. */
export function verdict(target, ratio, targets) {
  if (target === undefined || Number.isNaN(ratio)) return "";
  const [must, aim] = targets[target];
  const reaches = (goal) => (target === "cpu" ? ratio <= goal : ratio >= goal);
  const goals = target === "cpu" ? `must < ${must}, aim ${aim}` : `must ${must}, aim ${aim}`;
  return `${reaches(aim) ? "aim reached" : reaches(must) ? "must reached" : "MISSED"} (${goals})`;
}

/** Medians over the rounds, ours against the other, one table per pattern and mode. */
export function compare(runs, targets) {
  const peers = [...new Set(runs.map((run) => run.peer))];
  const other = peers.find((peer) => peer !== "ours");
  const groups = [...new Set(runs.map((run) => `${run.pattern} ${run.mode}`))];
  const parts = groups.map((group) => {
    const of = (peer) => runs.filter((run) => run.peer === peer && `${run.pattern} ${run.mode}` === group);
    const rows = ROWS.map(({ key, title, target }) => {
      const values = peers.map((peer) => medianOf(of(peer), key));
      const ratio =
        other !== undefined && peers.includes("ours") ? medianOf(of("ours"), key) / medianOf(of(other), key) : Number.NaN;
      return [title, ...values.map((value) => number(value)), number(ratio), verdict(target, ratio, targets)];
    });
    const spread = peers
      .map(
        (peer) =>
          `${peer} ${of(peer)
            .map((run) => number(run.perSecond))
            .join(", ")}`,
      )
      .join("; ");
    return `### ${group}\n\n${table(["", ...peers, "ratio", "design"], rows)}\n\nPer round: ${spread}.${troubles(runs, group)}`;
  });
  const durability = peers.map((peer) => `- ${peer}: ${runs.find((run) => run.peer === peer).durability}`);
  return `Durability in force, asserted before each run:\n\n${durability.join("\n")}\n\n${parts.join("\n\n")}`;
}

function troubles(runs, group) {
  const bad = runs.filter((run) => `${run.pattern} ${run.mode}` === group && (run.errors > 0 || run.notFinal > 0));
  const noisy = runs.filter((run) => `${run.pattern} ${run.mode}` === group && run.coresOthers + run.coresStolen > NOISE_CORES);
  const noise =
    noisy.length === 0
      ? ""
      : `\n\nNOISY: in ${noisy.length} of these runs others had more than ${NOISE_CORES} cores: don't quote them.`;
  if (bad.length === 0) return noise;
  return `${noise}\n\nNot clean: ${bad.map((run) => `${run.peer} round ${run.round}: ${run.errors} errors (${run.firstError}), ${run.notFinal} answered but not succeed`).join("; ")}.`;
}
