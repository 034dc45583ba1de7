-- What SQLite's own checks do not know: rows that contradict each other. Each SELECT gives sentences.

-- name: owner
SELECT 'owner: there are ' || count(*) || ' rows, not 1' FROM owner HAVING count(*) <> 1;

-- name: unfinished_tasks
SELECT 'run ' || run.run_id || ' of ' || run.dag_id || ' is ' || run.state || ' but its task ' || ti.task_id || ' is ' || ti.state
FROM run
JOIN task_instance AS ti ON ti.run = run.id
WHERE run.state IN ('success', 'failed')
  AND ti.state IN ('running', 'queued', 'deferred', 'up_for_reschedule', 'awaiting_input', 'restarting')
LIMIT 20;

-- name: attempts_missing
SELECT 'task instance ' || ti.id || ' (' || ti.task_id || ') is at try ' || ti.try_number || ' but has '
    || count(past.try_number) || ' earlier attempts on file'
FROM attempt AS past
JOIN task_instance AS ti ON ti.id = past.ti
WHERE past.try_number < ti.try_number
GROUP BY ti.id
HAVING count(past.try_number) <> ti.try_number - 1
LIMIT 20;

-- name: attempts_ahead
SELECT 'task instance ' || ti.id || ' (' || ti.task_id || ') is at try ' || ti.try_number || ' but try ' || past.try_number
    || ' is on file'
FROM attempt AS past
JOIN task_instance AS ti ON ti.id = past.ti
WHERE past.try_number > ti.try_number
LIMIT 20;

-- name: two_fates
-- A tick that has a run and stands in a span as well.
SELECT 'tick ' || {iso:run.due_at} || ' of ' || run.dag_id || ' has a run and is ' || tick.outcome || ' too'
FROM tick
JOIN run ON run.dag_id = tick.dag_id AND run.due_at BETWEEN tick.due_at AND tick.until
WHERE run.due_at IN (tick.due_at, tick.until) AND tick.reason IS NOT 'old ticks of this outcome in one row'
LIMIT 20;

-- name: overlapping_spans
SELECT 'the ticks of ' || dag_id || ' until ' || {iso:until} || ' overlap those from ' || {iso:next}
FROM (SELECT dag_id, until, lead(due_at) OVER (PARTITION BY dag_id ORDER BY due_at) AS next FROM tick
      WHERE reason IS NOT 'old ticks of this outcome in one row')
WHERE next <= until
LIMIT 20;
