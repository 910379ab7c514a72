/**
 * dtm's tables, names and types (protocol.md 5.1), made where they are absent, then what is ours: columns that dtm's inserts may leave
 * out (R28), and two small tables of our own. In what is made here a gid is compared byte by byte and a payload may have a mebibyte
 * (R27). `due_at` is the due time in milliseconds; it counts while `next_cron_time`, its whole second rounded up, agrees with it (R19).
 * MySQL ends a transaction at each of these, so each stands for itself; an empty line is between two.
 */
export const initial = `
CREATE TABLE IF NOT EXISTS trans_global (
  id                 bigint        NOT NULL AUTO_INCREMENT,
  gid                varchar(128)  CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  trans_type         varchar(45)   NOT NULL,
  status             varchar(12)   NOT NULL,
  query_prepared     varchar(1024) NOT NULL,
  protocol           varchar(45)   NOT NULL,
  create_time        datetime      DEFAULT NULL,
  update_time        datetime      DEFAULT NULL,
  finish_time        datetime      DEFAULT NULL,
  rollback_time      datetime      DEFAULT NULL,
  options            varchar(1024) DEFAULT '',
  custom_data        varchar(1024) DEFAULT '',
  next_cron_interval int           DEFAULT NULL,
  next_cron_time     datetime      DEFAULT NULL,
  owner              varchar(128)  NOT NULL DEFAULT '',
  ext_data           text,
  result             varchar(1024) DEFAULT '',
  rollback_reason    varchar(1024) DEFAULT '',
  PRIMARY KEY (id),
  UNIQUE KEY gid (gid),
  KEY status_next_cron_time (status, next_cron_time)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin

CREATE TABLE IF NOT EXISTS trans_branch_op (
  id            bigint        NOT NULL AUTO_INCREMENT,
  gid           varchar(128)  CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  url           varchar(1024) NOT NULL,
  data          text,
  bin_data      mediumblob,
  branch_id     varchar(128)  NOT NULL,
  op            varchar(45)   NOT NULL,
  status        varchar(45)   NOT NULL,
  finish_time   datetime      DEFAULT NULL,
  rollback_time datetime      DEFAULT NULL,
  create_time   datetime      DEFAULT NULL,
  update_time   datetime      DEFAULT NULL,
  PRIMARY KEY (id),
  UNIQUE KEY gid_uniq (gid, branch_id, op)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin

CREATE TABLE IF NOT EXISTS kv (
  id          bigint       NOT NULL AUTO_INCREMENT,
  cat         varchar(45)  NOT NULL,
  k           varchar(128) NOT NULL,
  v           text,
  version     bigint       DEFAULT 1,
  create_time datetime     DEFAULT NULL,
  update_time datetime     DEFAULT NULL,
  PRIMARY KEY (id),
  UNIQUE KEY uniq_k (cat, k)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin

ALTER TABLE trans_global
  ADD COLUMN submit_time bigint        DEFAULT NULL,
  ADD COLUMN due_at      bigint        DEFAULT NULL,
  ADD COLUMN attempts    int           NOT NULL DEFAULT 0,
  ADD COLUMN refusals    int           NOT NULL DEFAULT 0,
  ADD COLUMN wake        int           NOT NULL DEFAULT 0,
  ADD COLUMN waiting_on  varchar(4096) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL DEFAULT '',
  ADD KEY trans_global_resting (owner, status, next_cron_time),
  ADD KEY trans_global_waiting (waiting_on(191)),
  ADD KEY trans_global_create_time (create_time)

CREATE TABLE dtm_node (
  epoch      varchar(128) NOT NULL,
  expires_at datetime(3)  NOT NULL,
  dead_at    datetime(3)  DEFAULT NULL,
  PRIMARY KEY (epoch)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin

CREATE TABLE dtm_lane (
  id    varchar(32) NOT NULL,
  token varchar(32) NOT NULL,
  at    datetime(3) NOT NULL,
  PRIMARY KEY (id)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin
`;
