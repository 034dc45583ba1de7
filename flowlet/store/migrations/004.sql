-- flowlet's tables, version 4: backfills.

-- A backfill: runs for the past dates of a schedule. At most one of a DAG is running or paused.
CREATE TABLE backfill (
    id INTEGER PRIMARY KEY,
    dag_id TEXT NOT NULL CHECK (dag_id <> ''),
    state TEXT NOT NULL CHECK (state IN ('running', 'paused', 'completed', 'cancelled')),
    from_date INTEGER NOT NULL,
    to_date INTEGER NOT NULL,
    run_backwards INTEGER NOT NULL CHECK (run_backwards IN (0, 1)),
    reprocess_behavior TEXT NOT NULL CHECK (reprocess_behavior IN ('none', 'failed', 'completed')),
    max_active_runs INTEGER NOT NULL CHECK (max_active_runs > 0),
    conf TEXT,
    created_at INTEGER NOT NULL,
    ended_at INTEGER
) STRICT;

CREATE INDEX backfill_active ON backfill (dag_id) WHERE state IN ('running', 'paused');

-- The dates of a backfill in the order in which they come. One that has neither a run nor a reason has
-- not had its turn. run is the row of its run, which retention may have deleted since.
CREATE TABLE backfill_date (
    backfill INTEGER NOT NULL REFERENCES backfill (id),
    ordinal INTEGER NOT NULL,
    logical_date INTEGER NOT NULL,
    interval_start INTEGER NOT NULL,
    interval_end INTEGER NOT NULL,
    run_after INTEGER NOT NULL,
    run INTEGER,
    run_id TEXT,
    reason TEXT,
    PRIMARY KEY (backfill, ordinal)
) STRICT, WITHOUT ROWID;

-- The backfills of all DAGs. state: running, paused, completed, cancelled. conf: JSON.
CREATE VIEW backfills (
    backfill_id, dag_id, state, from_date, to_date, run_backwards, reprocess_behavior, max_active_runs, conf,
    created_at, ended_at
) AS
SELECT
    id, dag_id, state, {iso:from_date}, {iso:to_date}, run_backwards, reprocess_behavior, max_active_runs, conf,
    {iso:created_at}, {iso:ended_at}
FROM backfill;

-- What became of each date of each backfill: its run, or the reason why it has none; neither: not yet.
CREATE VIEW backfill_dates (backfill_id, dag_id, ordinal, logical_date, run_id, reason) AS
SELECT date.backfill, backfill.dag_id, date.ordinal, {iso:date.logical_date}, date.run_id, date.reason
FROM backfill_date AS date
JOIN backfill ON backfill.id = date.backfill;
