/**
 * A batch in arrival order as waves that may each be done kind by kind: in a wave no gid occurs twice, and what looks at many rows has
 * a wave of its own.
 */
import type { GidOperation, Operation, WideOperation } from "./operation.js";

export type Wave =
  | { readonly kind: "gids"; readonly operations: readonly GidOperation[] }
  | { readonly kind: "wide"; readonly operation: WideOperation };

export function waves(batch: readonly Operation[]): Wave[] {
  const made: Wave[] = [];
  let open: { kind: "gids"; operations: GidOperation[]; gids: Set<string> }[] = [];
  const close = (): void => {
    made.push(...open);
    open = [];
  };
  for (const operation of batch) {
    if (!("gid" in operation)) {
      close();
      made.push({ kind: "wide", operation });
      continue;
    }
    // The first wave behind the last one that knows this gid; other gids don't mind being earlier.
    const place = open.findLastIndex((wave) => wave.gids.has(operation.gid)) + 1;
    const wave = open[place];
    if (wave === undefined) open.push({ kind: "gids", operations: [operation], gids: new Set([operation.gid]) });
    else {
      wave.operations.push(operation);
      wave.gids.add(operation.gid);
    }
  }
  close();
  return made;
}
