/** How the connections to a database are shared out: one writes, one beats, the rest of what a setting allows are for readers. */

const LANE = 1;
const HEARTBEATS = 1;

export const LEAST_CONNECTIONS = LANE + HEARTBEATS + 1;

export function readers(maxConnections: number): number {
  return maxConnections - LANE - HEARTBEATS;
}
