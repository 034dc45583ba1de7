"""The commands: what each is for, what it takes, and the shape that `--json` prints."""

from __future__ import annotations

import argparse

from flowlet.cli import backfill_commands, kept_commands, operations_commands
from flowlet.cli.command import Arguments, Command

# -- arguments -------------------------------------------------------------------------------------------


def _several(*parts: Arguments) -> Arguments:
    def add_all(parser: argparse.ArgumentParser) -> None:
        for add in parts:
            add(parser)

    return add_all


def _nothing(_: argparse.ArgumentParser) -> None:
    pass


def _dag_id(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("dag_id", metavar="DAG_ID")


def _run_id(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("dag_id", metavar="DAG_ID")
    parser.add_argument("run_id", metavar="RUN_ID", nargs="?", help="default: the newest run")


def _exact_run_id(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("dag_id", metavar="DAG_ID")
    parser.add_argument("run_id", metavar="RUN_ID")


def _task_id(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("dag_id", metavar="DAG_ID")
    parser.add_argument("task_id", metavar="TASK_ID", help="of a mapped task: 'TASK_ID[3]'")
    parser.add_argument("run_id", metavar="RUN_ID", nargs="?", help="default: the newest run")


def _what_to_run(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--conf", metavar="JSON", help="the run's conf: a JSON object, or @FILE")
    parser.add_argument(
        "--logical-date",
        metavar="ISO",
        help="such as 2026-01-31T06:00+01:00, default now; 'none': a run without one. A date without a zone"
        " is in that of FLOWLET__CORE__DEFAULT_TIMEZONE (UTC)",
    )
    parser.add_argument("--run-id", metavar="RUN_ID", help="default: made from the date")


def _how_to_run(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--executor", metavar="NAME", help="LocalExecutor (default) or SequentialExecutor")
    parser.add_argument("--parallelism", metavar="N", type=_positive, help="bodies at once (default 32)")
    parser.add_argument(
        "--durability",
        choices=("full", "process"),
        help="full (default): survives a power cut; process: survives any crash of the process",
    )


def _run(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", metavar="FILE", help="a Python file that describes DAGs")
    parser.add_argument("dag_id", metavar="DAG_ID", nargs="?", help="needed if the file has several DAGs")
    _what_to_run(parser)
    _how_to_run(parser)
    parser.add_argument("-q", "--quiet", action="store_true", help="do not show what the tasks print")


def _daemon(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("files", metavar="FILE", nargs="+", help="Python files that describe DAGs")
    _how_to_run(parser)
    parser.add_argument(
        "--grace", metavar="SECONDS", type=_seconds, help="for bodies at the end (default 30)"
    )


def _check(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("paths", metavar="FILE_OR_FOLDER", nargs="+", help="of a folder, the Python files that tell of DAGs")


def _list_of_runs(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("dag_id", metavar="DAG_ID", nargs="?")
    parser.add_argument(
        "-n", "--limit", metavar="N", type=_positive, default=20, help="how many (default 20)"
    )


def _logs(parser: argparse.ArgumentParser) -> None:
    _task_id(parser)
    parser.add_argument("--try", dest="try_number", metavar="N", type=_positive, help="default: the last try")
    parser.add_argument("-f", "--follow", action="store_true", help="go on until the task (or that try) has ended")


def _answer(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("dag_id", metavar="DAG_ID")
    parser.add_argument("run_id", metavar="RUN_ID")
    parser.add_argument("task_id", metavar="TASK_ID", help="of a mapped task: 'TASK_ID[3]'")
    parser.add_argument("options", metavar="OPTION", nargs="+", help="one of those that it offers; several if it lets you")
    parser.add_argument("--conf", dest="params", metavar="JSON", help="the fields of its form: a JSON object, or @FILE")
    parser.add_argument("--by", metavar="NAME", help="who answers")


def _pool_name(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", metavar="NAME")


def _pool(parser: argparse.ArgumentParser) -> None:
    _pool_name(parser)
    parser.add_argument("slots", metavar="SLOTS", type=_whole)
    parser.add_argument("--description", metavar="TEXT", default="")
    parser.add_argument("--include-deferred", action="store_true", help="tasks that wait for their triggers count, too")


def _next(parser: argparse.ArgumentParser) -> None:
    _dag_id(parser)
    parser.add_argument("-n", "--limit", metavar="N", type=_positive, default=1, help="how many (default 1)")


def _backup(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("path", metavar="PATH", help="the file to make; it must not exist")


def _prune(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--keep-days", metavar="N", type=_whole, help="default: FLOWLET__STORE__KEEP_DAYS, or 90")
    parser.add_argument(
        "--keep-runs", metavar="N", type=_whole, help="of each DAG (default: FLOWLET__STORE__KEEP_RUNS, or 100)"
    )


def _whole(text: str) -> int:
    return _number(text, 0)


def _positive(text: str) -> int:
    return _number(text, 1)


def _number(text: str, least: int) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > 15 or int(text) < least:
        raise argparse.ArgumentTypeError(f"{text!r} must be a whole number, at least {least}")
    return int(text)


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds <= 1e9:
        raise argparse.ArgumentTypeError(f"{text!r} must be a number of seconds, at least 0")
    return seconds


# -- the commands ----------------------------------------------------------------------------------------

_RUN = "{dag_id, run_id, run_type, state, reason, logical_date, started_at, ended_at, conf, tasks, ...}"

COMMANDS: tuple[Command, ...] = (
    Command(
        "run", "run:run", "run a DAG of a file now, and wait for its end",
        _run, f"at the end {_RUN}",
        ("flowlet run etl.py", 'flowlet run etl.py etl --conf \'{"day": "2026-01-31"}\'', "flowlet run etl.py --db :memory: --logical-date 2026-01-31",),
    ),
    Command(
        "daemon", "daemon:daemon", "run the scheduler until SIGINT or SIGTERM (twice: at once)",
        _daemon, "a line of JSON per event: {at, event, ...}",
        ("flowlet daemon etl.py report.py --db flowlet.db", 'flowlet daemon etl.py --json | jq -c \'select(.event == "run_ended")\'',),
    ),
    Command(
        "check", "check:check", "tell what is wrong with files of DAGs, before they run: 1 if something will not work",
        _check, "{ok, files, dags, findings: [{level, check, file, line, dag, task, text, way_out}]}; level: error, warning or hint",
        ("flowlet check etl.py", "flowlet check dags/ --json | jq '.findings[] | select(.level == \"error\")'",),
    ),
    Command(
        "trigger", "trigger:trigger", "ask for a run of a DAG",
        _several(_dag_id, _what_to_run), _RUN,
        ("flowlet trigger etl", "flowlet trigger etl --conf @conf.json --run-id january",),
    ),
    Command(
        "next", "next:next_", "when a DAG is due",
        _next, "[{due_at, logical_date, data_interval_start, data_interval_end}]",
        ("flowlet next etl -n 5",),
    ),
    Command(
        "dags list", "dags:list_", "the DAGs of the database",
        _nothing, "[{dag_id, paused, schedule, next_due, tasks, last_run, last_state, file}]",
        ("flowlet dags list",),
    ),
    Command(
        "dags show", "dags:show", "a DAG: its schedule and its tasks",
        _dag_id, "{dag_id, paused, schedule, ..., tasks: [{task_id, operator, upstream, trigger_rule, ...}]}",
        ("flowlet dags show etl",),
    ),
    Command(
        "dags pause", "dags:pause", "no more scheduled runs of a DAG",
        _dag_id, "{dag_id, paused}",
        ("flowlet dags pause etl",),
    ),
    Command(
        "dags unpause", "dags:unpause", "let a DAG go on",
        _dag_id, "{dag_id, paused}",
        ("flowlet dags unpause etl",),
    ),
    Command(
        "runs list", "runs:list_", "runs, the newest first",
        _list_of_runs, "[{dag_id, run_id, run_type, state, logical_date, started_at, ended_at, reason, waits, ...}]",
        ("flowlet runs list", "flowlet runs list etl -n 100 --json",),
    ),
    Command(
        "runs show", "runs:show", "a run: its tasks, attempts and events",
        _run_id, "{dag_id, run_id, ..., waits, conf, tasks: [...], attempts: [...], events: [...]}",
        ("flowlet runs show etl", "flowlet runs show etl scheduled__2026-01-31T00:00:00+00:00",),
    ),
    Command(
        "runs cancel", "runs:cancel", "end a run: it is marked failed",
        _exact_run_id, _RUN,
        ("flowlet runs cancel etl january",),
    ),
    Command(
        "tasks logs", "tasks:logs", "what an attempt of a task printed",
        _logs, '{dag_id, run_id, task_id, map_index, try_number, state, lines}; with -f a line per line: {"line": "..."}',
        ("flowlet tasks logs etl load", "flowlet tasks logs etl load january --try 1", "flowlet tasks logs etl load -f",),
    ),
    Command(
        "tasks why", "tasks:why", "why a task does not start, or how it stands",
        _task_id, "{dag_id, run_id, task_id, map_index, state, why}",
        ("flowlet tasks why etl load", "flowlet tasks why etl 'load[3]' january",),
    ),
    Command(
        "tasks render", "tasks:render_", "the template fields of a task, as they were rendered",
        _task_id, "{dag_id, run_id, task_id, map_index, state, label, rendered: {field: value}}",
        ("flowlet tasks render etl load", "flowlet tasks render etl 'load[3]' january",),
    ),
    Command(
        "tasks answer", "tasks:answer", "answer a task that is awaiting input",
        _answer, "{dag_id, run_id, task_id, map_index, chosen_options, params_input, responded_by}",
        ("flowlet tasks answer etl january approve Approve", "flowlet tasks answer etl january ask OK --conf '{\"rows\": 5}' --by ada",),
    ),
    Command(
        "pools list", "pools:list_", "the pools and how full they are",
        _nothing, "[{name, slots, used, description}]",
        ("flowlet pools list",),
    ),
    Command(
        "pools set", "pools:set_", "make a pool or change its size",
        _pool, "{name, slots, description, include_deferred}",
        ("flowlet pools set warehouse 4 --description 'connections it allows'",),
    ),
    Command(
        "pools delete", "pools:delete", "remove a pool",
        _pool_name, "{name}",
        ("flowlet pools delete warehouse",),
    ),
    *operations_commands.COMMANDS,
    *backfill_commands.COMMANDS,
    *kept_commands.COMMANDS,
    Command(
        "db check", "db:check", "is the database whole?",
        _nothing, "{db, ok, problems}",
        ("flowlet db check",),
    ),
    Command(
        "db backup", "db:backup", "copy the database while it is used",
        _backup, "{db, backup, bytes}",
        ("flowlet db backup copy.db",),
    ),
    Command(
        "db prune", "db:prune", "delete old runs",
        _prune, "{db, deleted}",
        ("flowlet db prune --keep-days 30 --keep-runs 10",),
    ),
    Command(
        "doctor", "doctor:doctor", "look at everything that can stand in the way",
        _nothing, "{db, ok, findings: [{check, verdict, text}]}",
        ("flowlet doctor --db flowlet.db",),
    ),
)  # fmt: skip

GROUPS = {
    "dags": "list, show, pause and unpause DAGs",
    "runs": "list, show, clear, mark and cancel runs",
    "tasks": "logs of tasks, why they wait, what was rendered; clear, mark and answer them",
    "pools": "list, set and delete pools",
    **backfill_commands.GROUPS,
    **kept_commands.GROUPS,
    "db": "check, back up and prune the database",
}
