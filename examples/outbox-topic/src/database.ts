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
    drop table if exists outbox_paid, outbox_parcel, outbox_revenue;
    create table outbox_paid (id text primary key, amount integer not null check (amount > 0));
    create table outbox_parcel (id text primary key);
    create table outbox_revenue (total integer not null);
    insert into outbox_revenue values (0)`);
}
