"""The commands by which what has happened happens again, or counts as done; the options are those of `airflow tasks clear`
(cli/cli_config.py) and of Airflow's page."""

from __future__ import annotations

import argparse

from flowlet.cli.command import Command


def _clear_tasks(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("dag_id", metavar="DAG_ID")
    parser.add_argument("run_id", metavar="RUN_ID", nargs="?", help="default: all runs of the DAG")
    parser.add_argument("task_ids", metavar="TASK_ID", nargs="*", help="default: all; of a mapped task one: 'TASK_ID[3]'")
    _relatives(parser)
    parser.add_argument("--map-index", metavar="N", type=int, action="append", help="only this one of a mapped task")
    parser.add_argument("-t", "--task-regex", metavar="REGEX", help="the tasks whose id has this in it, instead of TASK_ID")
    parser.add_argument("-s", "--start-date", metavar="ISO", help="the runs from this logical date on, instead of RUN_ID")
    parser.add_argument("-e", "--end-date", metavar="ISO", help="the runs up to this logical date, inclusive")
    _which(parser)
    parser.add_argument("-r", "--only-running", action="store_true", help="only what is running")


def _clear_run(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("dag_id", metavar="DAG_ID")
    parser.add_argument("run_id", metavar="RUN_ID")
    _which(parser)


def _set_task(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("dag_id", metavar="DAG_ID")
    parser.add_argument("run_id", metavar="RUN_ID")
    parser.add_argument("task_id", metavar="TASK_ID", help="a mapped task as a whole, or one: 'TASK_ID[3]'")
    parser.add_argument("state", metavar="STATE", help="success, failed or skipped")
    _relatives(parser)
    parser.add_argument("--dry-run", action="store_true", help="say what would be done, and do nothing")


def _set_run(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("dag_id", metavar="DAG_ID")
    parser.add_argument("run_id", metavar="RUN_ID")
    parser.add_argument("state", metavar="STATE", help="success, failed, or queued: go on with what is left of it")


def _relatives(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("-u", "--upstream", action="store_true", help="and all that comes before")
    parser.add_argument("-d", "--downstream", action="store_true", help="and all that comes after")
    parser.add_argument("--past", action="store_true", help="in the runs of earlier logical dates as well")
    parser.add_argument("--future", action="store_true", help="in the runs of later logical dates as well")


def _which(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("-f", "--only-failed", action="store_true", help="only what failed, and what failed by it")
    parser.add_argument("--dry-run", action="store_true", help="say what would be done, and do nothing")
    parser.add_argument("-y", "--yes", action="store_true", help="do not ask (asked is on a terminal only)")


_CLEARED = "{dag_id, dry_run, cleared: [{run_id, task_id, map_index}]}"

COMMANDS: tuple[Command, ...] = (
    Command(
        "runs clear", "operations:clear", "let a run start anew from its first task, or what failed of it",
        _clear_run, _CLEARED,
        ("flowlet runs clear etl january", "flowlet runs clear etl january --only-failed --yes"),
    ),
    Command(
        "runs set-state", "operations:set_run_state", "say how a run ended, or let it begin again",
        _set_run, "{dag_id, run_id, run_type, state, reason, logical_date, started_at, ended_at, conf, tasks, ...}",
        ("flowlet runs set-state etl january success",),
    ),
    Command(
        "tasks clear", "operations:clear", "let tasks start anew, also of runs that have ended",
        _clear_tasks, _CLEARED,
        (
            "flowlet tasks clear etl january load --downstream",
            "flowlet tasks clear etl january 'load[3]' --yes",
            "flowlet tasks clear etl --only-failed --dry-run",
            "flowlet tasks clear etl -t '^load' -s 2026-01-01 -e 2026-01-31",
        ),
    ),
    Command(
        "tasks set-state", "operations:set_task_state", "say how a task ended; what failed after it starts anew",
        _set_task, "{dag_id, state, dry_run, marked: [{run_id, task_id, map_index}]}",
        ("flowlet tasks set-state etl january load success", "flowlet tasks set-state etl january 'load[3]' skipped --dry-run"),
    ),
)  # fmt: skip
