// Breaks a coordinator on PostgreSQL on purpose (`node --import`): what it claims it takes from the living as well (R2).
import pg from "pg";

const { query } = pg.Client.prototype;
pg.Client.prototype.query = function (asked, ...rest) {
  const text = asked.text?.replace("WHERE n.dead_at > clock_timestamp() - interval '1 day' AND", "WHERE");
  return query.call(this, text === undefined ? asked : { ...asked, text }, ...rest);
};
