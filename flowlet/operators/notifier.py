"""BaseNotifier: a callback with templates of its own (Airflow: sdk/bases/notifier.py)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from flowlet.authoring.context import Context


class BaseNotifier:
    """For `on_failure_callback=MyNotifier(text="{{ ti.task_id }} failed")`: subclasses define `notify(context)`.

    The attributes named in `template_fields` are rendered anew for each call, by the worker and on a copy: one
    notifier may serve many tasks.
    """

    template_fields: ClassVar[Sequence[str]] = ()
    template_ext: ClassVar[Sequence[str]] = ()

    def __init__(self, context: Context | None = None, **_: Any) -> None:
        self.context = context or {}

    def notify(self, context: Context) -> None:
        """Tell somebody."""
        raise NotImplementedError(f"{type(self).__name__} defines no notify()")

    def __call__(self, *args: Any) -> None:
        """What the engine calls, with the context."""
        self.notify(args[0] if args else self.context)
