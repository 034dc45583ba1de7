-- What commit(moves) runs: each statement carries the name of its slot in Moves; its parameters are the
-- fields of the move, in order. Every statement must change exactly one row per move; what guards it
-- stands in its WHERE. A transaction runs them in the order in which they stand here: an attempt ends,
-- is archived, and the next one starts.
--
-- Of moves that are equal in all but the row, `WHERE id = ?1` becomes `WHERE id IN` a JSON array (in
-- applying.py): one step of SQLite for all, so a busy loop does not hold the writer up at every row for
-- want of Python's lock (the GIL). `put_xcom.many` does the same for values: ?1 is an object from id to text.

-- name: begin
BEGIN IMMEDIATE;

-- name: advance
-- The fence (am I still the owner, is this still the file that I wrote last?) and the sequence, in one.
UPDATE owner SET seq = seq + 1 WHERE epoch = ?1 AND seq = ?2;

-- name: commit
COMMIT;

-- name: put_dag
INSERT INTO dag (dag_id, spec, hash, file, paused, cursor, registered_at)
VALUES (?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (dag_id) DO UPDATE SET
    spec = excluded.spec, hash = excluded.hash, file = excluded.file, paused = excluded.paused,
    cursor = coalesce(excluded.cursor, cursor), registered_at = excluded.registered_at;

-- name: pause_dag
UPDATE dag SET paused = ?2 WHERE dag_id = ?1;

-- name: put_pool
INSERT INTO pool (name, slots, description, include_deferred)
VALUES (?, ?, ?, ?)
ON CONFLICT (name) DO UPDATE SET
    slots = excluded.slots, description = excluded.description, include_deferred = excluded.include_deferred;

-- name: delete_pool
DELETE FROM pool WHERE name = ?;

-- name: put_secret
INSERT INTO secret (kind, name, value, description)
VALUES (?, ?, ?, ?)
ON CONFLICT (kind, name) DO UPDATE SET value = excluded.value, description = excluded.description;

-- name: delete_secret.if_there
DELETE FROM secret WHERE kind = ? AND name = ?;

-- name: add_run
INSERT INTO run (
    id, dag_id, run_id, run_type, state, logical_date, interval_start, interval_end, run_after, due_at,
    queued_at, started_at, conf
)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?);

-- name: add_tasks
-- All task instances of a new run: ?3 is a JSON array of [task_id, max_tries, operator, pool].
INSERT INTO task_instance (id, run, task_id, map_index, state, try_number, max_tries, operator, pool)
SELECT ?2 + key, ?1, value ->> 0, -1, 'none', 0, value ->> 1, value ->> 2, value ->> 3
FROM json_each(?3)
LIMIT ?4;

-- name: index_task
-- Before the move that lets it wait again, where somebody cleared it, or an edit of the DAG gave it a mapping or
-- brought it back. What stands for a mapped task never runs.
UPDATE task_instance SET map_index = ?2 WHERE id = ?1 AND map_index = -1 AND state IN ('none', 'scheduled', 'removed', 'skipped', 'upstream_failed', 'failed', 'success');

-- name: add_task
-- An end without an attempt (a bodyless success) is a settlement, see task_instance.
INSERT INTO task_instance (
    id, run, task_id, map_index, state, try_number, max_tries, operator, pool, queued_at, started_at, settled_at
)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?);

-- name: reopen_run
UPDATE run SET state = 'queued', started_at = NULL, ended_at = NULL, reason = NULL
WHERE id = ?1 AND state IN ('success', 'failed');

-- name: adopt_run
-- A run that there was becomes one of a backfill; without a conf of the backfill's it keeps its own.
UPDATE run SET run_type = 'backfill', conf = coalesce(?2, conf) WHERE id = ?1 AND state IN ('queued', 'running');

-- name: begin_run
UPDATE run SET state = 'running', started_at = ?1 WHERE id = ?2 AND state = 'queued';

-- name: drop_task_state.if_there
DELETE FROM task_state WHERE ti = ?1 AND (key = ?2 OR ?2 IS NULL);

-- name: put_task_state
-- Only the try that the row holds may write: one that was given up and comes late changes nothing.
INSERT INTO task_state (ti, key, value, updated_at, expires_at)
SELECT id, ?3, ?4, ?5, ?6 FROM task_instance WHERE id = ?1 AND try_number = ?2
ON CONFLICT (ti, key) DO UPDATE SET
    value = excluded.value, updated_at = excluded.updated_at, expires_at = excluded.expires_at;

-- name: drop_asset_state.if_there
DELETE FROM asset_state WHERE asset = ?1 AND (key = ?2 OR ?2 IS NULL);

-- name: put_asset_state
INSERT INTO asset_state (asset, key, value, updated_at, dag_id, run_id, task_id, map_index)
VALUES (?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (asset, key) DO UPDATE SET
    value = excluded.value, updated_at = excluded.updated_at, dag_id = excluded.dag_id, run_id = excluded.run_id,
    task_id = excluded.task_id, map_index = excluded.map_index;

-- name: end_task
UPDATE task_instance
SET state = ?3, outcome = ?4, reason = ?5, error = ?6, ended_at = ?7, wake_at = ?8, max_tries = ?9, crashes = ?10
WHERE id = ?1 AND state = 'running' AND try_number = ?2;

-- name: put_xcom
INSERT INTO xcom (ti, key, value) VALUES (?, ?, ?)
ON CONFLICT (ti, key) DO UPDATE SET value = excluded.value;

-- name: put_xcom.many
INSERT INTO xcom (ti, key, value)
SELECT CAST(j.key AS INTEGER), ?2, j.value FROM json_each(?1) AS j WHERE true
ON CONFLICT (ti, key) DO UPDATE SET value = excluded.value;

-- name: put_rendered
INSERT INTO rendered (ti, fields, label) VALUES (?, ?, ?)
ON CONFLICT (ti) DO UPDATE SET fields = excluded.fields, label = excluded.label;

-- name: release_task
UPDATE task_instance SET state = ?1, wake_at = ?2 WHERE id = ?3 AND state = 'running' AND try_number = ?4;

-- name: interrupt_task
UPDATE task_instance
SET state = 'scheduled', outcome = 'interrupted', reason = ?4, ended_at = ?5, wake_at = NULL, max_tries = ?6
WHERE id = ?1 AND try_number = ?2 AND state = ?3 AND outcome IS NULL;

-- name: settle_task
-- The attempt that the row holds keeps its facts. One that was going on is cancelled by a move that ends
-- or clears the task instance; a start without an attempt (bodyless) is forgotten when it is cleared.
UPDATE task_instance
SET state = ?3, settled_because = ?4, settled_at = CASE WHEN ?3 = 'none' THEN NULL ELSE ?6 END, wake_at = NULL,
    queued_at = CASE WHEN ?3 = 'none' THEN NULL ELSE coalesce(?5, queued_at) END,
    started_at = CASE
        WHEN ?3 = 'none' AND ?2 IN ('success', 'failed', 'skipped', 'upstream_failed', 'removed')
             AND outcome IS NULL
        THEN NULL ELSE started_at END,
    outcome = CASE
        WHEN ?3 IN ('none', 'success', 'failed', 'skipped', 'upstream_failed', 'removed')
             AND ?2 NOT IN ('none', 'success', 'failed', 'skipped', 'upstream_failed', 'removed')
             AND outcome IS NULL AND started_at IS NOT NULL
        THEN 'cancelled' ELSE outcome END,
    ended_at = CASE
        WHEN ?3 IN ('none', 'success', 'failed', 'skipped', 'upstream_failed', 'removed')
             AND ?2 NOT IN ('none', 'success', 'failed', 'skipped', 'upstream_failed', 'removed')
             AND outcome IS NULL AND started_at IS NOT NULL
        THEN ?6 ELSE ended_at END
WHERE id = ?1 AND state = ?2;

-- name: reset_task
UPDATE task_instance SET max_tries = ?2, crashes = 0 WHERE id = ?1 AND try_number = ?3;

-- name: archive_attempt
INSERT INTO attempt (ti, try_number, outcome, reason, error, started_at, ended_at)
SELECT id, try_number, outcome, reason, error, started_at, ended_at
FROM task_instance
WHERE id = ?1 AND try_number = ?2;

-- name: archive_attempt.forget_xcoms
DELETE FROM xcom WHERE ti = ?1 AND ?2 > 0;

-- name: start_task
-- A new try never overwrites an attempt that is not archived.
UPDATE task_instance
SET state = 'running', try_number = ?4, queued_at = ?5, started_at = ?6, ended_at = NULL, outcome = NULL,
    reason = NULL, error = NULL, wake_at = NULL, settled_at = NULL, settled_because = NULL
WHERE id = ?1 AND state = ?2 AND try_number = ?3
  AND (outcome IS NULL OR EXISTS (SELECT 1 FROM attempt WHERE ti = task_instance.id AND attempt.try_number = ?3));

-- name: end_run
UPDATE run SET state = ?1, reason = ?2, ended_at = ?3 WHERE id = ?4 AND state IN ('queued', 'running');

-- name: judge_run
UPDATE run SET state = ?2, reason = ?3 WHERE id = ?1 AND state IN ('success', 'failed');

-- name: add_tick
-- Joins the DAG's span before it when that has the same fate and nothing lies between the two.
INSERT INTO tick (id, dag_id, due_at, until, count, outcome, reason, run)
SELECT
    (SELECT last.id
     FROM (SELECT * FROM tick WHERE dag_id = ?1 AND due_at < ?2 ORDER BY due_at DESC LIMIT 1) AS last
     WHERE last.outcome = ?5 AND last.reason IS ?6 AND last.run IS ?7 AND last.until < ?2
       AND NOT EXISTS (
           SELECT 1 FROM run WHERE run.dag_id = ?1 AND run.due_at > last.until AND run.due_at < ?2
       )),
    ?1, ?2, ?3, ?4, ?5, ?6, ?7
WHERE true
ON CONFLICT (id) DO UPDATE SET until = excluded.until, count = count + excluded.count;

-- name: move_cursor
UPDATE dag SET cursor = ?1 WHERE dag_id = ?2;

-- name: add_backfill
INSERT INTO backfill (
    id, dag_id, state, from_date, to_date, run_backwards, reprocess_behavior, max_active_runs, conf, created_at
)
VALUES (?, ?, 'running', ?, ?, ?, ?, ?, ?, ?);

-- name: add_backfill_dates
-- All dates of a new backfill: ?2 is a JSON array of [logical_date, interval_start, interval_end, run_after, reason].
INSERT INTO backfill_date (backfill, ordinal, logical_date, interval_start, interval_end, run_after, reason)
SELECT ?1, key + 1, value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4
FROM json_each(?2)
LIMIT ?3;

-- name: settle_backfill_date
-- A date has its fate once: a run, or the reason why it has none.
UPDATE backfill_date SET run = ?3, run_id = ?4, reason = ?5
WHERE backfill = ?1 AND ordinal = ?2 AND run IS NULL AND reason IS NULL;

-- name: move_backfill
UPDATE backfill SET state = ?4, ended_at = ?3 WHERE id = ?1 AND state = ?2;

-- name: move_backfill.leave_dates
-- The dates that had not had their turn when it was cancelled.
UPDATE backfill_date SET reason = 'the backfill was cancelled'
WHERE backfill = ?1 AND run IS NULL AND reason IS NULL AND ?4 = 'cancelled';

-- name: add_event
INSERT INTO event (at, kind, dag_id, run_id, task_id, map_index, try_number, text)
VALUES (?, ?, ?, ?, ?, ?, ?, ?);

-- name: run_of_task
-- Whose task instance it is: what was decided for a run hangs together.
SELECT run FROM task_instance WHERE id = ?1;
