/** The settings as the engine knows them. */
import type { TransactionType } from "@dtm/protocol";
import type { EngineSettings, TypeSettings } from "../engine/settings.js";
import type { Config } from "./schema.js";

export function toEngineSettings(config: Config): EngineSettings {
  return {
    types: {
      // R15: only a saga has a legal exit after a limit.
      saga: { ...typeSettings(config, "saga"), retryLimit: config.Types.saga.RetryLimit },
      msg: typeSettings(config, "msg"),
      tcc: typeSettings(config, "tcc"),
      xa: typeSettings(config, "xa"),
      workflow: typeSettings(config, "workflow"),
    },
    timeoutToFail: config.TimeoutToFail,
    transCronInterval: config.TransCronInterval,
    leaseMs: config.LeaseMs,
    heartbeatMs: config.HeartbeatMs,
    graceMs: config.GraceMs,
    maxDriving: config.MaxDriving,
    destinationLimit: config.DestinationLimit,
    alertRetryLimit: config.AlertRetryLimit,
    stuckAfterMs: config.StuckAfter * 1000,
  };
}

function typeSettings(config: Config, type: TransactionType): TypeSettings {
  const own = config.Types[type];
  const retryInterval = own.RetryInterval ?? config.RetryInterval;
  return {
    retryInterval,
    timeoutToFail: own.TimeoutToFail ?? config.TimeoutToFail,
    requestTimeout: own.RequestTimeout ?? config.RequestTimeout,
    retryMaxInterval: Math.max(retryInterval, own.RetryMaxInterval ?? config.RetryMaxInterval),
    retryJitter: own.RetryJitter ?? config.RetryJitter,
    retryLimit: 0,
    concurrency: own.Concurrency ?? config.Concurrency,
    stuckAfterAttempts: own.StuckAfterAttempts ?? config.StuckAfterAttempts,
  };
}
