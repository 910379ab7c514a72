/**
 * dtm's tables, names and columns (protocol.md 5.1), then ours. Times are whole milliseconds since the epoch. The happy path of a
 * transaction touches no index of resting or waiting rows: it is created owned and ends finished.
 */
export const initial = `
CREATE TABLE trans_global (
  id                 INTEGER  NOT NULL PRIMARY KEY,
  gid                TEXT     NOT NULL,
  trans_type         TEXT     NOT NULL,
  status             TEXT     NOT NULL,
  query_prepared     TEXT     NOT NULL,
  protocol           TEXT     NOT NULL,
  create_time        DATETIME NOT NULL,
  update_time        DATETIME NOT NULL,
  finish_time        DATETIME,
  rollback_time      DATETIME,
  options            TEXT     NOT NULL DEFAULT '',
  custom_data        TEXT     NOT NULL DEFAULT '',
  next_cron_interval REAL     NOT NULL,
  next_cron_time     DATETIME NOT NULL,
  owner              TEXT     NOT NULL DEFAULT '',
  ext_data           TEXT,
  result             TEXT     NOT NULL DEFAULT '',
  rollback_reason    TEXT     NOT NULL DEFAULT '',
  submit_time        DATETIME,
  attempts           INTEGER  NOT NULL DEFAULT 0,
  refusals           INTEGER  NOT NULL DEFAULT 0,
  wake               INTEGER  NOT NULL DEFAULT 0,
  waiting_on         TEXT     NOT NULL DEFAULT ''
);
CREATE UNIQUE INDEX trans_global_gid ON trans_global (gid);
CREATE INDEX trans_global_status ON trans_global (status);
CREATE INDEX trans_global_trans_type ON trans_global (trans_type);
CREATE INDEX trans_global_create_time ON trans_global (create_time);
CREATE INDEX trans_global_resting ON trans_global (status, next_cron_time)
  WHERE owner = '' AND (status = 'prepared' OR status = 'submitted' OR status = 'aborting');
CREATE INDEX trans_global_waiting ON trans_global (waiting_on) WHERE waiting_on <> '';

CREATE TABLE trans_branch_op (
  id            INTEGER  NOT NULL PRIMARY KEY,
  gid           TEXT     NOT NULL,
  url           TEXT     NOT NULL,
  data          TEXT,
  bin_data      BLOB,
  branch_id     TEXT     NOT NULL,
  op            TEXT     NOT NULL,
  status        TEXT     NOT NULL,
  finish_time   DATETIME,
  rollback_time DATETIME,
  create_time   DATETIME NOT NULL,
  update_time   DATETIME NOT NULL
);
CREATE UNIQUE INDEX trans_branch_op_gid_branch_op ON trans_branch_op (gid, branch_id, op);

CREATE TABLE kv (
  id          INTEGER  NOT NULL PRIMARY KEY AUTOINCREMENT,
  cat         TEXT     NOT NULL,
  k           TEXT     NOT NULL,
  v           TEXT     NOT NULL,
  version     BIGINT   NOT NULL DEFAULT 1,
  create_time DATETIME NOT NULL,
  update_time DATETIME NOT NULL
);
CREATE UNIQUE INDEX kv_cat_k ON kv (cat, k);

CREATE TABLE last_batch (
  id    INTEGER NOT NULL PRIMARY KEY,
  token TEXT    NOT NULL,
  words TEXT    NOT NULL
);
`;
