-- Retention: bounded, never an active run, never the newest runs of a DAG. Ticks stay counted.

-- name: old_runs
SELECT id FROM (
    SELECT id, state, ended_at, row_number() OVER (PARTITION BY dag_id ORDER BY id DESC) AS place FROM run
)
WHERE place > max(:keep_runs, 1) AND state IN ('success', 'failed') AND ended_at < :before
ORDER BY id
LIMIT 200;

-- name: keep_tick
INSERT INTO tick (dag_id, due_at, until, count, outcome, reason, run)
SELECT dag_id, due_at, due_at, 1, CASE WHEN queued_at - due_at <= 1000000 THEN 'ran' ELSE 'late' END, 'pruned', NULL
FROM run WHERE id = ? AND due_at IS NOT NULL;

-- name: release_ticks
UPDATE tick SET run = NULL WHERE run = ?;

-- name: delete_xcoms
DELETE FROM xcom WHERE ti IN (SELECT id FROM task_instance WHERE run = ?);

-- name: delete_attempts
DELETE FROM attempt WHERE ti IN (SELECT id FROM task_instance WHERE run = ?);

-- name: delete_tasks
DELETE FROM task_instance WHERE run = ?;

-- name: delete_run
DELETE FROM run WHERE id = ?;
