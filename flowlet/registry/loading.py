"""From a file to its DAGs. Whatever is wrong with the file becomes a value: where, what, in which words."""

from __future__ import annotations

import contextvars
import os
import warnings
from pathlib import Path
from types import CodeType, ModuleType, TracebackType

from flowlet.authoring.dag import DAG
from flowlet.authoring.registering import collect_dags
from flowlet.named_tuple import NamedTuple
from flowlet.registry.deadline import LoadTimeout, deadline
from flowlet.registry.isolation import executed
from flowlet.registry.source import UnreadableError, read_source

_LONGEST_TEXT = 2_000


class Problem(NamedTuple):
    """Why a file gave no DAGs. `line` is in that file: the innermost one that was being executed."""

    file: str
    line: int
    kind: str
    """Class name of the error."""
    text: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.kind}: {self.text}"


class Loaded(NamedTuple):
    """What a file gave: its DAGs in the order of their definition, or problems; never both."""

    file: str
    dags: tuple[DAG, ...]
    problems: tuple[Problem, ...] = ()
    warnings: tuple[str, ...] = ()
    """`file:line: Category: text` of warnings that its code caused; they are no errors."""


def load_file(path: str | os.PathLike[str], *, timeout: float | None = None) -> Loaded:
    """Execute one file and collect its DAGs. Never raises for what the file is or does.

    `timeout` seconds bound its execution where that is possible: on the main thread of a Unix process.
    """
    file = Path(os.path.abspath(path))  # noqa: PTH100  resolve() would replace links by their targets
    heard: list[warnings.WarningMessage] = []
    problems: tuple[Problem, ...] = ()
    dags: tuple[DAG, ...] = ()
    try:
        code = _compile(file)
        with warnings.catch_warnings(record=True) as heard, deadline(timeout):
            warnings.simplefilter("default")
            dags = contextvars.copy_context().run(_execute, code, file)
    except UnreadableError as error:
        problems = (Problem(str(file), 1, "Unreadable", f"{file.name} {error}"),)
    except WrongDagsError as error:
        problems = error.problems
    except BaseException as error:  # the one boundary at which a file's code may raise anything
        problems = (Problem(str(file), _line_of(error, file), _kind_of(error), _text_of(error, file)),)
    return Loaded(str(file), dags, problems, tuple(map(_spell_warning, heard)))


def _compile(file: Path) -> CodeType:
    source = read_source(file)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a file's SyntaxWarnings are no errors, also under -W error
        return compile(source, str(file), "exec", dont_inherit=True)


def _execute(code: CodeType, file: Path) -> tuple[DAG, ...]:
    process = os.getpid()
    try:
        with collect_dags() as built, executed(code, file) as module:
            return _dags_of(module, built)
    finally:
        if os.getpid() != process:
            os._exit(0)  # the file forked while it was loaded: only one of the two goes on


def _dags_of(module: ModuleType, built: list[DAG]) -> tuple[DAG, ...]:
    """Those completed while the file was loaded, then those that only a global name holds.

    Of two with one id the later wins, as in Airflow; a warning says so. Asking each for its spec checks it.
    """
    named = [thing for thing in vars(module).values() if isinstance(thing, DAG)]
    unique = {id(dag): dag for dag in (*built, *named)}
    dags: dict[str, DAG] = {}
    for dag in unique.values():
        if dag.dag_id in dags:
            _warn_of_two(dags[dag.dag_id], dag)
        dags[dag.dag_id] = dag
    if not dags:
        raise NoDagError
    problems = [problem for dag in dags.values() if (problem := _problem_of(dag, Path(module.__file__ or ""))) is not None]
    if problems:
        raise WrongDagsError(tuple(problems))
    return tuple(dags.values())


def _problem_of(dag: DAG, file: Path) -> Problem | None:
    """What is wrong with a DAG that is described to its end."""
    try:
        _ = dag.spec
    except Exception as error:
        return Problem(str(file), dag.line or _line_of(error, file), _kind_of(error), _text_of(error, file))
    return None


def _warn_of_two(first: DAG, later: DAG) -> None:
    text = f"the DAG id {later.dag_id!r} is taken by line {first.line} of this file: the later DAG is used"
    warnings.warn_explicit(text, UserWarning, later.fileloc or "an unknown place", later.line or 1)


class WrongDagsError(Exception):
    """The file loads, but DAGs of it are none that could run."""

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        self.problems = problems
        super().__init__("; ".join(map(str, problems)))


class NoDagError(Exception):
    """The file loads, and describes no DAG."""


# -- what went wrong, in words ---------------------------------------------------------------------------


def _line_of(error: BaseException, file: Path) -> int:
    """The innermost line of the file itself; of a SyntaxError in it, where the error is."""
    if isinstance(error, SyntaxError) and error.filename == str(file):
        return error.lineno or 1
    line, frame = 1, error.__traceback__
    while frame is not None:
        if frame.tb_frame.f_code.co_filename == str(file):
            line = _line_in(frame)
        frame = frame.tb_next
    return line


def _line_in(frame: TracebackType) -> int:
    return frame.tb_lineno or frame.tb_frame.f_code.co_firstlineno


def _kind_of(error: BaseException) -> str:
    return {NoDagError: "NoDag", LoadTimeout: "Timeout"}.get(type(error), type(error).__name__)


def _text_of(error: BaseException, file: Path) -> str:
    match error:
        case NoDagError():
            return "describes no DAG: build one with `with DAG(...):`, or call the function under @dag"
        case SyntaxError(msg=msg, filename=other) if msg:
            place = "" if other in {None, str(file)} else f" ({other}:{error.lineno})"
            return f"{msg}{place}"
        case SystemExit():
            return f"the file ends the process (exit status {error.code!r}) while it is loaded"
        case KeyboardInterrupt():
            return "interrupted while it was loaded"
        case LoadTimeout():
            return f"took longer than {error} s to load"
    return _safe_text(error)


def _safe_text(thing: object) -> str:
    try:
        text = str(thing)
    except BaseException:  # the user's own __str__
        return "its text cannot be read: __str__ raises"
    return text if len(text) <= _LONGEST_TEXT else text[:_LONGEST_TEXT] + " ..."


def _spell_warning(heard: warnings.WarningMessage) -> str:
    return f"{heard.filename}:{heard.lineno}: {heard.category.__name__}: {_safe_text(heard.message)}"
