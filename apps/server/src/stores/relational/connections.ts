/** How the connections to a database are shared out; the rest of what a setting allows are for readers. */

/**
 * Lanes that commit at the same time. PostgreSQL: a second flusher at once gained nothing here, and one keeps the arrival order of
 * everything. MySQL: it pays, one writes while the other waits for the log.
 */
export const LANES = { postgres: 1, mysql: 2 } as const;

export function readers(maxConnections: number, lanes: number): number {
  return maxConnections - lanes - HEARTBEATS;
}

/** One reader at least. */
export function leastConnections(driver: keyof typeof LANES): number {
  return LANES[driver] + HEARTBEATS + 1;
}

const HEARTBEATS = 1;
