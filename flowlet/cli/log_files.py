"""Where the log of an attempt lies."""

from __future__ import annotations

from pathlib import Path


def log_path(db: str, dag_id: str, run_id: str, task_id: str, map_index: int, try_number: int) -> Path:
    """The file that an attempt wrote, if it wrote anything."""
    import os

    from flowlet.worker.logs import log_path as in_folder

    return in_folder(Path(f"{os.path.realpath(db)}.logs"), dag_id, run_id, task_id, map_index, try_number)
