"""flowlet's NamedTuple is used as typing's is: each statement holds of both."""

from __future__ import annotations

import copy
import pickle
import typing
from typing import Any

import pytest

from flowlet.named_tuple import NamedTuple


class Ours(NamedTuple):
    """A place on a map."""

    name: str
    east: int = 0
    north: int = 0

    @property
    def label(self) -> str:
        return f"{self.name} at {self.east}, {self.north}"

    @classmethod
    def origin(cls) -> Ours:
        return cls("origin")


class Theirs(typing.NamedTuple):
    """A place on a map."""

    name: str
    east: int = 0
    north: int = 0

    @property
    def label(self) -> str:
        return f"{self.name} at {self.east}, {self.north}"

    @classmethod
    def origin(cls) -> Theirs:
        return cls("origin")


class Quiet(NamedTuple):
    secret: str

    def __repr__(self) -> str:
        return "Quiet()"


@pytest.fixture(params=[Ours, Theirs], ids=["ours", "typing's"])
def place(request: pytest.FixtureRequest) -> Any:
    return request.param


def test_fields_come_by_position_by_name_and_from_defaults(place: Any) -> None:
    assert place("a", 1, 2) == place("a", north=2, east=1) == place(name="a", east=1, north=2) == ("a", 1, 2)
    assert place("a", north=2) == ("a", 0, 2)
    assert place.origin() == ("origin", 0, 0)


@pytest.mark.parametrize(
    ("values", "named"),
    [((), {}), (("a", 1, 2, 3), {}), (("a",), {"name": "b"}), (("a",), {"south": 1}), ((), {"east": 1})],
    ids=["missing", "too many", "twice", "unknown", "missing beside a name"],
)
def test_a_call_that_does_not_fit_is_a_type_error(place: Any, values: tuple[Any, ...], named: dict[str, Any]) -> None:
    with pytest.raises(TypeError):
        place(*values, **named)


def test_it_is_a_tuple_with_names(place: Any) -> None:
    here = place("a", 1, 2)
    name, *rest = here
    assert (name, rest) == ("a", [1, 2])
    assert (here.name, here.east, here.north, here[1], len(here)) == ("a", 1, 2, 1, 3)
    assert here.label == "a at 1, 2"
    assert hash(here) == hash(("a", 1, 2))
    assert isinstance(here, tuple)
    assert not hasattr(here, "__dict__")
    assert type(place) is type
    with pytest.raises(AttributeError):
        here.name = "b"
    match here:
        case place(found, 1, north=2):
            assert found == "a"
        case _:
            pytest.fail("it matches by place and by name")


def test_it_is_remade_with_other_values(place: Any) -> None:
    here = place("a", 1, 2)
    assert here._replace(east=5) == ("a", 5, 2)
    assert type(here._replace(east=5)) is place
    assert here._asdict() == {"name": "a", "east": 1, "north": 2}
    assert place._make(["a", 1, 2]) == here
    with pytest.raises(TypeError):
        place._make(["a", 1, 2, 3])
    assert place._fields == ("name", "east", "north")
    assert place._field_defaults == {"east": 0, "north": 0}


def test_it_is_copied_pickled_and_shown(place: Any) -> None:
    here = place("a", 1, 2)
    for twin in (copy.copy(here), copy.deepcopy(here), pickle.loads(pickle.dumps(here))):
        assert twin == here
        assert type(twin) is place
    assert repr(here) == f"{place.__name__}(name='a', east=1, north=2)"
    assert place.__doc__ == "A place on a map."


def test_a_class_may_show_itself_otherwise() -> None:
    assert repr(Quiet("x")) == "Quiet()"
