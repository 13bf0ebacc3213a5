"""`Caller`: a host function with such a first parameter gets the instance that imports it."""

from __future__ import annotations

import functools
import gc
import pickle
import weakref
from collections.abc import Callable
from typing import Any

import pytest

import purewasm_plugins
from purewasm_plugins import (
    Caller,
    Function,
    FuncType,
    Instance,
    Limits,
    MemoryInUse,
    Table,
    TableType,
    Trap,
    TrapReason,
    UnknownExportError,
    ValType,
    WasmError,
    instantiate,
)
from tests.conftest import assemble

Start = Callable[..., Instance]

I32 = ValType.I32
TYPE = FuncType((I32,), (I32,))

MODULE = """
(module
  (import "h" "f" (func $host (param i32) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 8) "hello\\00")
  (func (export "run") (param i32) (result i32) (call $host (local.get 0)))
  (func (export "double") (param i32) (result i32) (i32.mul (local.get 0) (i32.const 2)))
  (func (export "grow") (result i32) (memory.grow (i32.const 1)))
  (func (export "trap") unreachable))
"""


def plain(caller: Caller, pointer: int) -> int:
    return len(caller.memory.read_string(pointer))


def quoted(caller: "Caller", pointer: int) -> int:  # noqa: UP037
    return plain(caller, pointer)


def dotted(caller: purewasm_plugins.Caller, pointer: int) -> int:
    return plain(caller, pointer)


def any_arguments(caller: Caller, *pointers: int) -> int:
    return plain(caller, *pointers)


def after_another(extra: str, caller: Caller, pointer: int) -> int:
    return plain(caller, pointer)


@functools.wraps(plain)
def wrapper(*arguments: Any) -> int:
    return plain(*arguments)


class Host:
    """Its method and its call are host functions, too."""

    def method(self, caller: Caller, pointer: int) -> int:
        return plain(caller, pointer)

    @staticmethod
    def static(caller: Caller, pointer: int) -> int:
        return plain(caller, pointer)

    def __call__(self, caller: Caller, pointer: int) -> int:
        return plain(caller, pointer)


TAKING: list[Any] = [
    plain,
    quoted,
    dotted,
    any_arguments,
    functools.partial(after_another, "extra"),
    wrapper,
    Host().method,
    Host.static,
    Host(),
]


def name_of(host: Any) -> str:
    return getattr(host, "__name__", type(host).__name__)


@pytest.mark.parametrize("host", TAKING, ids=name_of)
def test_what_takes_a_caller(start: Start, host: Any) -> None:
    for given in (host, Function(TYPE, host)):
        assert start(MODULE, {"h": {"f": given}}).exports.function("run")(8) == 5


class Another:
    """A class of another module may be called Caller as well."""

    class Caller:
        """Not ours."""


def not_annotated(pointer):  # type: ignore[no-untyped-def]
    return pointer


def another_caller(pointer: Another.Caller) -> Any:
    return pointer


def second_parameter(pointer: int, caller: Caller | None = None) -> int:
    return pointer


class Made(int):
    """A class is no function with a first parameter."""

    def __new__(cls, caller: Caller) -> Made:
        return int.__new__(cls, caller)  # type: ignore[call-overload, no-any-return]


NOT_TAKING: list[Any] = [
    not_annotated,
    another_caller,
    second_parameter,
    abs,
    Made,
    lambda value: value,
    (8).__add__,
]


@pytest.mark.parametrize("host", NOT_TAKING, ids=name_of)
def test_what_does_not(start: Start, host: Any) -> None:
    assert start(MODULE, {"h": {"f": host}}).exports.function("run")(8) in (8, 16)


def test_a_local_name(start: Start) -> None:
    from purewasm_plugins import Caller as Caller

    def host(caller: Caller, pointer: int) -> int:
        return plain(caller, pointer)

    assert start(MODULE, {"h": {"f": host}}).exports.function("run")(8) == 5


def test_what_it_gives(start: Start) -> None:
    seen: list[Caller] = []

    def host(caller: Caller, value: int) -> int:
        seen.append(caller)
        assert caller.exports.function("double")(value) == 2 * value
        assert caller.memory is caller.exports.memory()
        return value

    instance = start(MODULE, {"h": {"f": host}})
    assert instance.exports.function("run")(21) == 21
    assert seen[0].instance is instance
    assert seen[0].exports is instance.exports
    assert "Caller" in repr(seen[0])


def test_each_instance_gets_its_own(start: Start) -> None:
    """Also of one `Function`, and of one that an instance passes on."""
    seen: list[Instance] = []

    def host(caller: Caller, value: int) -> int:
        seen.append(caller.instance)
        return value

    function = Function(TYPE, host, name="host")
    first = start(MODULE, {"h": {"f": function}})
    second = start(MODULE, {"h": {"f": function}})
    passed_on = start(
        '(module (import "h" "f" (func (param i32) (result i32))) (export "f" (func 0)))',
        {"h": {"f": function}},
    )
    third = start(MODULE, {"h": {"f": passed_on.exports["f"]}})
    for instance in (first, second, third, first):
        instance.exports.function("run")(1)
        assert seen.pop() is instance
    with pytest.raises(WasmError, match="takes a Caller, and no instance has imported it"):
        function(1)


def test_a_function_that_the_host_puts_into_a_table(start: Start) -> None:
    """The instance that calls it is its caller."""
    seen: list[Instance] = []

    def host(caller: Caller, value: int) -> int:
        seen.append(caller.instance)
        return value

    table = Table(TableType(ValType.FUNCREF, Limits(1)), Function(TYPE, host))
    text = """(module (import "t" "t" (table 1 funcref))
                (func (export "run") (param i32) (result i32)
                  (call_indirect (param i32) (result i32) (local.get 0) (i32.const 0))))"""
    instances = [start(text, {"t": {"t": table}}) for _ in range(2)]
    for instance in (*instances, *instances):
        assert instance.exports.function("run")(7) == 7
        assert seen.pop() is instance


def test_while_the_instance_is_made(start: Start) -> None:
    seen: list[str] = []

    def log(caller: Caller, pointer: int) -> None:
        seen.append(caller.memory.read_string(pointer))
        assert list(caller.exports) == ["memory"]

    start(
        """(module (import "h" "log" (func $log (param i32)))
             (memory (export "memory") 1) (data (i32.const 8) "early\\00")
             (func $start (call $log (i32.const 8))) (start $start))""",
        {"h": {"log": log}},
    )
    assert seen == ["early"]


def test_a_memory_that_is_not_exported(start: Start) -> None:
    module = """(module (import "h" "f" (func $host (result i32))) {memory}
                  (func (export "run") (result i32) (call $host)))"""

    def pages(caller: Caller) -> int:
        return caller.memory.pages

    hidden = start(module.format(memory="(memory 3)"), {"h": {"f": pages}})
    assert hidden.exports.function("run")() == 3
    none = start(module.format(memory=""), {"h": {"f": pages}})
    with pytest.raises(UnknownExportError, match="memory"):
        none.exports.function("run")()


def test_hazards(start: Start) -> None:
    """What the documentation warns of: a trap of a call back, and growth while a view is held."""

    def call_back(caller: Caller, value: int) -> int:
        caller.exports.function("trap")()
        return value

    with pytest.raises(Trap) as raised:
        start(MODULE, {"h": {"f": call_back}}).exports.function("run")(1)
    assert raised.value.reason is TrapReason.UNREACHABLE
    assert [frame.name for frame in raised.value.frames] == ["trap", "run"]

    def grow(caller: Caller, value: int) -> int:
        with caller.memory.view(8, 5):
            caller.exports.function("grow")()
        return value

    instance = start(MODULE, {"h": {"f": grow}})
    with pytest.raises(MemoryInUse) as in_use:
        instance.exports.function("run")(1)
    assert [frame.name for frame in in_use.value.frames] == ["grow", "run"]
    assert instance.exports.function("grow")() == 1


def test_an_instance_is_collected(engine: str) -> None:
    instance = instantiate(assemble(MODULE), {"h": {"f": plain}}, engine=engine)
    assert instance.exports.function("run")(8) == 5
    gone = weakref.ref(instance)
    del instance
    gc.collect()
    assert gone() is None


def test_a_function_pickles_where_its_callable_does() -> None:
    function = pickle.loads(pickle.dumps(Function(TYPE, plain, name="plain")))
    assert (function.type, function.host, function.name) == (TYPE, plain, "plain")
    assert function.takes_caller
    assert pickle.loads(pickle.dumps(Function(TYPE, abs)))(-5) == 5
    defined = instantiate(assemble(MODULE), {"h": {"f": plain}}).exports.function("double")
    with pytest.raises(TypeError, match="belongs to an instance"):
        pickle.dumps(defined)
