import type pg from "pg";

/** Everything begins anew at every start. */
export async function fillTables(pool: pg.Pool): Promise<void> {
  await pool.query(`
    drop table if exists outbox_paid, outbox_parcel, outbox_revenue;
    create table outbox_paid (id text primary key, amount integer not null check (amount > 0));
    create table outbox_parcel (id text primary key);
    create table outbox_revenue (total integer not null);
    insert into outbox_revenue values (0)`);
}
