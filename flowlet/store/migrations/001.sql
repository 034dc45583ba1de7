-- flowlet's tables, version 1.
--
-- Moments are INTEGER microseconds since 1970-01-01T00:00Z. Read the file through the six views at the
-- end (runs, tasks, attempts, xcoms, ticks, events): they are documented and stay as they are; the
-- tables may change from version to version. {iso:column} stands for the expression that prints a moment
-- as ISO 8601 with microseconds and Z; it is written out when the script is loaded.

-- One row: who owns the file, how often it changed hands (epoch) and how often it was written (seq).
CREATE TABLE owner (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    birth TEXT NOT NULL,
    epoch INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    pid INTEGER,
    host TEXT,
    since INTEGER
) STRICT;

-- A DAG as it was last registered: spec is the JSON from which other processes explain and plan;
-- cursor is the last tick that is accounted for.
CREATE TABLE dag (
    dag_id TEXT PRIMARY KEY CHECK (dag_id <> ''),
    spec TEXT NOT NULL,
    hash TEXT NOT NULL,
    file TEXT,
    paused INTEGER NOT NULL CHECK (paused IN (0, 1)),
    cursor INTEGER,
    registered_at INTEGER NOT NULL
) STRICT;

CREATE TABLE pool (
    name TEXT PRIMARY KEY CHECK (name <> ''),
    slots INTEGER NOT NULL,
    description TEXT NOT NULL,
    include_deferred INTEGER NOT NULL CHECK (include_deferred IN (0, 1))
) STRICT;

-- A DagRun. due_at is the tick that made it: whether that tick ran or was late is told by queued_at.
CREATE TABLE run (
    id INTEGER PRIMARY KEY,
    dag_id TEXT NOT NULL CHECK (dag_id <> ''),
    run_id TEXT NOT NULL CHECK (run_id <> ''),
    run_type TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('queued', 'running', 'success', 'failed')),
    logical_date INTEGER,
    interval_start INTEGER,
    interval_end INTEGER,
    run_after INTEGER NOT NULL,
    due_at INTEGER,
    queued_at INTEGER NOT NULL,
    started_at INTEGER,
    ended_at INTEGER,
    reason TEXT,
    conf TEXT NOT NULL,
    UNIQUE (dag_id, run_id),
    UNIQUE (dag_id, logical_date)
) STRICT;

CREATE INDEX run_active ON run (id) WHERE state IN ('queued', 'running');
CREATE INDEX run_of_dag ON run (dag_id);
CREATE INDEX run_due ON run (dag_id, due_at) WHERE due_at IS NOT NULL;

-- A task instance and the attempt that it is at. settled_at and settled_because belong to a move that no
-- attempt made (skipped by a rule, upstream_failed, cleared ...), so that they never overwrite what the
-- attempt left in ended_at, outcome, reason and error.
CREATE TABLE task_instance (
    id INTEGER PRIMARY KEY,
    run INTEGER NOT NULL REFERENCES run (id),
    task_id TEXT NOT NULL,
    map_index INTEGER NOT NULL,
    state TEXT NOT NULL,
    try_number INTEGER NOT NULL,
    max_tries INTEGER NOT NULL,
    operator TEXT NOT NULL,
    pool TEXT NOT NULL,
    queued_at INTEGER,
    started_at INTEGER,
    ended_at INTEGER,
    outcome TEXT,
    reason TEXT,
    error TEXT,
    crashes INTEGER NOT NULL DEFAULT 0,
    wake_at INTEGER,
    settled_at INTEGER,
    settled_because TEXT,
    UNIQUE (run, task_id, map_index)
) STRICT;

-- The attempts before the one that the task instance is at.
CREATE TABLE attempt (
    ti INTEGER NOT NULL REFERENCES task_instance (id),
    try_number INTEGER NOT NULL,
    outcome TEXT NOT NULL,
    reason TEXT,
    error TEXT,
    started_at INTEGER NOT NULL,
    ended_at INTEGER,
    PRIMARY KEY (ti, try_number)
) STRICT, WITHOUT ROWID;

-- What attempts pushed, as tagged JSON text.
CREATE TABLE xcom (
    ti INTEGER NOT NULL REFERENCES task_instance (id),
    key TEXT NOT NULL,
    value TEXT NOT NULL,
    PRIMARY KEY (ti, key)
) STRICT, WITHOUT ROWID;

-- Spans of ticks that have no run of their own: coalesced and skipped ones, and, once their runs are
-- pruned, those that ran or were late. Ticks with a run are read from the run.
CREATE TABLE tick (
    id INTEGER PRIMARY KEY,
    dag_id TEXT NOT NULL,
    due_at INTEGER NOT NULL,
    until INTEGER NOT NULL CHECK (until >= due_at),
    count INTEGER NOT NULL CHECK (count > 0),
    outcome TEXT NOT NULL CHECK (outcome IN ('ran', 'late', 'coalesced', 'skipped')),
    reason TEXT,
    run INTEGER
) STRICT;

CREATE INDEX tick_due ON tick (dag_id, due_at);

CREATE TABLE event (
    id INTEGER PRIMARY KEY,
    at INTEGER NOT NULL,
    kind TEXT NOT NULL,
    dag_id TEXT,
    run_id TEXT,
    task_id TEXT,
    map_index INTEGER,
    try_number INTEGER,
    text TEXT NOT NULL
) STRICT;

CREATE INDEX event_of_run ON event (dag_id, run_id) WHERE run_id IS NOT NULL;

-- The runs of all DAGs. state: queued, running, success, failed. conf: JSON.
CREATE VIEW runs (
    dag_id, run_id, run_type, state, logical_date, data_interval_start, data_interval_end,
    queued_at, started_at, ended_at, conf
) AS
SELECT
    dag_id, run_id, run_type, state, {iso:logical_date}, {iso:interval_start}, {iso:interval_end},
    {iso:queued_at}, {iso:started_at}, {iso:ended_at}, conf
FROM run;

-- The task instances of all runs; map_index is -1 for a task that is not mapped. A task that ended
-- without an attempt (skipped by a rule, say) has an ended_at and no started_at.
CREATE VIEW tasks (
    dag_id, run_id, task_id, map_index, state, try_number, operator, pool, queued_at, started_at, ended_at
) AS
SELECT
    run.dag_id, run.run_id, ti.task_id, ti.map_index, ti.state, ti.try_number, ti.operator, ti.pool,
    {iso:ti.queued_at}, {iso:ti.started_at},
    CASE WHEN ti.settled_at IS NULL THEN {iso:ti.ended_at} ELSE {iso:ti.settled_at} END
FROM task_instance AS ti
JOIN run ON run.id = ti.run;

-- Each try of each task instance. outcome: succeeded, failed, skipped, timed_out, interrupted,
-- cancelled; NULL while the attempt is going on.
CREATE VIEW attempts (
    dag_id, run_id, task_id, map_index, try_number, outcome, reason, started_at, ended_at
) AS
SELECT
    run.dag_id, run.run_id, ti.task_id, ti.map_index, past.try_number, past.outcome, past.reason,
    {iso:past.started_at}, {iso:past.ended_at}
FROM attempt AS past
JOIN task_instance AS ti ON ti.id = past.ti
JOIN run ON run.id = ti.run
UNION ALL
SELECT
    run.dag_id, run.run_id, ti.task_id, ti.map_index, ti.try_number, ti.outcome, ti.reason,
    {iso:ti.started_at}, {iso:ti.ended_at}
FROM task_instance AS ti
JOIN run ON run.id = ti.run
WHERE ti.started_at IS NOT NULL
  AND (ti.outcome IS NOT NULL
       OR ti.state NOT IN ('success', 'failed', 'skipped', 'upstream_failed', 'removed'))
  AND NOT EXISTS (SELECT 1 FROM attempt AS past WHERE past.ti = ti.id AND past.try_number = ti.try_number);

-- The values that tasks handed on, as JSON; a value that JSON does not know carries a tag.
CREATE VIEW xcoms (dag_id, run_id, task_id, map_index, key, value) AS
SELECT run.dag_id, run.run_id, ti.task_id, ti.map_index, xcom.key, xcom.value
FROM xcom
JOIN task_instance AS ti ON ti.id = xcom.ti
JOIN run ON run.id = ti.run;

-- What became of every due tick of every schedule. A row is a span of `count` ticks from due_at to
-- until. ran: its run was made within a second; late: later; coalesced: merged into run_id; skipped: see
-- reason. Where very many spans are older than what is kept, those of one outcome are one row that says so.
CREATE VIEW ticks (dag_id, due_at, until, count, outcome, reason, run_id) AS
SELECT
    tick.dag_id, {iso:tick.due_at}, {iso:tick.until}, tick.count, tick.outcome, tick.reason, run.run_id
FROM tick
LEFT JOIN run ON run.id = tick.run
UNION ALL
SELECT
    dag_id, {iso:due_at}, {iso:due_at}, 1,
    CASE WHEN queued_at - due_at <= 1000000 THEN 'ran' ELSE 'late' END, NULL, run_id
FROM run
WHERE due_at IS NOT NULL;

-- Anomalies and acts, each with a sentence.
CREATE VIEW events (at, kind, dag_id, run_id, task_id, map_index, try_number, text) AS
SELECT {iso:at}, kind, dag_id, run_id, task_id, map_index, try_number, text
FROM event;
