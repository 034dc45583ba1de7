"""One readable line for whatever a body raised."""

from __future__ import annotations

from typing import Final

from flowlet.worker.secrets import SECRETS

#: The most characters of a reason; the whole text is in the attempt's log.
LONGEST: Final = 500


def reason_of(problem: BaseException) -> str:
    """What happened, in one line, secrets masked before it is cut."""
    return one_line(_describe(problem))


def deed_of(problem: BaseException) -> str:
    """The same of something that is not the task, as it follows its name: `raised ValueError: x`."""
    if isinstance(problem, SystemExit):
        return one_line(f"called sys.exit({_repr(problem.code)})")
    return f"raised {reason_of(problem)}"


def one_line(text: str) -> str:
    """The text on one line, masked, then cut; what no file can hold of it is written with backslashes."""
    line = " ".join(SECRETS.mask(text).replace("\0", "\\x00").split())
    line = line.encode("utf-8", "backslashreplace").decode()
    return line if len(line) <= LONGEST else f"{line[: LONGEST - 1]}…"


def class_name(problem: BaseException) -> str:
    """The exception's class by name; with its module where that is neither builtins nor flowlet's."""
    kind = type(problem)
    name, module = _own(kind, "__qualname__"), _own(kind, "__module__")
    return one_line(name if module in ("builtins", "__main__", "flowlet.errors") else f"{module}.{name}")


def name_of(problem: BaseException) -> str:
    """The last part of its class's name."""
    return one_line(_own(type(problem), "__name__"))


def _own(kind: type, attribute: str) -> str:
    """What Python itself says of a class, whatever its metaclass would say."""
    value = type.__dict__[attribute].__get__(kind)
    return value if isinstance(value, str) else "?"


def text_of(problem: BaseException) -> str:
    """Its own text; a __str__ that raises is said instead."""
    try:
        return str(problem)
    except BaseException as worse:  # somebody's __str__ may raise anything
        return f"(its text cannot be shown: __str__ raised {name_of(worse)})"


def _describe(problem: BaseException) -> str:
    if isinstance(problem, SystemExit):
        return f"the task called sys.exit({_repr(problem.code)})"
    if isinstance(problem, KeyboardInterrupt):
        return "the task was interrupted (KeyboardInterrupt)"
    text = text_of(problem)
    if isinstance(problem, BaseExceptionGroup):
        return f"{text}: {'; '.join(_describe(inner) for inner in problem.exceptions[:3])}"
    name = name_of(problem)
    place = _first_note(problem)
    return f"{name}: {text}{place}" if text else f"{name}{place}"


def _first_note(problem: BaseException) -> str:
    """What was added to it on its way, as the template field in which it happened."""
    try:
        note = problem.__notes__[0]
    except BaseException:  # there is none, or somebody's property raises
        return ""
    return f" ({note})" if isinstance(note, str) else ""


def _repr(value: object) -> str:
    try:
        return "" if value is None else repr(value)
    except BaseException as worse:  # as in text_of
        return f"<{_own(type(value), '__name__')} whose __repr__ raised {name_of(worse)}>"
