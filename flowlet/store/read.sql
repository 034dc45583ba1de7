-- What fetch(name, **params) runs: named SELECTs with named parameters.
--
-- CROSS JOIN is SQLite's word for "in this order": without statistics it might begin with all task
-- instances of all time.

-- name: owner
SELECT epoch, seq, pid, host, since, birth FROM owner;

-- name: dags
SELECT dag_id, hash, spec, paused, cursor, file FROM dag ORDER BY dag_id;

-- name: dag
SELECT dag_id, hash, spec, paused, cursor, file FROM dag WHERE dag_id = :dag_id;

-- name: pools
SELECT name, slots, description, include_deferred FROM pool ORDER BY name;

-- name: pool
SELECT name, slots, description, include_deferred FROM pool WHERE name = :name;

-- name: secret
SELECT value, description FROM secret WHERE kind = :kind AND name = :key;

-- name: secrets
SELECT name, value, description FROM secret WHERE kind = :kind ORDER BY name;

-- name: task_state
SELECT value FROM task_state WHERE ti = :scope AND key = :key;

-- name: asset_state
SELECT value FROM asset_state WHERE asset = :scope AND key = :key;

-- name: max_ids
-- The ids to go on from: (run, task_instance).
SELECT coalesce((SELECT max(id) FROM run), 0), coalesce((SELECT max(id) FROM task_instance), 0);

-- name: max_backfill_id
SELECT coalesce(max(id), 0) FROM backfill;

-- name: active_runs
SELECT
    id, dag_id, run_id, run_type, state, logical_date, interval_start, interval_end, run_after, due_at,
    queued_at, started_at, ended_at, reason, conf
FROM run
WHERE state IN ('queued', 'running')
ORDER BY id;

-- name: active_tasks
-- The task instances of all active runs.
SELECT
    ti.id, ti.run, ti.task_id, ti.map_index, ti.state, ti.try_number, ti.max_tries, ti.operator, ti.pool,
    ti.queued_at, ti.started_at, ti.ended_at, ti.outcome, ti.reason, ti.error, ti.crashes, ti.wake_at,
    ti.settled_at, ti.settled_because
FROM run
CROSS JOIN task_instance AS ti ON ti.run = run.id
WHERE run.state IN ('queued', 'running')
ORDER BY ti.id;

-- name: run
SELECT
    id, dag_id, run_id, run_type, state, logical_date, interval_start, interval_end, run_after, due_at,
    queued_at, started_at, ended_at, reason, conf
FROM run
WHERE dag_id = :dag_id AND run_id = :run_id;

-- name: run_by_logical_date
SELECT
    id, dag_id, run_id, run_type, state, logical_date, interval_start, interval_end, run_after, due_at,
    queued_at, started_at, ended_at, reason, conf
FROM run
WHERE dag_id = :dag_id AND logical_date = :logical_date;

-- name: run_by_id
SELECT
    id, dag_id, run_id, run_type, state, logical_date, interval_start, interval_end, run_after, due_at,
    queued_at, started_at, ended_at, reason, conf
FROM run
WHERE id = :id;

-- name: runs_between
-- From one logical date to another, both included.
SELECT
    id, dag_id, run_id, run_type, state, logical_date, interval_start, interval_end, run_after, due_at,
    queued_at, started_at, ended_at, reason, conf
FROM run
WHERE dag_id = :dag_id AND logical_date BETWEEN :first AND :last
ORDER BY logical_date;

-- name: run_ids
SELECT run_id FROM run WHERE dag_id = :dag_id ORDER BY id;

-- name: last_ended_states
-- How the latest runs of a DAG ended, the newest first.
SELECT state FROM run
WHERE dag_id = :dag_id AND state IN ('success', 'failed')
ORDER BY id DESC
LIMIT :limit;

-- name: last_runs
-- The newest first.
SELECT
    id, dag_id, run_id, run_type, state, logical_date, interval_start, interval_end, run_after, due_at,
    queued_at, started_at, ended_at, reason, conf
FROM run
WHERE dag_id = :dag_id
ORDER BY id DESC
LIMIT :limit;

-- name: last_moment
-- When the last thing happened to the latest runs; NULL if there were none.
SELECT max(max(queued_at, coalesce(started_at, queued_at), coalesce(ended_at, queued_at)))
FROM (SELECT queued_at, started_at, ended_at FROM run ORDER BY id DESC LIMIT 100);

-- name: last_runs_of_all
SELECT
    id, dag_id, run_id, run_type, state, logical_date, interval_start, interval_end, run_after, due_at,
    queued_at, started_at, ended_at, reason, conf
FROM run
ORDER BY id DESC
LIMIT :limit;

-- name: newest_logical_date
SELECT max(logical_date) FROM run WHERE dag_id = :dag_id;

-- name: newest_logical_dates
-- Of each DAG; a seek in the index for each, however many runs there are.
SELECT dag_id, (SELECT max(logical_date) FROM run WHERE run.dag_id = dag.dag_id) FROM dag;

-- name: previous_run
-- The run of any type before a logical date.
SELECT
    id, dag_id, run_id, run_type, state, logical_date, interval_start, interval_end, run_after, due_at,
    queued_at, started_at, ended_at, reason, conf
FROM run
WHERE dag_id = :dag_id AND logical_date < :logical_date
ORDER BY logical_date DESC
LIMIT 1;

-- name: previous_scheduled_run
-- Of those that nobody made by hand.
SELECT
    id, dag_id, run_id, run_type, state, logical_date, interval_start, interval_end, run_after, due_at,
    queued_at, started_at, ended_at, reason, conf
FROM run
WHERE dag_id = :dag_id AND logical_date < :logical_date AND run_type <> 'manual'
ORDER BY logical_date DESC
LIMIT 1;

-- name: last_due_run
-- The latest tick that became a run.
SELECT
    id, dag_id, run_id, run_type, state, logical_date, interval_start, interval_end, run_after, due_at,
    queued_at, started_at, ended_at, reason, conf
FROM run
WHERE dag_id = :dag_id AND due_at IS NOT NULL
ORDER BY due_at DESC
LIMIT 1;

-- name: previous_successful_run
SELECT
    id, dag_id, run_id, run_type, state, logical_date, interval_start, interval_end, run_after, due_at,
    queued_at, started_at, ended_at, reason, conf
FROM run
WHERE dag_id = :dag_id AND logical_date < :logical_date AND state = 'success'
ORDER BY logical_date DESC
LIMIT 1;

-- name: task_states
SELECT task_id, map_index, state FROM task_instance WHERE run = :run ORDER BY id;

-- name: tasks_of_run
SELECT
    id, run, task_id, map_index, state, try_number, max_tries, operator, pool, queued_at, started_at, ended_at,
    outcome, reason, error, crashes, wake_at, settled_at, settled_because
FROM task_instance
WHERE run = :run
ORDER BY id;

-- name: task
SELECT
    ti.id, ti.run, ti.task_id, ti.map_index, ti.state, ti.try_number, ti.max_tries, ti.operator, ti.pool,
    ti.queued_at, ti.started_at, ti.ended_at, ti.outcome, ti.reason, ti.error, ti.crashes, ti.wake_at,
    ti.settled_at, ti.settled_because
FROM run
CROSS JOIN task_instance AS ti ON ti.run = run.id
WHERE run.dag_id = :dag_id AND run.run_id = :run_id AND ti.task_id = :task_id AND ti.map_index = :map_index;

-- name: rendered_of_run
-- (id of the task instance, fields, label).
SELECT rendered.ti, rendered.fields, rendered.label
FROM task_instance AS ti
JOIN rendered ON rendered.ti = ti.id
WHERE ti.run = :run;

-- name: rendered
SELECT fields, label FROM rendered WHERE ti = :ti;

-- name: attempts_of_run
-- (task_id, map_index, try_number, outcome, reason, error, started_at, ended_at), in the order of the tries.
SELECT task_id, map_index, try_number, outcome, reason, error, started_at, ended_at
FROM (
    SELECT
        ti.id, ti.task_id, ti.map_index, past.try_number, past.outcome, past.reason, past.error,
        past.started_at, past.ended_at
    FROM task_instance AS ti
    JOIN attempt AS past ON past.ti = ti.id
    WHERE ti.run = :run
    UNION ALL
    SELECT
        ti.id, ti.task_id, ti.map_index, ti.try_number, ti.outcome, ti.reason, ti.error,
        ti.started_at, ti.ended_at
    FROM task_instance AS ti
    WHERE ti.run = :run AND ti.started_at IS NOT NULL
      AND (ti.outcome IS NOT NULL
           OR ti.state NOT IN ('success', 'failed', 'skipped', 'upstream_failed', 'removed'))
      AND NOT EXISTS (SELECT 1 FROM attempt AS past WHERE past.ti = ti.id AND past.try_number = ti.try_number)
)
ORDER BY id, try_number;

-- name: xcom
SELECT xcom.value
FROM run
CROSS JOIN task_instance AS ti ON ti.run = run.id
JOIN xcom ON xcom.ti = ti.id
WHERE run.dag_id = :dag_id AND run.run_id = :run_id
  AND ti.task_id = :task_id AND ti.map_index = :map_index AND xcom.key = :key;

-- name: xcom_mapped
-- (map_index, value) of every mapped instance that pushed; for those removed by a later, shorter mapping there is no item.
SELECT ti.map_index, xcom.value
FROM run
CROSS JOIN task_instance AS ti ON ti.run = run.id
JOIN xcom ON xcom.ti = ti.id
WHERE run.dag_id = :dag_id AND run.run_id = :run_id AND ti.task_id = :task_id AND xcom.key = :key AND ti.state <> 'removed'
ORDER BY ti.map_index;

-- name: xcom_before
-- The newest value of earlier runs (include_prior_dates), this run's own included.
SELECT xcom.value
FROM run
CROSS JOIN task_instance AS ti ON ti.run = run.id
JOIN xcom ON xcom.ti = ti.id
WHERE run.dag_id = :dag_id AND run.logical_date <= :logical_date
  AND ti.task_id = :task_id AND ti.map_index = :map_index AND xcom.key = :key
ORDER BY run.logical_date DESC
LIMIT 1;

-- name: xcoms_of_run
SELECT ti.task_id, ti.map_index, xcom.key, xcom.value
FROM task_instance AS ti
JOIN xcom ON xcom.ti = ti.id
WHERE ti.run = :run
ORDER BY ti.id, xcom.key;

-- name: skips_of_run
-- (task instance, what it decided to skip).
SELECT ti.id, xcom.value
FROM task_instance AS ti
JOIN xcom ON xcom.ti = ti.id AND xcom.key = 'skipmixin_key'
WHERE ti.run = :run;

-- name: lengths_of_run
-- (task instance, how many items what it returned has); a value that has none is 1.
SELECT
    ti.id,
    CASE
        WHEN ti.map_index >= 0 THEN 1
        WHEN json_type(xcom.value) = 'array' THEN json_array_length(xcom.value)
        WHEN json_type(xcom.value) <> 'object' THEN 1
        WHEN json_type(xcom.value, '$.__type__') IS NULL THEN (SELECT count(*) FROM json_each(xcom.value))
        WHEN json_type(xcom.value, '$.items') = 'array' THEN json_array_length(xcom.value, '$.items')
        WHEN json_type(xcom.value, '$.value') = 'array' THEN json_array_length(xcom.value, '$.value')
        ELSE 1
    END
FROM task_instance AS ti
JOIN xcom ON xcom.ti = ti.id AND xcom.key = 'return_value'
WHERE ti.run = :run;

-- name: xcoms_of_task
SELECT key, value FROM xcom WHERE ti = :ti ORDER BY key;

-- name: occupied_slots
-- (pool, task instances that hold its slots); how many slots each takes stands in the DAG's spec.
SELECT ti.pool, count(*)
FROM run
CROSS JOIN task_instance AS ti ON ti.run = run.id
WHERE run.state IN ('queued', 'running') AND ti.state IN ('queued', 'running')
GROUP BY ti.pool
ORDER BY ti.pool;

-- name: state_counts
-- How many task instances of the active runs stand in which state.
SELECT ti.state, count(*)
FROM run
CROSS JOIN task_instance AS ti ON ti.run = run.id
WHERE run.state IN ('queued', 'running')
GROUP BY ti.state
ORDER BY ti.state;

-- name: run_counts
-- Per DAG and state.
SELECT dag_id, state, count(*) FROM run GROUP BY dag_id, state ORDER BY dag_id, state;

-- name: ticks_summary
-- (outcome, ticks, first, last) of a DAG.
SELECT outcome, sum(count), min(due_at), max(until)
FROM (
    SELECT outcome, count, due_at, until FROM tick WHERE dag_id = :dag_id
    UNION ALL
    SELECT CASE WHEN queued_at - due_at <= 1000000 THEN 'ran' ELSE 'late' END, 1, due_at, due_at
    FROM run
    WHERE dag_id = :dag_id AND due_at IS NOT NULL
)
GROUP BY outcome
ORDER BY outcome;

-- name: last_ticks
-- (due_at, until, count, outcome, reason, run_id) of a DAG, the newest first.
SELECT due_at, until, count, outcome, reason, run_id
FROM (
    SELECT * FROM (
        SELECT tick.due_at, tick.until, tick.count, tick.outcome, tick.reason, run.run_id
        FROM tick
        LEFT JOIN run ON run.id = tick.run
        WHERE tick.dag_id = :dag_id
        ORDER BY tick.due_at DESC
        LIMIT :limit
    )
    UNION ALL
    SELECT * FROM (
        SELECT due_at, due_at AS until, 1, CASE WHEN queued_at - due_at <= 1000000 THEN 'ran' ELSE 'late' END, NULL, run_id
        FROM run
        WHERE dag_id = :dag_id AND due_at IS NOT NULL
        ORDER BY due_at DESC
        LIMIT :limit
    )
)
ORDER BY due_at DESC
LIMIT :limit;

-- name: last_events
SELECT at, kind, dag_id, run_id, task_id, map_index, try_number, text
FROM event
ORDER BY id DESC
LIMIT :limit;

-- name: events_of_run
SELECT at, kind, dag_id, run_id, task_id, map_index, try_number, text
FROM event
WHERE dag_id = :dag_id AND run_id = :run_id
ORDER BY id;

-- name: states_between
-- (logical_date, run_id, state) of the runs of a DAG in a window, both ends included.
SELECT logical_date, run_id, state FROM run
WHERE dag_id = :dag_id AND logical_date BETWEEN :first AND :last;

-- name: active_backfills
SELECT
    id, dag_id, state, from_date, to_date, run_backwards, reprocess_behavior, max_active_runs, conf, created_at, ended_at
FROM backfill INDEXED BY backfill_active
WHERE state IN ('running', 'paused');

-- name: active_backfill
SELECT
    id, dag_id, state, from_date, to_date, run_backwards, reprocess_behavior, max_active_runs, conf, created_at, ended_at
FROM backfill
WHERE dag_id = :dag_id AND state IN ('running', 'paused');

-- name: backfill
SELECT
    id, dag_id, state, from_date, to_date, run_backwards, reprocess_behavior, max_active_runs, conf, created_at, ended_at
FROM backfill
WHERE id = :id;

-- name: last_backfills
-- The newest first.
SELECT
    id, dag_id, state, from_date, to_date, run_backwards, reprocess_behavior, max_active_runs, conf, created_at, ended_at
FROM backfill
ORDER BY id DESC
LIMIT :limit;

-- name: dates_of_backfill
-- (ordinal, logical_date, run_id, state of the run, reason); a run that retention deleted has no state.
SELECT date.ordinal, date.logical_date, date.run_id, run.state, date.reason
FROM backfill_date AS date
LEFT JOIN run ON run.id = date.run
WHERE date.backfill = :backfill
ORDER BY date.ordinal;

-- name: dates_to_come
-- The dates of a backfill that have not had their turn.
SELECT ordinal, logical_date, interval_start, interval_end, run_after
FROM backfill_date
WHERE backfill = :backfill AND run IS NULL AND reason IS NULL
ORDER BY ordinal;

-- name: runs_of_backfill
-- (row of the run, ordinal of its date).
SELECT run, ordinal FROM backfill_date WHERE backfill = :backfill AND run IS NOT NULL;
