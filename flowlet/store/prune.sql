-- Retention: bounded transactions, never an active run, never the newest ones of a DAG.

-- name: dags
SELECT DISTINCT dag_id FROM run ORDER BY dag_id;

-- name: oldest_kept
-- The id of the oldest of the newest :keep_runs runs.
SELECT id FROM run WHERE dag_id = :dag_id ORDER BY id DESC LIMIT 1 OFFSET :keep_runs - 1;

-- name: needed
-- Whatever their age: the run of the newest date, and the runs that an active one looks back at.
SELECT id FROM (SELECT id FROM run WHERE dag_id = :dag_id AND logical_date IS NOT NULL ORDER BY logical_date DESC LIMIT 1)
UNION
SELECT (
    SELECT before.id FROM run AS before
    WHERE before.dag_id = active.dag_id AND before.logical_date < active.logical_date
    ORDER BY before.logical_date DESC LIMIT 1
)
FROM run AS active
WHERE active.state IN ('queued', 'running') AND active.dag_id = :dag_id
UNION
SELECT (
    SELECT before.id FROM run AS before
    WHERE before.dag_id = active.dag_id AND before.logical_date < active.logical_date AND before.run_type = 'scheduled'
    ORDER BY before.logical_date DESC LIMIT 1
)
FROM run AS active
WHERE active.state IN ('queued', 'running') AND active.dag_id = :dag_id;

-- name: old_runs
SELECT id, due_at, CASE WHEN queued_at - due_at <= 1000000 THEN 'ran' ELSE 'late' END
FROM run
WHERE dag_id = :dag_id AND id > :after AND id < :oldest_kept
  AND state IN ('success', 'failed') AND ended_at < :before
ORDER BY id
LIMIT :limit;

-- name: delete_xcoms
DELETE FROM xcom
WHERE ti IN (SELECT id FROM task_instance WHERE run = :run ORDER BY task_id, map_index LIMIT :limit);

-- name: delete_attempts
DELETE FROM attempt
WHERE ti IN (SELECT id FROM task_instance WHERE run = :run ORDER BY task_id, map_index LIMIT :limit);

-- name: delete_tasks
DELETE FROM task_instance
WHERE id IN (SELECT id FROM task_instance WHERE run = :run ORDER BY task_id, map_index LIMIT :limit);

-- name: delete_run
DELETE FROM run WHERE id = :run;

-- name: delete_events
-- Events come nearly in the order of time: the oldest ids are looked at, no more.
DELETE FROM event
WHERE id IN (SELECT id FROM (SELECT id, at FROM event ORDER BY id LIMIT :limit) WHERE at < :before);
