"""`flowlet backfill`: runs for the past dates of a schedule. Its options are those of `airflow backfill create`."""

from __future__ import annotations

import argparse
from collections import Counter
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flowlet.cli import arguments, exits, owner, reading, render
from flowlet.cli.exits import CommandError

if TYPE_CHECKING:
    from flowlet.store import Reader


# -- create ----------------------------------------------------------------------------------------------


def create(args: argparse.Namespace) -> int:
    """It is on file when this returns; the scheduler that owns the database, now or later, makes its runs."""
    path, request = arguments.existing_database(args), _request(args)
    if args.dry_run and owner.owner_of(path) is None:
        shape, owned = _dry_run(args, request), True
    else:

        async def act(engine: Any) -> Any:
            return (await engine.backfill(**request)).as_dict()

        shape, owned = owner.ask(path, "backfill", _plain(request), act)
    if args.json:
        render.json_(shape)
    elif args.dry_run:
        _print_dates(shape, f"{request['dag_id']}: this is what would be done; nothing is")
    else:
        _print(shape)
    if not owned:
        render.note(f"no scheduler runs on {path}: `flowlet daemon FILE --db {path}` will go on with it")
    return exits.OK


def _request(args: argparse.Namespace) -> dict[str, Any]:
    """The arguments of Engine.backfill."""
    if (args.dag_id is None) == (args.dag_option is None):
        raise CommandError("name the DAG once: flowlet backfill create DAG_ID (or --dag-id DAG_ID)")
    return {
        "dag_id": args.dag_id or args.dag_option,
        "from_date": _date("--from-date", args.from_date),
        "to_date": _date("--to-date", args.to_date),
        "max_active_runs": args.max_active_runs,
        "run_backwards": args.run_backwards,
        "reprocess_behavior": args.reprocess_behavior,
        "conf": arguments.conf(args.conf, "--dag-run-conf"),
        "dry_run": args.dry_run,
    }


def _date(option: str, text: str) -> datetime:
    moment = arguments.logical_date(text, option)
    if moment is None:
        raise CommandError(f"{option} {text!r} is no ISO 8601 date such as 2026-01-31 or 2026-01-31T06:00+01:00")
    return moment  # type: ignore[no-any-return]  # it was given


def _plain(request: dict[str, Any]) -> dict[str, Any]:
    """As JSON: dates as text."""
    return {name: value.isoformat() if isinstance(value, datetime) else value for name, value in request.items()}


def _dry_run(args: argparse.Namespace, request: dict[str, Any]) -> dict[str, Any]:
    """Without an owner all is read from the file, which is not written, not even to own it."""
    from flowlet.clock import SystemClock, iso, to_micros
    from flowlet.engine.backfill_rows import shape_of
    from flowlet.engine.backfills import dry_row, plan_for, would_do
    from flowlet.scheduler.backfills import dates_of

    given = {name: value for name, value in request.items() if name not in ("dag_id", "dry_run")}
    with reading.reading(args) as reader:
        spec = reading.dag(reader, request["dag_id"]).spec
        plan = plan_for(spec, None, **given)
        dates = dates_of(plan, spec, None, SystemClock().now())
        moments = [date.logical_date for date in dates]
        there = reader.fetch("states_between", dag_id=spec.dag_id, first=min(moments), last=max(moments))
    would = would_do(dates, {date: (run_id, state) for date, run_id, state in there}, plan.reprocess_behavior)
    shapes = [{**date._asdict(), "logical_date": iso(to_micros(date.logical_date))} for date in would]
    return {**shape_of(dry_row(plan)), "waits": None, "dates": shapes}


# -- the others ------------------------------------------------------------------------------------------


def show(args: argparse.Namespace) -> int:
    """A backfill, and what became of each of its dates."""
    with reading.reading(args) as reader:
        shape = _shape(reader, args.id)
    if args.json:
        render.json_(shape)
        return exits.OK
    _print_dates(shape, _sentence(shape))
    _tell_waits(shape)
    return exits.OK


def list_(args: argparse.Namespace) -> int:
    """The backfills, the newest first, with how many of their dates stand how."""
    from flowlet.engine.backfill_rows import shape_of

    with reading.reading(args) as reader:
        rows = reader.fetch("last_backfills", limit=-1)
        shapes = [shape_of(row) | {"counts": _counts_of(reader, row[0])} for row in rows if args.dag_id in (None, row[1])][: args.limit]
    if args.json:
        render.json_(shapes)
        return exits.OK
    render.table(
        ("ID", "DAG", "STATE", "FROM", "TO", "DATES"),
        [(one["id"], one["dag_id"], one["state"], one["from_date"][:19], one["to_date"][:19], _spell(one["counts"])) for one in shapes],
        empty="there are no backfills: `flowlet backfill create DAG_ID --from-date D --to-date D` makes one",
    )
    return exits.OK


def pause(args: argparse.Namespace) -> int:
    """No further run of it begins."""
    return _change(args, "pause_backfill")


def unpause(args: argparse.Namespace) -> int:
    """Let it go on."""
    return _change(args, "unpause_backfill")


def cancel(args: argparse.Namespace) -> int:
    """End it; what runs goes on."""
    return _change(args, "cancel_backfill")


def _change(args: argparse.Namespace, verb: str) -> int:
    async def act(engine: Any) -> Any:
        return (await getattr(engine, verb)(args.id)).as_dict()

    shape, _ = owner.ask(arguments.existing_database(args), verb, {"id": args.id}, act)
    if args.json:
        render.json_(shape)
    else:
        _print(shape)
    return exits.OK


# -- how they look ---------------------------------------------------------------------------------------


def _shape(reader: Reader, number: int) -> dict[str, Any]:
    from flowlet.engine.backfill_rows import date_shape, shape_of
    from flowlet.errors import BackfillNotFound

    rows = reader.fetch("backfill", id=number)
    if not rows:
        raise BackfillNotFound(f"there is no backfill {number}; `flowlet backfill list` shows those that there are")
    dates = [date_shape(*row) for row in reader.fetch("dates_of_backfill", backfill=number)]
    return {**shape_of(rows[0]), "waits": _why_not(reader, *rows[0][:3]), "dates": dates}


def _why_not(reader: Reader, number: int, dag_id: str, state: str) -> str | None:
    """Why it does not go on, as far as the file tells."""
    if state == "paused":
        return f"it is paused: `flowlet backfill unpause {number}`"
    if state != "running":
        return None
    if any(reading.Dag(*row).paused for row in reader.fetch("dag", dag_id=dag_id)):
        return f"the DAG {dag_id!r} is paused: `flowlet dags unpause {dag_id}`"
    return None if reader.owner() is not None else f"no scheduler runs on {Path(reader.path).name}: `flowlet daemon FILE`"


def _counts_of(reader: Reader, number: int) -> dict[str, int]:
    """State, or reason, to how many dates stand so."""
    from flowlet.engine.backfill_rows import date_shape

    return _counts([date_shape(*row) for row in reader.fetch("dates_of_backfill", backfill=number)])


def _counts(dates: list[dict[str, Any]]) -> dict[str, int]:
    return dict(Counter(_fate(date) for date in dates))


def _fate(date: dict[str, Any]) -> str:
    """In a word or two."""
    if date["run_id"] is None:
        return date["reason"] or "to come"
    return date["state"] or "deleted"


def _spell(counts: dict[str, int]) -> str:
    return ", ".join(f"{count} {fate}" for fate, count in counts.items())


def _sentence(shape: dict[str, Any]) -> str:
    window = f"{shape['from_date'][:19]} to {shape['to_date'][:19]}"
    return f"backfill {shape['id']} of {shape['dag_id']} ({window}) is {shape['state']}: {_spell(_counts(shape['dates']))}"


def _print(shape: dict[str, Any]) -> None:
    print(_sentence(shape))
    _tell_waits(shape)


def _tell_waits(shape: dict[str, Any]) -> None:
    if shape["waits"]:
        render.note(f"it does not go on now: {shape['waits']}")


def _print_dates(shape: dict[str, Any], title: str) -> None:
    print(title)
    render.table(
        ("LOGICAL DATE", "RUN", "STATE"),
        [(date["logical_date"], date["run_id"] or "-", _fate(date)) for date in shape["dates"]],
    )
