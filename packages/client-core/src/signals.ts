/**
 * One listener per abort signal, however many calls share it: an application often gives one signal to many calls at once, and Node warns of
 * a leak from the eleventh listener on.
 */

interface Shared {
  readonly listeners: Set<() => void>;
  readonly tell: () => void;
}

const sharedBy = new WeakMap<AbortSignal, Shared>();

/** Calls `listener` when the signal fires, at once when it has. The function that comes back ends the listening. */
export function onAbort(signal: AbortSignal | undefined, listener: () => void): () => void {
  if (signal === undefined) return () => undefined;
  if (signal.aborted) {
    listener();
    return () => undefined;
  }
  const shared = sharedBy.get(signal) ?? listenTo(signal);
  // A function of its own, since the same listener may be given twice.
  const own = (): void => listener();
  shared.listeners.add(own);
  return () => {
    shared.listeners.delete(own);
    if (shared.listeners.size > 0 || sharedBy.get(signal) !== shared) return;
    sharedBy.delete(signal);
    signal.removeEventListener("abort", shared.tell);
  };
}

function listenTo(signal: AbortSignal): Shared {
  const listeners = new Set<() => void>();
  const tell = (): void => {
    sharedBy.delete(signal);
    for (const listener of [...listeners]) listener();
  };
  const shared = { listeners, tell };
  signal.addEventListener("abort", tell, { once: true });
  sharedBy.set(signal, shared);
  return shared;
}
