"""`flowlet pools`: limits that tasks of several DAGs share."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from flowlet.cli import arguments, exits, owner, reading, render

if TYPE_CHECKING:
    from flowlet.store import Reader


def list_(args: argparse.Namespace) -> int:
    """The pools, and how many of their slots task instances hold now."""
    with reading.reading(args) as reader:
        shapes = _shapes(reader)
    if args.json:
        render.json_(shapes)
        return exits.OK
    render.table(
        ("POOL", "SLOTS", "USED", "DESCRIPTION"),
        [(shape["name"], shape["slots"], shape["used"], shape["description"]) for shape in shapes],
    )
    return exits.OK


def _shapes(reader: Reader) -> list[dict[str, Any]]:
    rows = reader.fetch("pools")
    if not any(name == "default_pool" for name, *_ in rows):
        rows.insert(0, ("default_pool", 128, "", 0))
    used = _used(reader, {name for name, _, _, include_deferred in rows if include_deferred})
    return [
        {"name": name, "slots": slots, "used": used.get(name, 0), "description": description, "include_deferred": bool(counts)}
        for name, slots, description, counts in rows
    ]


def _used(reader: Reader, with_deferred: set[str]) -> dict[str, int]:
    """Slots held in each pool: a task instance may take several; a deferred one none, unless its pool says so."""
    specs = {dag.dag_id: dag.spec for dag in reading.dags(reader)}
    dag_of = {row[0]: row[1] for row in reader.fetch("active_runs")}
    used: dict[str, int] = {}
    for row in reader.fetch("active_tasks"):
        task = reading.Task(*row)
        if task.state not in {"queued", "running"} and not (task.state == "deferred" and task.pool in with_deferred):
            continue
        spec = specs.get(dag_of[task.run]) if task.run in dag_of else None
        slots = spec.by_id[task.task_id].pool_slots if spec is not None and task.task_id in spec.by_id else 1
        used[task.pool] = used.get(task.pool, 0) + slots
    return used


def set_(args: argparse.Namespace) -> int:
    """Make a pool, or change its size."""
    shape = {"name": args.name, "slots": args.slots, "description": args.description, "include_deferred": args.include_deferred}
    owner.ask(
        arguments.existing_database(args),
        "set_pool",
        shape,
        lambda engine: engine.set_pool(args.name, args.slots, args.description, include_deferred=args.include_deferred),
    )
    return _done(args, shape, f"pool {args.name} has {render.plural(args.slots, 'slot')}")


def delete(args: argparse.Namespace) -> int:
    """Remove a pool: tasks that name it wait until it exists again."""
    owner.ask(
        arguments.existing_database(args),
        "delete_pool",
        {"name": args.name},
        lambda engine: engine.delete_pool(args.name),
    )
    return _done(args, {"name": args.name}, f"pool {args.name} is deleted")


def _done(args: argparse.Namespace, shape: dict[str, Any], sentence: str) -> int:
    if args.json:
        render.json_(shape)
    else:
        print(sentence)
    return exits.OK
