/**
 * The highest id that dtm gave: what is up to there was its own when its tables were taken over, and is kept (rules.md R30). Only what we
 * wrote has a due time of ours at that moment. 0 where dtm never was. There is one row.
 */
export const adopted = `
CREATE TABLE dtm_adopted (
  last_id bigint NOT NULL,
  PRIMARY KEY (last_id)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin

INSERT INTO dtm_adopted (last_id) SELECT coalesce(max(id), 0) FROM trans_global WHERE due_at IS NULL
`;
