import { ofDriver, recognise } from "./recognise.js";

class Wrapper {
  query(): void {}
  execute(): void {}
  format(): void {}
  beginTransaction(): void {}
  changeUser(): void {}
}

test("mysql2's wrapper of a connection is known by its class, whichever object it is", () => {
  expect(ofDriver("mysql2", new Wrapper())).toMatchObject({ role: "connection" });
  const another = new Wrapper();
  const looked = jest.spyOn(Reflect, "get");
  expect(ofDriver("mysql2", another)).toMatchObject({ role: "connection" });
  expect(looked).not.toHaveBeenCalled();
  looked.mockRestore();
});

test("an object that has all by itself says nothing of other objects", () => {
  const { query, execute, format, beginTransaction, changeUser } = Wrapper.prototype;
  expect(recognise({ query, execute, format, beginTransaction, changeUser })).toMatchObject({ driver: "mysql2" });
  expect(recognise({})).toBeNull();
  expect(() => ofDriver("mysql2", {})).toThrow(expect.objectContaining({ code: "WRONG_DRIVER" }));
});

test("a connection whose object has become a pool is no connection by its class", () => {
  class Both extends Wrapper {
    declare readonly getConnection?: () => void;
  }
  const pool = Object.assign(new Both(), { getConnection: () => undefined });
  expect(recognise(pool)).toMatchObject({ role: "pool" });
  expect(recognise(new Both())).toMatchObject({ role: "connection" });
});
