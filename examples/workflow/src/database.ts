import type pg from "pg";

/** One local transaction on a connection of its own. An error rolls it back and is thrown on: it must not be lost. */
export async function transaction<T>(pool: pg.Pool, work: (client: pg.PoolClient) => Promise<T>): Promise<T> {
  const client = await pool.connect();
  try {
    await client.query("begin");
    const value = await work(client);
    await client.query("commit");
    client.release();
    return value;
  } catch (cause) {
    // Ending the connection rolls back whatever is open on it, even when the server can't be asked to.
    client.release(true);
    throw cause;
  }
}

/** Everything begins anew at every start. */
export async function fillTables(pool: pg.Pool): Promise<void> {
  await pool.query(`
    drop table if exists workflow_account, workflow_points, workflow_flight, workflow_booking;
    create table workflow_account (guest text primary key, balance integer not null);
    create table workflow_points (guest text primary key, points integer not null);
    create table workflow_flight (flight text primary key, free integer not null, held integer not null);
    create table workflow_booking (gid text primary key, guest text not null, flight text not null);
    insert into workflow_account values ('Ann', 500), ('Ben', 500);
    insert into workflow_points values ('Ann', 0), ('Ben', 0);
    insert into workflow_flight values ('ZRH', 5, 0), ('full', 0, 0)`);
}
