/**
 * dtm's tables, names and types (protocol.md 5.1), made where they are absent, then what is ours: columns that dtm's inserts may leave
 * out (R28), indexes that hold only what rests, waits or is driven, and two small tables of our own. `due_at` is the due time in
 * milliseconds; it counts while `next_cron_time`, its whole second rounded up, agrees with it (R19). `{schema}` is put in by the runner.
 */
export const initial = `
CREATE SEQUENCE IF NOT EXISTS {schema}.trans_global_seq;
CREATE TABLE IF NOT EXISTS {schema}.trans_global (
  id                 bigint        NOT NULL DEFAULT nextval('{schema}.trans_global_seq'),
  gid                varchar(128)  COLLATE "C" NOT NULL,
  trans_type         varchar(45)   NOT NULL,
  status             varchar(45)   NOT NULL,
  query_prepared     varchar(1024) NOT NULL,
  protocol           varchar(45)   NOT NULL,
  create_time        timestamp(0) with time zone,
  update_time        timestamp(0) with time zone,
  finish_time        timestamp(0) with time zone,
  rollback_time      timestamp(0) with time zone,
  options            varchar(1024) DEFAULT '',
  custom_data        varchar(1024) DEFAULT '',
  next_cron_interval integer,
  next_cron_time     timestamp(0) with time zone,
  owner              varchar(128)  NOT NULL DEFAULT '',
  ext_data           text,
  result             varchar(1024) DEFAULT '',
  rollback_reason    varchar(1024) DEFAULT '',
  PRIMARY KEY (id),
  CONSTRAINT gid UNIQUE (gid)
);
CREATE INDEX IF NOT EXISTS status_next_cron_time ON {schema}.trans_global (status, next_cron_time);

CREATE SEQUENCE IF NOT EXISTS {schema}.trans_branch_op_seq;
CREATE TABLE IF NOT EXISTS {schema}.trans_branch_op (
  id            bigint        NOT NULL DEFAULT nextval('{schema}.trans_branch_op_seq'),
  gid           varchar(128)  COLLATE "C" NOT NULL,
  url           varchar(1024) NOT NULL,
  data          text,
  bin_data      bytea,
  branch_id     varchar(128)  NOT NULL,
  op            varchar(45)   NOT NULL,
  status        varchar(45)   NOT NULL,
  finish_time   timestamp(0) with time zone,
  rollback_time timestamp(0) with time zone,
  create_time   timestamp(0) with time zone,
  update_time   timestamp(0) with time zone,
  PRIMARY KEY (id),
  CONSTRAINT gid_branch_uniq UNIQUE (gid, branch_id, op)
);

CREATE SEQUENCE IF NOT EXISTS {schema}.kv_seq;
CREATE TABLE IF NOT EXISTS {schema}.kv (
  id          bigint       NOT NULL DEFAULT nextval('{schema}.kv_seq'),
  cat         varchar(45)  NOT NULL,
  k           varchar(128) NOT NULL,
  v           text,
  version     bigint       DEFAULT 1,
  create_time timestamp(0) with time zone,
  update_time timestamp(0) with time zone,
  PRIMARY KEY (id),
  CONSTRAINT uniq_k UNIQUE (cat, k)
);

ALTER TABLE {schema}.trans_global
  ADD COLUMN submit_time bigint,
  ADD COLUMN due_at      bigint,
  ADD COLUMN attempts    integer NOT NULL DEFAULT 0,
  ADD COLUMN refusals    integer NOT NULL DEFAULT 0,
  ADD COLUMN wake        integer NOT NULL DEFAULT 0,
  ADD COLUMN waiting_on  text    NOT NULL DEFAULT '';

CREATE INDEX trans_global_resting ON {schema}.trans_global (status, next_cron_time, due_at, id)
  WHERE owner = '' AND status IN ('prepared', 'submitted', 'aborting');
CREATE INDEX trans_global_owned ON {schema}.trans_global (owner COLLATE "C") WHERE owner <> '';
CREATE INDEX trans_global_waiting ON {schema}.trans_global (left(waiting_on, 255)) WHERE waiting_on <> '';
CREATE INDEX trans_global_create_time ON {schema}.trans_global (create_time);
DO $$ BEGIN
  -- A gid of a table that dtm made sorts by the database's language; letter by letter it needs an index of its own.
  IF (SELECT c.collname <> 'C' FROM pg_attribute a JOIN pg_collation c ON c.oid = a.attcollation
      WHERE a.attrelid = '{schema}.trans_global'::regclass AND a.attname = 'gid') THEN
    CREATE INDEX trans_global_gid_prefix ON {schema}.trans_global (gid text_pattern_ops);
  END IF;
END $$;
-- A branch is written twice: room on its page lets the second time touch no index.
ALTER TABLE {schema}.trans_branch_op SET (fillfactor = 80);

CREATE TABLE {schema}.dtm_node (
  epoch      varchar(128) NOT NULL PRIMARY KEY,
  expires_at timestamp(3) with time zone NOT NULL,
  dead_at    timestamp(3) with time zone
);
CREATE TABLE {schema}.dtm_lane (
  id    varchar(32) NOT NULL PRIMARY KEY,
  token varchar(32) NOT NULL,
  at    timestamp(3) with time zone NOT NULL
) WITH (fillfactor = 20);
`;
