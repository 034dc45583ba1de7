-- flowlet's tables, version 5: what tasks keep beside their values, for their next try and for the assets.
--
-- Two more views stay as they are: task_state_store and asset_state_store, named as Airflow names its tables.

-- Of one task instance: its retries see it, and so does the instance when it is cleared. Values are plain JSON.
CREATE TABLE task_state (
    ti INTEGER NOT NULL REFERENCES task_instance (id),
    key TEXT NOT NULL CHECK (key <> ''),
    value TEXT NOT NULL,
    updated_at INTEGER NOT NULL,
    expires_at INTEGER,
    PRIMARY KEY (ti, key)
) STRICT, WITHOUT ROWID;

CREATE INDEX task_state_expiry ON task_state (expires_at) WHERE expires_at IS NOT NULL;

-- Of an asset, whichever run wrote it last; it stays until it is deleted.
CREATE TABLE asset_state (
    asset TEXT NOT NULL CHECK (asset <> ''),
    key TEXT NOT NULL CHECK (key <> ''),
    value TEXT NOT NULL,
    updated_at INTEGER NOT NULL,
    dag_id TEXT NOT NULL,
    run_id TEXT NOT NULL,
    task_id TEXT NOT NULL,
    map_index INTEGER NOT NULL,
    PRIMARY KEY (asset, key)
) STRICT, WITHOUT ROWID;

-- What task instances keep, as JSON; expires_at is NULL for what is kept as long as its run.
CREATE VIEW task_state_store (dag_id, run_id, task_id, map_index, key, value, updated_at, expires_at) AS
SELECT
    run.dag_id, run.run_id, ti.task_id, ti.map_index, kept.key, kept.value, {iso:kept.updated_at}, {iso:kept.expires_at}
FROM task_state AS kept
JOIN task_instance AS ti ON ti.id = kept.ti
JOIN run ON run.id = ti.run;

-- What is kept of assets, by their names, as JSON; and who wrote it last.
CREATE VIEW asset_state_store (asset, key, value, updated_at, dag_id, run_id, task_id, map_index) AS
SELECT asset, key, value, {iso:updated_at}, dag_id, run_id, task_id, map_index
FROM asset_state;
