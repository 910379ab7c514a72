import type pg from "pg";

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
