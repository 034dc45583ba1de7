"""`typing.NamedTuple`, made in a tenth of its time.

typing's compiles every annotation, and a constructor for each class: 0.2 ms a class, and flowlet has
eighty, for which every program that imports it would wait. Here no annotation is compiled, and a constructor
when it is first called. To a type checker it is typing's own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

__all__ = ["NamedTuple"]

if TYPE_CHECKING:
    from typing import NamedTuple
else:
    from collections import _tuplegetter  # what collections.namedtuple reads its fields by

    class _Named(tuple):
        """What all of them have in common: a tuple whose class says how many values it holds, under which names."""

        __slots__ = ()
        _fields = ()
        _field_defaults = {}  # noqa: RUF012  read only, as namedtuple's

        def __new__(cls, *values, **named):
            """Only at first: from then on it is the class's own, made as collections.namedtuple does it."""
            names = ", ".join(cls._fields)
            new = eval(f"lambda _cls, {names}: _new(_cls, ({names},))", {"_new": tuple.__new__})  # noqa: S307  of names only
            new.__defaults__ = tuple(cls._field_defaults.values())
            new.__name__ = new.__qualname__ = cls.__name__
            cls.__new__ = staticmethod(new)
            return cls(*values, **named)

        @classmethod
        def _make(cls, values):
            """From an iterable."""
            return cls(*values)

        def _replace(self, **named):
            """A copy with other values in these fields."""
            return type(self)(**(self._asdict() | named))

        def _asdict(self):
            """Names to values, in order."""
            return dict(zip(self._fields, self, strict=True))

        def __repr__(self):
            shown = ", ".join(f"{name}={value!r}" for name, value in zip(self._fields, self, strict=True))
            return f"{type(self).__name__}({shown})"

        def __getnewargs__(self):
            """For copies and pickles."""
            return tuple(self)

    class _Maker(type):
        """Makes a plain subclass of `_Named` out of a class statement whose base is NamedTuple."""

        def __new__(cls, name, _bases, space):
            fields = tuple(space.get("__annotations__", ()))
            space["_field_defaults"] = {field: space[field] for field in fields if field in space}
            space |= {field: _tuplegetter(place, "") for place, field in enumerate(fields)}
            space |= {"__slots__": (), "_fields": fields, "__match_args__": fields}
            return type(name, (_Named,), space)

    NamedTuple = type.__new__(_Maker, "NamedTuple", (), {})
