"""The commands for backfills; the options of `create` are those of `airflow backfill create` (cli/cli_config.py)."""

from __future__ import annotations

import argparse

from flowlet.cli.command import Command


def _create(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("dag_id", metavar="DAG_ID", nargs="?")
    parser.add_argument("--dag-id", dest="dag_option", metavar="DAG_ID", help="the same, as Airflow spells it")
    parser.add_argument("--from-date", metavar="ISO", required=True, help="the first date of the window, inclusive")
    parser.add_argument("--to-date", metavar="ISO", required=True, help="the last one, inclusive")
    parser.add_argument("--max-active-runs", metavar="N", type=_positive, default=10, help="of this backfill at once (default 10)")
    parser.add_argument("--run-backwards", action="store_true", help="the latest date first")
    parser.add_argument(
        "--reprocess-behavior", choices=("none", "failed", "completed"), default="none",
        help="of dates that have a run: none runs again (default), failed ones do, completed (also successful) ones do",
    )  # fmt: skip
    parser.add_argument("--dag-run-conf", dest="conf", metavar="JSON", help="the runs' conf: a JSON object, or @FILE")
    parser.add_argument("--dry-run", action="store_true", help="say what would be done with each date, and do nothing")


def _id(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("id", metavar="ID", type=_positive, help="its number, as `flowlet backfill list` shows it")


def _list(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("dag_id", metavar="DAG_ID", nargs="?")
    parser.add_argument("-n", "--limit", metavar="N", type=_positive, default=20, help="how many (default 20)")


def _positive(text: str) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > 15 or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} must be a whole number, at least 1")
    return int(text)


_SHAPE = "{id, dag_id, state, waits, from_date, to_date, ..., dates: [{logical_date, run_id, state, reason}]}"

COMMANDS: tuple[Command, ...] = (
    Command(
        "backfill create", "backfill:create", "runs for the past dates of a DAG's schedule",
        _create, _SHAPE,
        (
            "flowlet backfill create etl --from-date 2026-01-01 --to-date 2026-01-31 --dry-run",
            "flowlet backfill create etl --from-date 2026-01-01 --to-date 2026-01-31 --reprocess-behavior failed --max-active-runs 3",
        ),
    ),
    Command(
        "backfill list", "backfill:list_", "backfills, the newest first",
        _list, "[{id, dag_id, state, from_date, to_date, ..., counts: {STATE: DATES}}]",
        ("flowlet backfill list", "flowlet backfill list etl --json"),
    ),
    Command(
        "backfill show", "backfill:show", "a backfill, and what became of each of its dates",
        _id, _SHAPE,
        ("flowlet backfill show 3",),
    ),
    Command(
        "backfill pause", "backfill:pause", "let no further run of a backfill begin",
        _id, _SHAPE,
        ("flowlet backfill pause 3",),
    ),
    Command(
        "backfill unpause", "backfill:unpause", "let a backfill go on",
        _id, _SHAPE,
        ("flowlet backfill unpause 3",),
    ),
    Command(
        "backfill cancel", "backfill:cancel", "end a backfill: what runs goes on, nothing more begins",
        _id, _SHAPE,
        ("flowlet backfill cancel 3",),
    ),
)  # fmt: skip

GROUPS = {"backfill": "runs for past dates: create, list, show, pause, unpause and cancel them"}
