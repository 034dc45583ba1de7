"""FileSensor: wait for a file (Airflow: providers/standard/sensors/filesystem.py, hooks/filesystem.py)."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from flowlet.operators.deferring import DEFERRABLE
from flowlet.operators.sensor import BaseSensorOperator

if TYPE_CHECKING:
    from flowlet.authoring.context import Context

_DEFAULT_CONNECTION = "fs_default"


class FileSensor(BaseSensorOperator):
    """Waits until `filepath` (a pattern, too) is a file, or a folder with a file somewhere in it.

    A relative path starts at the folder that the connection `fs_conn_id` names (`path` in its extra; "/"
    for `fs_default` where nobody set it, as in Airflow). `**` in a pattern needs `recursive`.
    `deferrable`: it is `deferred` from look to look, and takes no slot of its pool and of its run meanwhile.
    `start_from_trigger` is accepted and needs nothing here.
    """

    template_fields: ClassVar[Sequence[str]] = ("filepath", "fs_conn_id")
    ui_color = "#91818a"

    def __init__(
        self,
        *,
        filepath: str | os.PathLike[str],
        fs_conn_id: str = _DEFAULT_CONNECTION,
        recursive: bool = False,
        deferrable: bool = DEFERRABLE,
        start_from_trigger: bool = False,
        trigger_kwargs: dict[str, Any] | None = None,  # noqa: ARG002  as said above
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.filepath = os.fspath(filepath) if isinstance(filepath, os.PathLike) else filepath
        self.fs_conn_id = fs_conn_id
        self.recursive = recursive
        self.deferrable = deferrable
        self.start_from_trigger = start_from_trigger

    @property
    def defers_between_looks(self) -> bool:  # type: ignore[override]  # the same for all of a class but here
        return self.deferrable

    def poke(self, context: Context) -> bool:
        from glob import iglob

        pattern = os.path.join(self._folder(context), self.filepath)  # noqa: PTH118  glob wants text
        return any(_has_file(path) for path in iglob(pattern, recursive=self.recursive))  # noqa: PTH207  patterns of any root

    def _folder(self, context: Context) -> str:
        connections = context["conn"]
        if self.fs_conn_id == _DEFAULT_CONNECTION and connections.get(_DEFAULT_CONNECTION) is None:
            return "/"
        return str(connections[self.fs_conn_id].extra_dejson.get("path") or "")


def _has_file(path: str) -> bool:
    return os.path.isfile(path) or any(files for _, _, files in os.walk(path))  # noqa: PTH113  as glob gave it
