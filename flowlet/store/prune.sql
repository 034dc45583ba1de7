-- Retention: bounded transactions, never an active run, never the newest ones of a DAG.

-- name: next_dag
-- The oldest run of the DAG that comes after :dag_id.
SELECT dag_id, queued_at FROM run WHERE dag_id > :dag_id ORDER BY dag_id, id LIMIT 1;

-- name: oldest_kept
-- The id of the oldest of the newest :keep_runs runs.
SELECT id FROM run WHERE dag_id = :dag_id ORDER BY id DESC LIMIT 1 OFFSET :keep_runs - 1;

-- name: needed
-- Whatever their age: the run of the newest date, and the runs that an active one looks back at.
-- (Without INDEXED BY all runs of the DAG might be read to find the active ones.)
SELECT id FROM (SELECT id FROM run WHERE dag_id = :dag_id AND logical_date IS NOT NULL ORDER BY logical_date DESC LIMIT 1)
UNION
SELECT (
    SELECT before.id FROM run AS before
    WHERE before.dag_id = active.dag_id AND before.logical_date < active.logical_date
    ORDER BY before.logical_date DESC LIMIT 1
)
FROM run AS active INDEXED BY run_active
WHERE active.state IN ('queued', 'running') AND active.dag_id = :dag_id
UNION
SELECT (
    SELECT before.id FROM run AS before
    WHERE before.dag_id = active.dag_id AND before.logical_date < active.logical_date AND before.run_type <> 'manual'
    ORDER BY before.logical_date DESC LIMIT 1
)
FROM run AS active INDEXED BY run_active
WHERE active.state IN ('queued', 'running') AND active.dag_id = :dag_id;

-- name: runs_from
-- The next runs of a DAG in the order in which they were made; whether each may go, and whether it is old.
SELECT
    id, dag_id, run_id, due_at, CASE WHEN queued_at - due_at <= 1000000 THEN 'ran' ELSE 'late' END,
    state IN ('success', 'failed') AND ended_at < :before, queued_at < :before
FROM run
WHERE dag_id = :dag_id AND id > :after AND id < :oldest_kept
ORDER BY id
LIMIT :limit;

-- name: finished
-- Of the runs of a JSON list, those that may go still.
SELECT id FROM run WHERE id IN (SELECT value FROM json_each(:ids)) AND state IN ('success', 'failed');

-- name: tasks_of
SELECT id FROM task_instance WHERE run = :run LIMIT :limit;

-- name: delete_xcoms
DELETE FROM xcom WHERE ti IN (SELECT value FROM json_each(:ids));

-- name: delete_rendered
DELETE FROM rendered WHERE ti IN (SELECT value FROM json_each(:ids));

-- name: delete_task_states
DELETE FROM task_state WHERE ti IN (SELECT value FROM json_each(:ids));

-- name: delete_attempts
DELETE FROM attempt WHERE ti IN (SELECT value FROM json_each(:ids));

-- name: delete_tasks
DELETE FROM task_instance WHERE id IN (SELECT value FROM json_each(:ids));

-- name: delete_runs
DELETE FROM run WHERE id IN (SELECT value FROM json_each(:ids));

-- name: oldest_event
SELECT at FROM event ORDER BY id LIMIT 1;

-- name: delete_events
-- Events come nearly in the order of time: the oldest ids are looked at, no more.
DELETE FROM event
WHERE id IN (SELECT id FROM (SELECT id, at FROM event ORDER BY id LIMIT :limit) WHERE at < :before);

-- name: first_expiry
SELECT expires_at FROM task_state WHERE expires_at IS NOT NULL ORDER BY expires_at LIMIT 1;

-- name: delete_expired
DELETE FROM task_state
WHERE (ti, key) IN (SELECT ti, key FROM task_state WHERE expires_at < :now ORDER BY expires_at LIMIT :limit);

-- name: oldest_span_kept
-- Where the newest :keep_spans spans of a DAG begin.
SELECT due_at FROM tick WHERE dag_id = :dag_id ORDER BY due_at DESC LIMIT 1 OFFSET :keep_spans - 1;

-- name: old_spans
-- The oldest spans of a DAG that are still told apart.
SELECT id FROM tick
WHERE dag_id = :dag_id AND due_at < :oldest_kept AND until < :before AND reason IS NOT :condensed
ORDER BY due_at
LIMIT :limit;

-- name: condense_spans
-- Old spans of one outcome become one row, with the sum of their counts.
INSERT INTO tick (id, dag_id, due_at, until, count, outcome, reason, run)
SELECT
    (SELECT id FROM tick WHERE dag_id = :dag_id AND outcome = old.outcome AND reason = :condensed ORDER BY due_at LIMIT 1),
    :dag_id, min(due_at), max(until), sum(count), outcome, :condensed, NULL
FROM tick AS old
WHERE id IN (SELECT value FROM json_each(:ids))
GROUP BY outcome
ON CONFLICT (id) DO UPDATE SET
    due_at = min(due_at, excluded.due_at), until = max(until, excluded.until), count = count + excluded.count;

-- name: delete_spans
DELETE FROM tick WHERE id IN (SELECT value FROM json_each(:ids));

-- name: old_backfill
SELECT id FROM backfill WHERE ended_at < :before ORDER BY id LIMIT 1;

-- name: delete_backfill_dates
DELETE FROM backfill_date
WHERE backfill = :backfill AND ordinal IN (SELECT ordinal FROM backfill_date WHERE backfill = :backfill LIMIT :limit);

-- name: delete_backfill
DELETE FROM backfill WHERE id = :backfill;
