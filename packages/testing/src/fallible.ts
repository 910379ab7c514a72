/**
 * Clients of databases whose calls are steps that a crash can come before or after, also those of the objects that they hold: the call
 * of `prisma.account.update()` is one of `prisma.account`.
 */
import { types } from "node:util";
import { requireObject } from "@dtm/client-core/internal";
import type { Kit } from "./matrix.js";

export function fallibleIn(io: Kit["io"]): Kit["fallible"] {
  // One for each object: objects may hold each other, and `db.account` stays the same as `db.account`.
  const wrapped = new WeakMap<object, object>();

  function wrap<T extends object>(target: T): T {
    const known = wrapped.get(target);
    if (known !== undefined) return known as T;
    // Private fields are only found on the object itself, so it runs its own methods, getters and setters.
    const made = new Proxy(target, {
      get(object, name) {
        const member: unknown = Reflect.get(object, name);
        if (typeof member === "function")
          return (...given: unknown[]) => io(() => Reflect.apply(member, object, given) as unknown);
        return isObject(member) && holdsFunctions(member) ? wrap(member) : member;
      },
      set: (object, name, value) => Reflect.set(object, name, value),
    });
    wrapped.set(target, made);
    // A repository that was given a wrapped client, and is wrapped itself, takes no step twice.
    wrapped.set(made, made);
    return made;
  }

  return (target) => {
    requireObject(target, "OPTION_INVALID", "kit.fallible");
    return wrap(target);
  };
}

/** Itself or further down, as in `db.models.account.update()`. What only holds data stays as it is, and so do the language's own objects. */
function holdsFunctions(object: object, seen = new Set<object>()): boolean {
  if (seen.has(object) || isBuiltIn(object)) return false;
  seen.add(object);
  const members = [...membersOf(object)];
  return (
    members.some((member) => typeof member === "function") ||
    members.some((member) => isObject(member) && holdsFunctions(member, seen))
  );
}

/** A getter, which may give anything, is a member as the function that it is, and isn't called. */
function* membersOf(object: object): Iterable<unknown> {
  let at: object | null = object;
  // The last prototype is `Object.prototype`, whose methods everything has.
  while (at !== null && (at === object || Reflect.getPrototypeOf(at) !== null)) {
    for (const name of Reflect.ownKeys(at)) {
      if (name === "constructor") continue;
      // Descriptors of Prisma's delegates, which are proxies, have no value.
      yield Reflect.getOwnPropertyDescriptor(at, name)?.get ?? Reflect.get(at, name);
    }
    at = Reflect.getPrototypeOf(at);
  }
}

function isBuiltIn(object: object): boolean {
  return (
    Array.isArray(object) ||
    types.isAnyArrayBuffer(object) ||
    types.isArrayBufferView(object) ||
    types.isDate(object) ||
    types.isMap(object) ||
    types.isSet(object) ||
    types.isRegExp(object) ||
    types.isNativeError(object) ||
    types.isPromise(object) ||
    typeof Reflect.get(object, "then") === "function"
  );
}

function isObject(value: unknown): value is object {
  return typeof value === "object" && value !== null;
}
