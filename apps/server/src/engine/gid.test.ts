import { newGid } from "./gid.js";

const ALPHABET = "23456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";

describe("newGid", () => {
  const gids = Array.from({ length: 2_000 }, newGid);

  test("22 characters of dtm's alphabet", () => {
    for (const gid of gids) expect(gid).toMatch(new RegExp(`^[${ALPHABET}]{22}$`));
  });

  test("never twice", () => {
    expect(new Set(gids).size).toBe(gids.length);
  });

  test("the version and variant of a v4 UUID survive the shortening", () => {
    for (const gid of gids.slice(0, 100)) {
      const value = [...gid].reduce((sum, digit) => sum * 57n + BigInt(ALPHABET.indexOf(digit)), 0n);
      const uuid = value.toString(16).padStart(32, "0");
      expect(uuid).toMatch(/^[0-9a-f]{12}4[0-9a-f]{3}[89ab][0-9a-f]{15}$/);
    }
  });
});
