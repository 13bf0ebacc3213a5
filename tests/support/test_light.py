"""The stand-ins for slow modules behave as what they stand in for."""

from __future__ import annotations

import collections
import copy
import enum
import functools
import json
import pickle
import types
import typing
from collections.abc import Callable
from typing import Any

import pytest

from purewasm_plugins.support import light
from purewasm_plugins.wasm import Span
from purewasm_plugins.wasm.binary.instructions import Instruction


class Colour(light.Enum):
    """A colour."""

    RED = "red"
    GREEN = "green"

    @property
    def is_red(self) -> bool:
        """Whether it is red."""
        return self is Colour.RED


class Shouting(light.Enum):
    LOW = 1
    HIGH = (2, 3)

    def __str__(self) -> str:
        return self.name.lower()


class Number(light.IntEnum):
    """A number."""

    ONE = 1
    TWO = 2


class Code(light.IntEnum):
    A = 0x7F
    B = 0

    def __str__(self) -> str:
        return self.name.lower()


def made_by(base: Any, name: str, **members: Any) -> Any:
    return base(name, members)


#: Each enumeration, and the same by the module `enum`.
PAIRS: list[tuple[Any, Any]] = [
    (Colour, made_by(enum.Enum, "Colour", RED="red", GREEN="green")),
    (Shouting, made_by(enum.Enum, "Shouting", LOW=1, HIGH=(2, 3))),
    (Number, made_by(enum.IntEnum, "Number", ONE=1, TWO=2)),
    (Code, made_by(enum.IntEnum, "Code", A=0x7F, B=0)),
]
for _pair in PAIRS:
    if "__str__" in vars(_pair[0]):
        _pair[1].__str__ = _pair[0].__str__


def second(member: Any) -> Any:
    """Return the second member of a member's enumeration."""
    kind: Any = type(member)
    return [*kind][1]


#: What can be asked of a class, and of its first member.
OF_CLASS: list[Callable[[Any], Any]] = [
    repr,
    len,
    bool,
    lambda cls: [member.name for member in cls],
    lambda cls: [member.name for member in reversed(cls)],
    lambda cls: [*cls.__members__],
    lambda cls: [cls(member.value).name for member in cls],
    lambda cls: [cls[member.name].name for member in cls],
    lambda cls: cls(next(iter(cls))).name,
    lambda cls: all(member in cls for member in cls),
    lambda cls: cls("none"),
    lambda cls: cls([1]),
    lambda cls: cls["none"],
    lambda cls: cls.NONE,
    lambda cls: setattr(cls, next(iter(cls)).name, 1),
    lambda cls: delattr(cls, next(iter(cls)).name),
    lambda cls: types.new_class("Sub", (cls,)),
]
OF_MEMBER: list[Callable[[Any], Any]] = [
    repr,
    str,
    format,
    bool,
    lambda member: f"{member}",
    lambda member: f"{member!s:>10}",
    lambda member: f"{member:>10}",
    lambda member: "%s" % member,  # noqa: UP031
    lambda member: member.name,
    lambda member: member.value,
    lambda member: isinstance(member, int),
    lambda member: member == member.value,
    lambda member: member == second(member),
    lambda member: member != second(member),
    lambda member: member < second(member),
    lambda member: member + 1,
    lambda member: {member: 1}[member],
    lambda member: hash(member) == hash(member.value),
    lambda member: json.dumps(member),
    lambda member: copy.copy(member) is member,
    lambda member: copy.deepcopy(member) is member,
    lambda member: setattr(member, "name", 1),
    lambda member: setattr(member, "value", 1),
]


def outcome(ask: Callable[[Any], Any], of: Any) -> tuple[type, str]:
    """Return the type and the text of an answer, or the type of the exception."""
    try:
        found = ask(of)
    except Exception as error:
        return type(error), ""
    return type(found), repr(found)


@pytest.mark.parametrize(("ours", "theirs"), PAIRS)
def test_enumerations(ours: Any, theirs: Any) -> None:
    for number, ask in enumerate(OF_CLASS):
        assert outcome(ask, ours) == outcome(ask, theirs), number
    for number, ask in enumerate(OF_MEMBER):
        for mine, other in zip(ours, theirs, strict=True):
            assert outcome(ask, mine) == outcome(ask, other), number


@pytest.mark.parametrize("member", [Colour.RED, Shouting.HIGH, Number.ONE, Code.B])
def test_members_are_pickled_by_value(member: Any) -> None:
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        assert pickle.loads(pickle.dumps(member, protocol)) is member


def test_methods_and_patterns() -> None:
    assert Colour.RED.is_red
    assert not Colour.GREEN.is_red
    assert Colour.__doc__ == "A colour."
    match Colour("green"):
        case Colour.RED:
            pytest.fail("it is green")
        case Colour.GREEN:
            pass


def test_two_members_of_one_value() -> None:
    base: Any = light.Enum
    with pytest.raises(ValueError, match="the same value"):
        type(base)("Twice", (base,), {"A": 1, "B": 1})


def test_cached_functions() -> None:
    calls: list[int] = []

    @light.cache
    def double(number: int) -> int:
        calls.append(number)
        return 2 * number

    @light.once
    def ten() -> int:
        return double(5)

    assert [double(2), double(2), double(3), ten(), ten()] == [4, 4, 6, 10, 10]
    assert calls == [2, 3, 5]


def test_bounded_caches() -> None:
    calls: list[tuple[int, int]] = []

    @light.lru_cache(2)
    def add(a: int, b: int) -> int:
        calls.append((a, b))
        return a + b

    assert [add(1, 2), add(1, 2), add(2, 2), add(1, 2), add(3, 3)] == [3, 3, 4, 3, 6]
    assert calls == [(1, 2), (2, 2), (3, 3)]
    assert add(1, 2) == 3
    assert calls == [(1, 2), (2, 2), (3, 3), (1, 2)]


@pytest.mark.parametrize("decorator", [light.cached_property, functools.cached_property])
def test_cached_properties(decorator: Any) -> None:
    class Thing:
        calls = 0

        @decorator  # type: ignore[untyped-decorator]
        def answer(self) -> int:
            """Return it."""
            self.calls += 1
            return 42

    thing = Thing()
    assert (thing.answer, thing.answer, thing.calls) == (42, 42, 1)
    assert Thing.__dict__["answer"].__doc__ == "Return it."
    assert isinstance(Thing.answer, decorator)
    assert Thing().calls == 0


def test_named_tuples() -> None:
    span = Span(1, 3)
    start, end = span
    assert (start, end, span.start, span.end) == (1, 3, 1, 3)
    assert Span._fields == ("start", "end")
    assert repr(span) == "Span(start=1, end=3)"
    assert pickle.loads(pickle.dumps(span)) == span
    assert type(pickle.loads(pickle.dumps(span))) is Span
    assert Instruction.__doc__ is not None
    assert Instruction.__doc__.startswith("An instruction")
    assert Instruction.__match_args__ == ("offset", "opcode", "immediates")

    class WithDefault(light.NamedTuple):
        first: int
        second: str = "b"

        def both(self) -> str:
            return f"{self.first}{self.second}"

    assert WithDefault(1).both() == "1b"
    assert WithDefault(1)._replace(second="c") == (1, "c")


class Point(light.NamedTuple):
    """A point."""

    x: int
    y: int = 0


Theirs = collections.namedtuple("Theirs", "x y", defaults=[0])

OF_TUPLE: list[Callable[[Any], Any]] = [
    lambda cls: tuple(cls(1)),
    lambda cls: tuple(cls(1, y=2)),
    lambda cls: cls(),
    lambda cls: cls(1, 2, 3),
    lambda cls: cls(1, z=3),
    lambda cls: cls(1).y,
    lambda cls: cls(1)._asdict(),
    lambda cls: tuple(cls(1)._replace(y=7)),
    lambda cls: tuple(cls._make([1, 2])),
    lambda cls: cls._fields,
    lambda cls: cls._field_defaults,
    lambda cls: cls.__match_args__,
    lambda cls: cls(1) == (1, 0),
    lambda cls: hash(cls(1)) == hash((1, 0)),
    lambda cls: setattr(cls(1), "x", 2),
    lambda cls: setattr(cls(1), "z", 2),
]


def test_named_tuples_like_those_of_collections() -> None:
    for number, ask in enumerate(OF_TUPLE):
        assert outcome(ask, Point) == outcome(ask, Theirs), number
    assert repr(Point(1)) == "Point(x=1, y=0)"
    assert typing.get_type_hints(Point) == {"x": int, "y": int}
