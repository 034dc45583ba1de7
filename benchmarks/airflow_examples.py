"""Airflow's own example DAGs, unmodified, run by flowlet: a table of what became of each, and in what time.

    python benchmarks/airflow_examples.py                     # fetches the wheels once, runs them all
    python benchmarks/airflow_examples.py --truth truth.json  # compares with what Airflow said of them

The wheels are unpacked into a folder of their own and Airflow is never imported: the files are read from
there through `flowlet.airflow`. A truth file holds, by DAG id (`id@conf` with a conf in its note),
`run_state` and `tasks`, or `tries` and `xcom` (values that tasks returned); it may be given more than once.
What holds the time, random numbers or a folder's name is compared by state only (`UNSTEADY`).
"""

from __future__ import annotations

import argparse
import json
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

PARTS = (
    "apache-airflow-core==3.3.2",
    "apache-airflow-task-sdk==1.3.2",
    "apache-airflow-providers-standard==1.21.0",
)
FOLDERS = ("airflow/example_dags", "airflow/providers/standard/example_dags")
LOGICAL_DATE = datetime(2026, 1, 15, tzinfo=UTC)

#: Values that no two runs share: by the time, the clock, random numbers, folders of the machine.
UNSTEADY = frozenset({
    "example_bash_decorator.get_file_stats", "example_bash_decorator.describe_dag_folder",
    "example_bash_decorator.show_dag_folder_stats", "example_task_state_store.run_job", "tutorial.print_date",
    "example_task_state_store_mapped.process_table", "example_asset_state_store_producer.load",
})  # fmt: skip

#: DAGs whose way through branches hangs on chance or on the clock: their run's state is compared only.
CHANCE = {
    "example_branch_python_operator_decorator": "random branches",
    "example_branch_operator": "random branches",
    "example_branch_datetime_operator_2": "the time of the clock",
    "example_branch_datetime_operator_3": "the time of the clock",
    "example_weekday_branch_operator": "the weekday of the clock",
}


class Row(NamedTuple):
    """What became of one DAG."""

    dag_id: str
    file: str
    seconds: float
    state: str | None
    tasks: dict[str, str]
    tries: dict[str, int]
    xcoms: dict[str, Any]
    asset_events: Sequence[Any] = ()
    triggered: Sequence[Any] = ()
    problem: str | None = None


def main() -> int:
    args = _arguments()
    site = fetch(args.into)
    sys.path.append(str(site))
    truth = _truth(args.truth)
    rows = list(run_all(site, truth, only=args.only, limit=args.limit))
    differences = {row.dag_id: compare(row, truth.get(row.dag_id)) for row in rows}
    if args.json:
        print(
            json.dumps(
                [{**row._asdict(), "differences": differences[row.dag_id]} for row in rows], default=str
            )
        )
    else:
        _print(rows, differences, truth)
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    cache = Path.home() / ".cache" / "flowlet" / "airflow-3.3.2"
    parser.add_argument("--into", type=Path, default=cache, help=f"the folder for the wheels ({cache})")
    parser.add_argument("--truth", type=Path, action="append", default=[], help="JSON of what Airflow did")
    parser.add_argument("--only", help="only DAGs or files whose name holds this")
    parser.add_argument("--limit", type=float, default=60.0, help="seconds for one DAG (60)")
    parser.add_argument("--json", action="store_true", help="rows as JSON")
    return parser.parse_args()


def fetch(folder: Path) -> Path:
    """The unpacked wheels; pip fetches them if they are not there."""
    if not (folder / FOLDERS[1]).is_dir():
        command = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--target", str(folder), *PARTS]
        subprocess.run(command, check=True)
    return folder


def run_all(site: Path, truth: dict[str, Any], *, only: str | None, limit: float) -> Iterator[Row]:
    """Every DAG of every file; one with a conf in the truth twice."""
    from flowlet.airflow import install
    from flowlet.registry.loading import load_file

    install()
    files = [
        path for folder in FOLDERS for path in sorted((site / folder).glob("*.py")) if path.stem != "__init__"
    ]
    for path in files:
        began = time.perf_counter()
        loaded = load_file(path, timeout=30)
        took = time.perf_counter() - began
        for problem in loaded.problems:
            if only is None or only in path.name:
                text = f"{problem.kind}: {problem.text}".replace(f"{path}:", "line ")
                yield Row(f"({path.stem})", path.name, took, None, {}, {}, {}, problem=text)
        for dag in loaded.dags:
            for name, conf in _runs_of(dag.dag_id, truth):
                if only is None or only in name or only in path.name:
                    yield run_one(dag, name, path.name, conf, limit)


def _runs_of(dag_id: str, truth: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any] | None]]:
    yield dag_id, None
    with_conf = truth.get(f"{dag_id}@conf")
    if with_conf is not None:
        yield f"{dag_id}@conf", json.loads(with_conf["note"].partition("conf ")[2])


def run_one(dag: Any, name: str, file: str, conf: dict[str, Any] | None, limit: float) -> Row:
    """One run, bounded in time."""
    random.seed(0)
    began = time.perf_counter()
    signal.signal(signal.SIGALRM, _too_long)
    signal.setitimer(signal.ITIMER_REAL, limit)
    try:
        run = dag.test(logical_date=LOGICAL_DATE, run_conf=conf, capture="all")
        shape, problem = run.as_dict(), None
    except (Exception, TooLongError) as error:
        shape, problem = {}, f"{type(error).__name__}: {error}"
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
    return Row(
        name, file, time.perf_counter() - began, shape.get("state"), shape.get("tasks", {}),
        shape.get("tries", {}), shape.get("xcoms", {}), shape.get("asset_events", []), shape.get("triggered_runs", []),
        problem,
    )  # fmt: skip


class TooLongError(BaseException):
    """Through what the run catches."""


def _too_long(*_: object) -> None:
    raise TooLongError("did not end in time")


# -- beside what Airflow did -----------------------------------------------------------------------------


def _truth(paths: list[Path]) -> dict[str, Any]:
    merged: dict[str, Any] = {}
    for path in paths:
        for name, facts in json.loads(path.read_text()).items():
            merged.setdefault(name, {}).update(facts)
    return merged


def compare(row: Row, truth: dict[str, Any] | None) -> list[str]:
    """The differences, in words; none if there is nothing to compare with."""
    if truth is None or truth.get("run_state") == "running":
        return []  # what Airflow did not end is no truth
    if row.state is None:
        wanted = truth.get("run_state")
        return [] if wanted is None and row.problem else [f"run: {row.problem}"]
    found = [] if row.state == truth["run_state"] else [f"run {row.state}, Airflow {truth['run_state']}"]
    if row.dag_id in CHANCE:
        return found
    found += _unlike("", row.tasks, truth["tasks"])
    tries = truth.get("tries")
    if tries is not None:
        several = {task: count for task, count in row.tries.items() if count > 1}
        found += _unlike("tries of ", several, tries)
    if "asset_events" in truth:
        events = [[event["uri"], event["task_id"], json.dumps(event["extra"])] for event in row.asset_events]
        found += _unlike("", {"asset events": events}, {"asset events": truth["asset_events"]})
        made = [[run["dag_id"], run["state"]] for run in row.triggered]
        found += _unlike(
            "", {"other runs": made}, {"other runs": [[one[0], one[2]] for one in truth["other_runs"]]}
        )
    if "xcom" in truth:
        ours = {key.rpartition(":")[0]: v for key, v in row.xcoms.items() if key.endswith(":return_value")}
        theirs = {task: json.loads(v) if isinstance(v, str) else v for task, v in truth["xcom"].items()}
        told = [task for task in theirs if not _is_unsteady(row.dag_id, task)]
        found += _unlike(
            "value of ", {task: ours.get(task) for task in told}, {task: theirs[task] for task in told}
        )
    return found


def _unlike(what: str, ours: dict[str, Any], theirs: dict[str, Any]) -> list[str]:
    keys = sorted(ours.keys() | theirs.keys())
    return [
        f"{what}{key} {ours.get(key)!r}, Airflow {theirs.get(key)!r}"
        for key in keys
        if ours.get(key) != theirs.get(key)
    ]


def _is_unsteady(dag_id: str, task: str) -> bool:
    return f"{dag_id}.{task.partition('[')[0]}" in UNSTEADY


# -- the table -------------------------------------------------------------------------------------------


def _print(rows: list[Row], differences: dict[str, list[str]], truth: dict[str, Any]) -> None:
    for row in rows:
        counts = ", ".join(
            f"{list(row.tasks.values()).count(state)} {state}" for state in sorted(set(row.tasks.values()))
        )
        verdict = _verdict(row, differences[row.dag_id], truth)
        print(f"{row.dag_id:58} {row.state or '-':8} {row.seconds * 1000:8.1f} ms  {verdict:9} {counts}")
        for line in [*([row.problem] if row.problem else []), *differences[row.dag_id]]:
            print(f"    {' '.join(str(line).split())[:300]}")
    _print_summary(rows, differences, truth)


def _verdict(row: Row, unlike: list[str], truth: dict[str, Any]) -> str:
    if truth.get(row.dag_id, {}).get("run_state", "running") == "running" and row.state:
        return ""
    if row.dag_id not in truth:
        return "problem"
    return "differs" if unlike else "as there"


def _print_summary(rows: list[Row], differences: dict[str, list[str]], truth: dict[str, Any]) -> None:
    ran = [row for row in rows if row.state]
    times = sorted(row.seconds for row in ran)
    broken = [row.dag_id for row in rows if row.dag_id.startswith("(")]
    print(f"\n{len(ran)} runs; {len(broken)} files do not load: {', '.join(broken)}")
    if times:
        print(f"median of dag.test(): {times[len(times) // 2] * 1000:.1f} ms, sum {sum(times):.1f} s")
    if truth:
        endless = {dag_id for dag_id, facts in truth.items() if facts.get("run_state") == "running"}
        known = [row.dag_id for row in rows if row.dag_id in truth.keys() - endless]
        unlike = [dag_id for dag_id in known if differences[dag_id]]
        absent = sorted(truth.keys() - endless - set(known))
        print(
            f"of {len(truth)} in the truth: {len(known) - len(unlike)} as there, {len(unlike)} differ, {len(absent)} did not load,"
            f" {len(endless)} never ended there"
        )
        print(f"did not load: {', '.join(absent)}")


if __name__ == "__main__":
    sys.exit(main())
