/** The tables as dtm's scripts make them (protocol.md 5.1), several statements each. */

export const MYSQL_TABLES_OF_DTM = `
  CREATE TABLE trans_global (
    id bigint(22) NOT NULL AUTO_INCREMENT, gid varchar(128) NOT NULL, trans_type varchar(45) NOT NULL, status varchar(12) NOT NULL,
    query_prepared varchar(1024) NOT NULL, protocol varchar(45) NOT NULL, create_time datetime DEFAULT NULL,
    update_time datetime DEFAULT NULL, finish_time datetime DEFAULT NULL, rollback_time datetime DEFAULT NULL,
    options varchar(1024) DEFAULT '', custom_data varchar(1024) DEFAULT '', next_cron_interval int(11) DEFAULT NULL,
    next_cron_time datetime DEFAULT NULL, owner varchar(128) NOT NULL DEFAULT '', ext_data text, result varchar(1024) DEFAULT '',
    rollback_reason varchar(1024) DEFAULT '', PRIMARY KEY (id), UNIQUE KEY gid (gid), KEY owner (owner),
    KEY status_next_cron_time (status, next_cron_time)) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE utf8mb4_general_ci;
  CREATE TABLE trans_branch_op (
    id bigint(22) NOT NULL AUTO_INCREMENT, gid varchar(128) NOT NULL, url varchar(1024) NOT NULL, data text, bin_data blob,
    branch_id varchar(128) NOT NULL, op varchar(45) NOT NULL, status varchar(45) NOT NULL, finish_time datetime DEFAULT NULL,
    rollback_time datetime DEFAULT NULL, create_time datetime DEFAULT NULL, update_time datetime DEFAULT NULL, PRIMARY KEY (id),
    UNIQUE KEY gid_uniq (gid, branch_id, op)) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE utf8mb4_general_ci;
  CREATE TABLE kv (
    id bigint(22) NOT NULL AUTO_INCREMENT, cat varchar(45) NOT NULL, k varchar(128) NOT NULL, v text, version bigint(22) DEFAULT 1,
    create_time datetime DEFAULT NULL, update_time datetime DEFAULT NULL, PRIMARY KEY (id), UNIQUE KEY uniq_k (cat, k)
  ) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE utf8mb4_general_ci;`;

export const POSTGRES_TABLES_OF_DTM = `
  CREATE SEQUENCE trans_global_seq;
  CREATE TABLE trans_global (
    id bigint NOT NULL DEFAULT nextval('trans_global_seq'), gid varchar(128) NOT NULL, trans_type varchar(45) NOT NULL,
    status varchar(45) NOT NULL, query_prepared varchar(1024) NOT NULL, protocol varchar(45) NOT NULL,
    create_time timestamp(0) with time zone, update_time timestamp(0) with time zone, finish_time timestamp(0) with time zone,
    rollback_time timestamp(0) with time zone, options varchar(1024) DEFAULT '', custom_data varchar(1024) DEFAULT '',
    next_cron_interval int, next_cron_time timestamp(0) with time zone, owner varchar(128) NOT NULL DEFAULT '', ext_data text,
    result varchar(1024) DEFAULT '', rollback_reason varchar(1024) DEFAULT '',
    PRIMARY KEY (id), CONSTRAINT gid UNIQUE (gid));
  CREATE INDEX owner ON trans_global (owner);
  CREATE INDEX status_next_cron_time ON trans_global (status, next_cron_time);
  CREATE SEQUENCE trans_branch_op_seq;
  CREATE TABLE trans_branch_op (
    id bigint NOT NULL DEFAULT nextval('trans_branch_op_seq'), gid varchar(128) NOT NULL, url varchar(1024) NOT NULL, data text,
    bin_data bytea, branch_id varchar(128) NOT NULL, op varchar(45) NOT NULL, status varchar(45) NOT NULL,
    finish_time timestamp(0) with time zone, rollback_time timestamp(0) with time zone, create_time timestamp(0) with time zone,
    update_time timestamp(0) with time zone, PRIMARY KEY (id), CONSTRAINT gid_branch_uniq UNIQUE (gid, branch_id, op));
  CREATE SEQUENCE kv_seq;
  CREATE TABLE kv (
    id bigint NOT NULL DEFAULT nextval('kv_seq'), cat varchar(45) NOT NULL, k varchar(128) NOT NULL, v text, version bigint DEFAULT 1,
    create_time timestamp(0) with time zone, update_time timestamp(0) with time zone, PRIMARY KEY (id), CONSTRAINT uniq_k UNIQUE (cat, k));`;
