/** The barrier inside a transaction of `better-sqlite3`, whose interface libsql shares. */
export { barrier, type SqliteDatabaseLike } from "./libsql.js";
