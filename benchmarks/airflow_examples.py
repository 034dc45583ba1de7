"""Airflow's own example DAGs, unmodified, run by flowlet: a table of what became of each, and in what time.

    python benchmarks/airflow_examples.py                   # fetches the wheels once, runs them all
    python benchmarks/airflow_examples.py --truth FILE      # beside another file than airflow_answers.json

The wheels are unpacked into a folder of their own and Airflow is never imported: the files are read from
there through `flowlet.airflow`. Exit status 1 if a DAG did anything else than it does under Airflow.
"""

from __future__ import annotations

import argparse
import json
import random
import signal
import statistics
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from beside_airflow import ANSWERS, CHANCE, Facts, Row, answers, compare, is_endless, offline, unsteady

PARTS = (
    "apache-airflow-core==3.3.2",
    "apache-airflow-task-sdk==1.3.2",
    "apache-airflow-providers-standard==1.21.0",
)
FOLDERS = ("airflow/example_dags", "airflow/providers/standard/example_dags")
LOGICAL_DATE = datetime(2026, 1, 15, tzinfo=UTC)

def main() -> int:
    args = _arguments()
    site = fetch(args.into)
    sys.path.append(str(site))
    truth = answers(args.truth or [ANSWERS])
    rows = list(run_all(site, truth, only=args.only, limit=args.limit))
    differences = {row.dag_id: compare(row, truth.get(row.dag_id)) for row in rows}
    missing = [] if args.only else _not_loaded(rows, truth)
    if args.json:
        shapes = [{**row._asdict(), "differences": differences[row.dag_id]} for row in rows]
        print(json.dumps(shapes, default=str))
    else:
        _print(rows, differences, truth, missing)
        print(_whole_process(site))
    return 1 if any(differences.values()) or missing else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    cache = Path.home() / ".cache" / "flowlet" / "airflow-3.3.2"
    parser.add_argument("--into", type=Path, default=cache, help=f"the folder for the wheels ({cache})")
    parser.add_argument("--truth", type=Path, action="append", default=[], help=f"what Airflow did ({ANSWERS.name})")
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


def run_all(site: Path, truth: dict[str, Facts], *, only: str | None, limit: float) -> Iterator[Row]:
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


def _runs_of(dag_id: str, truth: dict[str, Facts]) -> Iterator[tuple[str, dict[str, Any] | None]]:
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


# -- the table -------------------------------------------------------------------------------------------


def _print(rows: list[Row], differences: dict[str, list[str]], truth: dict[str, Facts], absent: list[str]) -> None:
    seconds = {name: facts["seconds"] for name, facts in answers([ANSWERS]).items() if facts.get("seconds")}
    print(f"{'DAG':58} {'run':8} {'flowlet':>11} {'Airflow':>9}  {'':16} tasks")
    for row in rows:
        counts = Counter(row.tasks.values())
        theirs = f"{seconds[row.dag_id]:.1f} s" if row.dag_id in seconds else "-"
        verdict = _verdict(row, differences[row.dag_id], truth.get(row.dag_id))
        tasks = ", ".join(f"{counts[state]} {state}" for state in sorted(counts))
        print(f"{row.dag_id:58} {row.state or '-':8} {row.seconds * 1000:8.1f} ms {theirs:>9}  {verdict:16} {tasks}")
        for line in [*([row.problem] if row.problem else []), *differences[row.dag_id]]:
            print(f"    {' '.join(str(line).split())[:300]}")
    _print_summary(rows, differences, truth, absent)
    _print_times([row.seconds for row in rows if row.state], list(seconds.values()))


def _verdict(row: Row, unlike: list[str], facts: Facts | None) -> str:
    if offline(row.dag_id):
        return "not offline"
    if facts is None:
        return "nothing known" if row.state else "problem"
    if is_endless(facts):
        return "never ends there"
    if unlike:
        return "differs"
    return "state as there" if row.dag_id in CHANCE else "as there"


def _not_loaded(rows: list[Row], truth: dict[str, Facts]) -> list[str]:
    """DAGs that Airflow has and no file gave."""
    there = {name for name, facts in truth.items() if not is_endless(facts) and not offline(name)}
    return sorted(there - {row.dag_id for row in rows})


def _print_summary(rows: list[Row], differences: dict[str, list[str]], truth: dict[str, Facts], absent: list[str]) -> None:
    known = [row.dag_id for row in rows if row.dag_id in truth and not is_endless(truth[row.dag_id]) and not offline(row.dag_id)]
    unlike = [dag_id for dag_id in known if differences[dag_id]]
    print(f"\n{len(known)} of {len(truth)} that Airflow ran: {len(known) - len(unlike)} as there, {len(unlike)} differ, {len(absent)} did not load")
    shown = {row.dag_id for row in rows}
    _list("differ", unlike)
    _list("did not load", absent)
    _list("never end under Airflow", [name for name, facts in truth.items() if is_endless(facts)])
    _list("cannot run offline", [f"{name} ({why})" for name in sorted(shown) if (why := offline(name))])
    _list("only the run's state is compared", [f"{name} ({why})" for name, why in CHANCE.items() if name in shown])
    keys = ((name, key) for name in known for key in truth[name].get("xcom", {}))
    _list("XComs left out", [f"{name}.{key} ({why})" for name, key in keys if (why := unsteady(name, key))])


def _list(what: str, names: list[str]) -> None:
    if names:
        print(f"{what}: {', '.join(names)}")


def _print_times(ours: list[float], theirs: list[float]) -> None:
    if ours:
        print(f"median of dag.test(): {statistics.median(ours) * 1000:.1f} ms; sum {sum(ours):.1f} s, most of it their own sleeps")
    if theirs:
        print(f"median under Airflow, where that was measured: {statistics.median(theirs):.1f} s")


def _whole_process(site: Path) -> str:
    """From the start of Python to its end, for a file of one task; the median of five."""
    file = site / FOLDERS[0] / "example_simplest_dag.py"
    if not file.is_file():
        return ""
    command = [sys.executable, "-m", "flowlet", "run", str(file), "--db", ":memory:"]
    took = []
    for _ in range(5):
        began = time.perf_counter()
        subprocess.run(command, check=True, capture_output=True, timeout=60)
        took.append(time.perf_counter() - began)
    return f"whole process, flowlet run {file.name}: {statistics.median(took):.2f} s"


if __name__ == "__main__":
    sys.exit(main())
