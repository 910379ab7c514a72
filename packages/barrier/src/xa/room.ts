/**
 * Room for phase 2. A prepared branch holds its locks until its phase 2, and the first phases of others wait for them, each on a connection: with
 * as many of them as the pool has connections nobody could come and settle it. So first phases leave one connection of their pool alone.
 */
import { Ongoing } from "@dtm/protocol";

/** How many first phases of this process may be on one pool's connections at a time. */
export interface Room {
  /**
   * Comes in, in the order of asking; what it returns is to be called once, when the connection has gone back.
   *
   * @throws Ongoing when it has waited in vain for {@link ROOM_WAIT_MS}: nothing was done.
   */
  enter(): Promise<() => void>;
}

/** Longer than a client waits for its call's answer by default (10 s). */
export const ROOM_WAIT_MS = 30_000;

/** All that is made of one pool shares its room. */
const ROOMS = new WeakMap<object, Room>();

/** Undefined where nothing can be kept free: the pool's size is unknown, or it has one connection only. */
export function roomOf(pool: object, size: unknown): Room | undefined {
  if (typeof size !== "number" || !Number.isInteger(size) || size < 2) return undefined;
  let room = ROOMS.get(pool);
  if (room === undefined) {
    room = makeRoom(size - 1);
    ROOMS.set(pool, room);
  }
  return room;
}

export function makeRoom(places: number, waitMs = ROOM_WAIT_MS): Room {
  let free = places;
  /** A Set keeps the order, and whoever gives up is taken out of its middle. */
  const waiting = new Set<() => void>();

  const leave = (): void => {
    const [next] = waiting;
    if (next === undefined) free++;
    else next();
  };

  return {
    async enter() {
      if (free > 0) free--;
      else {
        await new Promise<void>((resolve, reject) => {
          const come = (): void => {
            clearTimeout(timer);
            waiting.delete(come);
            resolve();
          };
          const timer = setTimeout(() => {
            waiting.delete(come);
            reject(
              new Ongoing(
                `waited ${waitMs / 1000} s for one of the ${places} connections that XA's first phases may take of this pool`,
              ),
            );
          }, waitMs);
          waiting.add(come);
        });
      }
      return leave;
    },
  };
}
