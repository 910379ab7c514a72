/** What the kit is given, looked at before anything runs: a misspelt option, or a bound that is no number, would silently test nothing. */
import { describe, requireFunction, requireKnown, requireObject } from "@dtm/client-core/internal";
import { DtmError } from "@dtm/protocol";
import type { EngineSettings } from "@dtm/server/embedded";
import type { TestCoordinatorOptions } from "./coordinator.js";
import type { FaultMatrixOptions, Scenario } from "./matrix.js";

const MATRIX = {
  invariant: true,
  seed: true,
  maxRuns: true,
  withinMs: true,
  longestHandlerMs: true,
  settings: true,
} satisfies Record<keyof FaultMatrixOptions<unknown>, true>;
const COORDINATOR = { settings: true, longestHandlerMs: true } satisfies Record<keyof TestCoordinatorOptions, true>;
const SETTINGS = {
  types: true,
  timeoutToFail: true,
  transCronInterval: true,
  leaseMs: true,
  heartbeatMs: true,
  graceMs: true,
  maxDriving: true,
  destinationLimit: true,
  alertRetryLimit: true,
  stuckAfterMs: true,
} satisfies Record<keyof EngineSettings, true>;

/** @throws DtmError OPTION_INVALID, naming the option. */
export function checkMatrix<State>(scenario: Scenario<State>, options: FaultMatrixOptions<State>): void {
  requireObject(scenario, "OPTION_INVALID", "scenario");
  requireFunction(scenario.setup, "OPTION_INVALID", "scenario.setup");
  requireFunction(scenario.run, "OPTION_INVALID", "scenario.run");
  requireKnown(options, MATRIX, { what: "options" });
  requireFunction(options.invariant, "OPTION_INVALID", "options.invariant");
  const { seed, maxRuns, withinMs, longestHandlerMs, settings } = options;
  if (seed !== undefined && typeof seed !== "string") throw invalid("seed", "what an earlier run printed", seed);
  if (maxRuns !== undefined && !(Number.isSafeInteger(maxRuns) && maxRuns >= 1))
    throw invalid("maxRuns", "a whole number, 1 or more", maxRuns);
  if (withinMs !== undefined) checkMs("withinMs", withinMs);
  checkCommon({ longestHandlerMs, settings });
}

/** @throws DtmError OPTION_INVALID, naming the option. */
export function checkCoordinator(options: TestCoordinatorOptions): void {
  requireKnown(options, COORDINATOR, { what: "options" });
  checkCommon(options);
}

/** Of virtual time. @throws DtmError OPTION_INVALID: a clock that is set to no number never comes back. */
export function checkMs(name: string, ms: number): void {
  if (!(Number.isFinite(ms) && ms >= 0)) throw invalid(name, "milliseconds, 0 or more", ms);
}

/** @throws DtmError OPTION_INVALID. */
export function checkService(origin: string, listener: unknown): void {
  if (typeof origin !== "string" || !/^https?:\/\/[^/]/i.test(origin) || !URL.canParse(origin))
    throw invalid("serve: origin", 'a scheme and a host, like "http://bank" or "http://gateway/bank"', origin);
  requireFunction(listener, "OPTION_INVALID", `serve: listener of ${origin}`);
}

function checkCommon({ longestHandlerMs, settings }: TestCoordinatorOptions): void {
  if (longestHandlerMs !== undefined && !(typeof longestHandlerMs === "number" && longestHandlerMs > 0))
    throw invalid("longestHandlerMs", "milliseconds above 0", longestHandlerMs);
  if (settings !== undefined) requireKnown(settings, SETTINGS, { what: "settings" });
}

function invalid(name: string, expected: string, found: unknown): DtmError {
  return new DtmError("OPTION_INVALID", `${name}: expected ${expected}, found ${describe(found)}`);
}
