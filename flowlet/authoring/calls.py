"""What a callable asks for, read once: parameters by name, and those that a task's context can fill.

The rule is Airflow's `determine_kwargs`: a callable with `**kwargs` gets the whole context, any other the
entries that it names. `inspect` costs more to import than flowlet may; plain functions are read without it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from types import BuiltinFunctionType, FunctionType, MethodType
from typing import Any
from weakref import WeakKeyDictionary

from flowlet.authoring.context import CONTEXT_KEYS
from flowlet.authoring.later import value_of

_TAKES_ARGS = 0x04
_TAKES_KWARGS = 0x08
_GENERATOR = 0x20
_COROUTINE = 0x80
_ASYNC_GENERATOR = 0x200

_POSITIONAL_ONLY, _KEYWORD_ONLY = 0, 3  # values of inspect's _ParameterKind
_VAR_POSITIONAL, _VAR_KEYWORD = 2, 4


class Signature:
    """The parameters of a callable. `names` are in order: positional ones first, then keyword-only ones."""

    __slots__ = (
        "asks_for_context", "defaults", "names", "positional", "positional_only", "required",
        "takes_any_keyword", "takes_any_positional",
    )  # fmt: skip

    def __init__(
        self,
        positional: tuple[str, ...],
        keyword_only: tuple[str, ...],
        defaults: Mapping[str, Any],
        *,
        positional_only: int,
        takes_any_positional: bool,
        takes_any_keyword: bool,
    ) -> None:
        self.names = positional + keyword_only
        self.positional = positional
        self.positional_only = positional_only
        self.defaults = defaults
        self.required = tuple(name for name in self.names if name not in defaults)
        self.takes_any_positional = takes_any_positional
        self.takes_any_keyword = takes_any_keyword
        self.asks_for_context = takes_any_keyword or not CONTEXT_KEYS.isdisjoint(self.names)

    @classmethod
    def of(cls, function: Callable[..., Any]) -> Signature:
        """Read a callable. ValueError or TypeError if it does not tell (some builtins)."""
        bound = 0
        while True:
            if isinstance(function, MethodType):
                function, bound = function.__func__, bound + 1
            elif isinstance(function, FunctionType) and hasattr(function, "__wrapped__"):
                function = function.__wrapped__
            else:
                break
        plain = isinstance(function, FunctionType) and not hasattr(function, "__signature__")
        signature = cls._of_function(function) if plain else cls._of_anything(function)
        return signature.without_first() if bound else signature

    @classmethod
    def _of_function(cls, function: Any) -> Signature:
        code = function.__code__
        count, keywords = code.co_argcount, code.co_kwonlyargcount
        positional = code.co_varnames[:count]
        values = function.__defaults__ or ()
        defaults = dict(zip(positional[count - len(values) :], values, strict=True))
        return cls(
            positional,
            code.co_varnames[count : count + keywords],
            {**defaults, **(function.__kwdefaults__ or {})},
            positional_only=code.co_posonlyargcount,
            takes_any_positional=bool(code.co_flags & _TAKES_ARGS),
            takes_any_keyword=bool(code.co_flags & _TAKES_KWARGS),
        )

    @classmethod
    def _of_anything(cls, function: Any) -> Signature:
        """Builtins, partials, callable objects, functions with a signature of their own."""
        import inspect

        parameters = inspect.signature(function).parameters.values()
        kinds = {parameter.kind for parameter in parameters}
        positional = [parameter for parameter in parameters if parameter.kind < _VAR_POSITIONAL]
        return cls(
            tuple(parameter.name for parameter in positional),
            tuple(parameter.name for parameter in parameters if parameter.kind == _KEYWORD_ONLY),
            {p.name: p.default for p in parameters if p.default is not p.empty},
            positional_only=sum(parameter.kind == _POSITIONAL_ONLY for parameter in positional),
            takes_any_positional=_VAR_POSITIONAL in kinds,
            takes_any_keyword=_VAR_KEYWORD in kinds,
        )

    def without_first(self) -> Signature:
        """The same without its first positional parameter: `self`."""
        return Signature(
            self.positional[1:],
            self.names[len(self.positional) :],
            {name: value for name, value in self.defaults.items() if name != self.names[0]},
            positional_only=max(0, self.positional_only - 1),
            takes_any_positional=self.takes_any_positional,
            takes_any_keyword=self.takes_any_keyword,
        )

    def complaint(self, args: Sequence[Any], kwargs: Mapping[str, Any], given: AbstractSet[str]) -> str | None:
        """Why a call with these arguments fails; None if it works. `given` are filled in when it is made."""
        count = len(args)
        if count > len(self.positional) and not self.takes_any_positional:
            return f"it takes {len(self.positional)} positional arguments, {count} are given"
        taken = self.positional[:count]
        for name in kwargs:
            if name in taken and name not in self.positional[: self.positional_only]:
                return f"argument {name!r} is given twice"
            if not self.takes_any_keyword and (
                name not in self.names or name in self.positional[: self.positional_only]
            ):
                return f"it has no argument {name!r}"
        missing = [
            name for name in self.required if name not in taken and name not in kwargs and name not in given
        ]  # fmt: skip
        return f"argument {missing[0]!r} is missing" if missing else None

    def names_all(self, kwargs: Mapping[str, Any]) -> bool:
        """Whether every one of these has a parameter of its name."""
        return not kwargs or all(name in self.names for name in kwargs)

    def choose(self, count: int, own: Mapping[str, Any], offered: Mapping[str, Any]) -> dict[str, Any]:
        """What a call gets by name beside `count` positional ones: what it names of its own and of the offered.

        A callable with `**kwargs` gets all of both. What it does not name is left out, as in Airflow.
        ValueError if a positional argument sits where something is offered by name (Airflow: reserved).
        """
        for name in self.positional[:count]:
            if name in offered or name in own:
                raise ValueError(f"{name!r} is filled from the task's context: do not pass it by position")
        if self.takes_any_keyword:
            return {**offered, **own}
        names = self.names[count:] if count <= len(self.positional) else self.names[len(self.positional) :]
        return {
            name: own[name] if name in own else value_of(offered[name])
            for name in names
            if name in own or name in offered
        }


_KNOWN: WeakKeyDictionary[Any, Signature] = WeakKeyDictionary()


def signature_of(function: Callable[..., Any]) -> Signature:
    """`Signature.of`, remembered for as long as the callable lives."""
    if isinstance(function, (MethodType, BuiltinFunctionType)):
        return Signature.of(function)  # made anew at every access: nothing to remember it by
    try:
        signature = _KNOWN.get(function)
        if signature is None:
            signature = _KNOWN[function] = Signature.of(function)
    except TypeError:  # cannot be hashed or weakly held
        return Signature.of(function)
    return signature


def determine_kwargs(
    function: Callable[..., Any], args: Sequence[Any], offered: Mapping[str, Any]
) -> dict[str, Any]:
    """The keyword arguments to call `function` with, beside `args`, out of those offered."""
    return signature_of(function).choose(len(args), {}, offered)


def is_coroutine_function(function: Any) -> bool:
    """Whether calling it gives a coroutine, as its definition tells; looks through partials and objects."""
    return bool(_flags_of(function) & _COROUTINE)


def is_async_function(function: Any) -> bool:
    """The same, or an async generator."""
    return bool(_flags_of(function) & (_COROUTINE | _ASYNC_GENERATOR))


def is_generator_function(function: Any) -> bool:
    """Whether calling it gives a generator, as its definition tells."""
    return bool(_flags_of(function) & _GENERATOR)


def _flags_of(function: Any) -> int:
    """The flags of the code that a call of it runs; 0 where that is not Python's."""
    while not isinstance(function, FunctionType):
        if isinstance(function, MethodType):
            function = function.__func__
        elif hasattr(function, "func") and hasattr(function, "keywords"):  # functools.partial
            function = function.func
        else:
            call = None if isinstance(function, type) else getattr(type(function), "__call__", None)  # noqa: B004  itself
            if not isinstance(call, FunctionType):
                return 0
            function = call
    return int(function.__code__.co_flags)
