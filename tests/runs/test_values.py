"""What an XCom can hold comes back as it was; what it cannot hold is refused with its type and place."""

from __future__ import annotations

import enum
import json
import pathlib
from collections import Counter, OrderedDict, defaultdict, namedtuple
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowlet.errors import XComError
from flowlet.runs.value_types import _custom, _registered
from flowlet.runs.values import DEEPEST, LIMIT, XComRecord, decode, encode, plain, register_xcom_type


@attrs.define
class Point:
    x: int
    _y: int = 0
    distance: float = attrs.field(init=False, default=0.0)


@dataclass
class Order:
    name: str
    lines: list[Any] = field(default_factory=list)
    total: int = field(init=False, default=0)


@dataclass(frozen=True)
class Frozen:
    at: date


class Color(enum.Enum):
    RED = 1


class Word(enum.StrEnum):
    YES = "yes"


KNOWN: dict[str, type] = {cls.__qualname__: cls for cls in (Point, Order, Frozen, Color)}

texts = st.text(st.characters(exclude_categories=["Cs"]))
numbers = st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.booleans() | st.none()
moments = st.datetimes(
    timezones=st.none() | st.just(UTC) | st.sampled_from([timezone(timedelta(hours=-3, minutes=5))])
)
tagged = (
    moments
    | st.dates()
    | st.times()
    | st.timedeltas()
    | st.decimals(allow_nan=False, allow_infinity=False)
    | st.uuids()
    | st.binary()
    | st.builds(pathlib.PurePosixPath, texts.filter(lambda text: "\0" not in text))
    | st.builds(Frozen, st.dates())
    | st.sampled_from(Color)
)
hashable = st.recursive(
    texts | numbers | tagged,
    lambda inner: st.tuples(inner, inner) | st.frozensets(inner, max_size=3),
    max_leaves=4,
)
values = st.recursive(
    texts | numbers | tagged,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.lists(inner, max_size=4).map(tuple)
        | st.dictionaries(texts | st.just("__type__"), inner, max_size=4)
        | st.dictionaries(hashable, inner, max_size=3)
        | st.sets(hashable, max_size=3)
        | st.builds(Point, x=inner)
        | st.builds(Order, name=texts, lines=st.lists(inner, max_size=2))
    ),
    max_leaves=12,
)


def same(one: Any, other: Any) -> bool:
    """Equal, and of the same types all the way down."""
    return (
        type(one) is type(other) and repr(one) == repr(other)
        if isinstance(one, (int, float))
        else one == other
    )


@given(values)
def test_a_value_comes_back_equal_and_of_its_type(value: Any) -> None:
    back = decode(encode(value, types=KNOWN), KNOWN)
    assert type(back) is type(value)
    assert same(back, value)


@given(values)
def test_text_is_json_that_a_file_can_hold(value: Any) -> None:
    text = encode(value, types=KNOWN)
    json.loads(text)
    text.encode()
    assert "\0" not in text


@given(
    st.recursive(
        texts | numbers, lambda x: st.lists(x) | st.dictionaries(texts.filter(lambda t: t != "__type__"), x)
    )
)
def test_what_json_has_stands_untagged(value: Any) -> None:
    assert json.loads(encode(value)) == value


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "null"),
        (True, "true"),
        (0, "0"),
        (-7, "-7"),
        (2**70, str(2**70)),
        (1.5, "1.5"),
        ("é\0", '"é\\u0000"'),
        ([1, "a"], '[1,"a"]'),
        ({"a": None}, '{"a":null}'),
        ((), '{"__type__":"tuple","items":[]}'),
        (datetime(2026, 1, 1, tzinfo=UTC), '{"__type__":"datetime","value":"2026-01-01T00:00:00+00:00"}'),
        (timedelta(seconds=1), '{"__type__":"timedelta","microseconds":1000000}'),
        (b"ab", '{"__type__":"bytes","value":"YWI="}'),
        ({1: "a"}, '{"__type__":"dict","items":[[1,"a"]]}'),
        ({"__type__": 1}, '{"__type__":"dict","items":[["__type__",1]]}'),
    ],
)
def test_how_values_stand_in_the_file(value: Any, text: str) -> None:
    assert encode(value) == text
    assert decode(text) == value


def test_a_zone_and_the_second_of_two_equal_hours_survive() -> None:
    berlin = datetime(2025, 10, 26, 2, 30, tzinfo=ZoneInfo("Europe/Berlin"), fold=1)
    back = decode(encode(berlin))
    assert back.tzinfo is berlin.tzinfo
    assert back.fold == 1
    assert back.utcoffset() == timedelta(hours=1)


def test_a_zone_this_machine_does_not_know_becomes_its_offset() -> None:
    back = decode('{"__type__":"datetime","value":"2026-01-01T00:00:00+02:00","zone":"Mars/Olympus"}')
    assert back.utcoffset() == timedelta(hours=2)


Pair = namedtuple("Pair", "a b")  # noqa: PYI024  a namedtuple is what is tested


@pytest.mark.parametrize(
    ("value", "arrives"),
    [
        (OrderedDict(a=1), {"a": 1}),
        (Counter("aab"), {"a": 2, "b": 1}),
        (defaultdict(list, a=[1]), {"a": [1]}),
        (Pair(1, 2), (1, 2)),
        (Word.YES, "yes"),
        (type("Text", (str,), {})("t"), "t"),
        (type("Number", (int,), {})(3), 3),
        (bytearray(b"x"), bytearray(b"x")),
        (pathlib.Path("/tmp"), pathlib.Path("/tmp")),
    ],
)
def test_subclasses_arrive_as_their_base(value: Any, arrives: Any) -> None:
    back = decode(encode(value))
    assert back == arrives
    assert type(back) is type(arrives)


# -- refusals -----------------------------------------------------------------------------------------


class Lazy(dict[str, Any]):
    def items(self) -> Any:
        raise RuntimeError("not now")


class Broken:
    def __iter__(self) -> Iterator[int]:
        raise RuntimeError("not now")


@attrs.define(slots=False)
class Unreadable:
    x: int = 1

    def __getattribute__(self, name: str) -> Any:
        if name == "x":
            raise RuntimeError("not now")
        return super().__getattribute__(name)


def circle() -> list[Any]:
    inner: dict[str, Any] = {}
    value = [1, [inner]]
    inner["again"] = value
    return value


def deep(levels: int) -> list[Any]:
    value: list[Any] = []
    for _ in range(levels):
        value = [value]
    return value


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (float("nan"), "the float nan"),
        ({"a": [1.0, float("inf")]}, "the float inf, which JSON cannot hold (at value['a'][1])"),
        (Decimal("NaN"), "the Decimal NaN"),
        ("\ud800", "lone surrogate at character 0"),
        ({"\udfff": 1}, "lone surrogate"),
        (object(), "an object of type object"),
        ([{"k": print}], "builtin_function_or_method (at value[0]['k'])"),
        (lambda: 1, "an object of type function"),
        ((i for i in ()), "an object of type generator"),
        (1j, "an object of type complex"),
        (Color.RED, "Color: define the class in the DAG's own module, or call flowlet.register_xcom_type"),
        (Point(1), "Point: define the class in the DAG's own module"),
        (Broken(), "Broken: hand on something that JSON has"),
        (Lazy(a=1), "Lazy: reading it raised RuntimeError"),
        (circle(), "a value that contains itself"),
        (deep(DEEPEST + 1), "nested deeper than 256 levels"),
        (deep(100_000), "nested deeper than 256 levels"),
        ([10**5000], "an int that cannot be written"),
        (time(1, tzinfo=ZoneInfo("Europe/Berlin")), "a time in a zone of changing offset"),
        ({(1, 2): {3: object()}}, "an object of type object"),
    ],
)
def test_what_cannot_be_kept_is_named_with_its_place(value: Any, said: str) -> None:
    with pytest.raises(XComError) as refusal:
        encode(value)
    assert said in str(refusal.value)


def test_an_object_that_raises_while_it_is_read() -> None:
    with pytest.raises(XComError, match="Unreadable: reading it raised RuntimeError") as refusal:
        encode({"o": Unreadable()}, types={"Unreadable": Unreadable})
    assert "(at value['o'])" in str(refusal.value)


def test_the_same_object_twice_is_no_circle() -> None:
    shared = [1]
    assert decode(encode([shared, shared])) == [[1], [1]]


# -- the limit ----------------------------------------------------------------------------------------


def test_the_limit_is_in_bytes_and_said() -> None:
    assert decode(encode("é" * 49, limit=100)) == "é" * 49
    with pytest.raises(XComError, match="the value is 102 bytes as JSON, the limit is 100"):
        encode("é" * 50, limit=100)


@pytest.mark.parametrize(
    "value",
    [["x" * (LIMIT + 1)], [b"x" * (LIMIT + 1)], ["x" * 1024] * (LIMIT // 1000)],
    ids=["str", "bytes", "list"],
)
def test_a_huge_value_is_refused_before_its_text_is_built(value: Any) -> None:
    import tracemalloc

    tracemalloc.start()
    try:
        with pytest.raises(XComError, match=r"at least 16,7[0-9,]+ bytes as JSON, the limit is 16,777,216"):
            encode(value)
        assert tracemalloc.get_traced_memory()[1] < 1_000_000
    finally:
        tracemalloc.stop()


def test_repeated_references_cannot_blow_up() -> None:
    value: list[Any] = ["lol"]
    for _ in range(40):
        value = [value, value]
    with pytest.raises(XComError, match="the limit is 10,000"):
        encode(value, limit=10_000)


# -- classes ------------------------------------------------------------------------------------------


@pytest.fixture
def registry() -> Iterator[None]:
    before, custom = dict(_registered), dict(_custom)
    yield
    _registered.clear()
    _registered.update(before)
    _custom.clear()
    _custom.update(custom)


def test_objects_of_known_classes_come_back() -> None:
    order = Order("a", [Point(1, 2)])
    order.total = 7
    assert decode(encode(order, types=KNOWN), KNOWN) == order


@pytest.mark.usefixtures("registry")
def test_registered_classes_go_by_module_and_name() -> None:
    register_xcom_type(Point)
    text = encode(Point(1, 2))
    assert json.loads(text) == {
        "__type__": "object", "class": f"{__name__}.Point", "fields": {"x": 1, "_y": 2, "distance": 0.0}
    }  # fmt: skip
    assert decode(text) == Point(1, 2)


@pytest.mark.usefixtures("registry")
def test_any_class_with_a_way_there_and_back() -> None:
    register_xcom_type(range, encode=lambda r: [r.start, r.stop], decode=lambda parts: range(*parts))
    assert decode(encode({"r": range(1, 9)})) == {"r": range(1, 9)}


@pytest.mark.usefixtures("registry")
def test_a_class_without_fields_needs_both_functions() -> None:
    with pytest.raises(XComError, match=r"range is neither an attrs class.*needs encode= and decode="):
        register_xcom_type(range)
    with pytest.raises(XComError):
        register_xcom_type(range, encode=list)


def test_an_unknown_class_only_shows_and_can_be_handed_on() -> None:
    text = encode([Order("a"), Color.RED], types=KNOWN)
    order, color = decode(text)
    assert isinstance(order, XComRecord)
    assert repr(order) == "Order(name='a', lines=[], total=0)"
    assert order.fields["name"] == "a"
    assert repr(color) == "Color(value='RED')"
    assert decode(encode([order, color]), KNOWN) == [Order("a"), Color.RED]
    assert {order: 1}[order] == 1


def test_a_value_cannot_name_what_is_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    import builtins

    def no_import(name: str, *_: Any, **__: Any) -> Any:
        raise AssertionError(f"imported {name}")

    text = '{"__type__":"object","class":"os.system","fields":{"command":"x"}}'
    with monkeypatch.context() as patch:
        patch.setattr(builtins, "__import__", no_import)
        assert decode(text).type == "os.system"


def test_a_class_that_grew_a_field_gives_it_its_default() -> None:
    assert decode('{"__type__":"object","class":"Point","fields":{"x":1}}', KNOWN) == Point(1)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "nul",
        "[1",
        "1 2",
        "NaN",
        "[Infinity]",
        '{"__type__":"moon"}',
        '{"__type__":["a"]}',
        '{"__type__":"datetime","value":"x"}',
        '{"__type__":"tuple"}',
        '{"__type__":"object"}',
        '{"__type__":"dict","items":[[[],1]]}',
        '{"__type__":"dict","items":[[1]]}',
        '{"__type__":"enum","class":"Color","value":"BLUE"}',
        '{"__type__":"object","class":"Point","fields":{}}',
        '{"__type__":"set","items":[[]]}',
        "[" * 100_000,
    ],
)
def test_text_that_is_no_value_is_one_kind_of_error(text: str) -> None:
    with pytest.raises(XComError):
        decode(text, KNOWN)


@given(st.text() | st.binary().map(lambda b: b.decode("latin-1")))
def test_any_text_gives_a_value_or_that_error(text: str) -> None:
    try:
        decode(text, KNOWN)
    except XComError:
        pass


json_values = st.recursive(
    texts | numbers, lambda x: st.lists(x, max_size=3) | st.dictionaries(texts, x, max_size=3)
)
shapes = st.dictionaries(
    st.sampled_from(
        ["__type__", "value", "items", "class", "fields", "state", "microseconds", "zone", "fold"]
    ),
    st.sampled_from(
        ["datetime", "date", "tuple", "set", "dict", "object", "enum", "bytes", "uuid", "Point", "Color"]
    )
    | json_values,
)


@given(shapes)
def test_any_tagged_shape_gives_a_value_or_that_error(shape: dict[str, Any]) -> None:
    try:
        decode(json.dumps(shape), KNOWN)
    except XComError:
        pass


def test_UUIDs_compare() -> None:
    assert decode(encode(UUID(int=5))) == UUID(int=5)


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ((1, {"a": (2,)}), [1, {"a": [2]}]), ({1: "x"}, {"1": "x"}), ({3}, [3]),
        (datetime(2026, 1, 1, tzinfo=UTC), "2026-01-01T00:00:00+00:00"), ({"__type__": 1}, {"__type__": 1}), (5, 5),
    ],
)  # fmt: skip
def test_what_a_value_is_in_plain_json(value: Any, shown: Any) -> None:
    assert plain(encode(value)) == shown
