/** What runs in turns say about two servers: the ratio within each pair, where a slow moment of the machine met both. */
import { median, percentile } from "./stats.mjs";

/** Of one against the other, which ran as often: the median of the pairs' ratios and the middle half of them. */
export function ratioOf(one, other, key) {
  if (one.length !== other.length) throw new Error(`${one.length} runs can't be paired with ${other.length}`);
  const ratios = one.map((run, at) => run[key] / other[at][key]);
  return { median: median(ratios), from: percentile(ratios, 0.25), to: percentile(ratios, 0.75) };
}
