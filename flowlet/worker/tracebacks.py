"""Tracebacks for people: from the first line of user code on."""

from __future__ import annotations

from types import TracebackType
from typing import Final

_OWN: Final = __file__.rpartition("/")[0] + "/"

#: The most characters kept: a recursion's traceback says the same a thousand times.
LONGEST: Final = 100_000


def readable_traceback(problem: BaseException) -> str:
    """The traceback without the worker's own frames at its top; whatever the exception's methods do."""
    import traceback

    try:
        lines = traceback.format_exception(type(problem), problem, _from_user_code(problem.__traceback__))
        text = "".join(lines).rstrip("\n")
    except BaseException as worse:  # a __str__, __cause__ or __notes__ of somebody's may raise anything
        from flowlet.worker.reasons import name_of

        text = f"{name_of(problem)} (its traceback cannot be shown: {name_of(worse)})"
    return text if len(text) <= LONGEST else f"{text[: LONGEST // 2]}\n... cut ...\n{text[-LONGEST // 2 :]}"


def _from_user_code(trace: TracebackType | None) -> TracebackType | None:
    whole = trace
    while trace is not None and trace.tb_frame.f_code.co_filename.startswith(_OWN):
        trace = trace.tb_next
    return trace if trace is not None else whole
