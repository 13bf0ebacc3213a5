"""Imports: accepted and refused values, and instances that share definitions."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest

from purewasm_plugins import (
    Function,
    Global,
    Instance,
    LinkError,
    Memory,
    OutOfFuel,
    ResourceLimits,
    Table,
    Trap,
    TrapReason,
    UnknownEngineError,
    instantiate,
)
from purewasm_plugins.wasm import load
from purewasm_plugins.wasm.types import FuncType, GlobalType, Limits, MemoryType, TableType, ValType
from tests.conftest import label

Start = Callable[..., Instance]
Wat = Callable[[str], bytes]

I32 = ValType.I32


def memory(minimum: int, maximum: int | None = None) -> Memory:
    return Memory(MemoryType(Limits(minimum, maximum)))


def table(minimum: int, maximum: int | None = None, type: ValType = ValType.FUNCREF) -> Table:
    return Table(TableType(type, Limits(minimum, maximum)))


def function(params: int, results: int) -> Function:
    return Function(FuncType((I32,) * params, (I32,) * results), lambda *_: 0 if results else None)


FITS: list[tuple[str, Any]] = [
    ("(func)", lambda: None),
    ("(func)", function(0, 0)),
    ("(func (param i32) (result i32))", function(1, 1)),
    ("(func (param f64))", print),
    ("(memory 1)", memory(1)),
    ("(memory 1)", memory(2, 3)),
    ("(memory 1 3)", memory(1, 3)),
    ("(memory 1 3)", memory(2, 2)),
    ("(memory 0)", memory(0)),
    ("(table 1 funcref)", table(1)),
    ("(table 1 5 funcref)", table(2, 5)),
    ("(table 0 externref)", table(0, None, ValType.EXTERNREF)),
    ("(global i32)", Global(GlobalType(I32), 5)),
    ("(global (mut i32))", Global(GlobalType(I32, True), 5)),
    ("(global externref)", Global(GlobalType(ValType.EXTERNREF), "x")),
]


@pytest.mark.parametrize(("declared", "given"), FITS, ids=label)
def test_import_that_fits(start: Start, declared: str, given: Any) -> None:
    kind = declared.split()[0].strip("()")
    instance = start(
        f'(module (import "env" "x" {declared}) (export "y" ({kind} 0)))', {"env": {"x": given}}
    )
    if not callable(given) or isinstance(given, Function):
        assert instance.exports["y"] is given
    else:
        assert isinstance(instance.exports["y"], Function)


REFUSED: list[tuple[str, Any]] = [
    ("(func)", None),
    ("(func)", 5),
    ("(func)", function(1, 0)),
    ("(func)", function(0, 1)),
    ("(func (param i32))", Function(FuncType((ValType.I64,), ()), print)),
    ("(func)", memory(1)),
    ("(func)", Global(GlobalType(I32))),
    ("(memory 1)", memory(0)),
    ("(memory 2)", memory(1)),
    ("(memory 1 3)", memory(1)),
    ("(memory 1 3)", memory(1, 4)),
    ("(memory 1)", table(1)),
    ("(memory 1)", lambda: None),
    ("(memory 1)", bytearray(65536)),
    ("(table 2 funcref)", table(1)),
    ("(table 1 2 funcref)", table(1)),
    ("(table 1 2 funcref)", table(1, 3)),
    ("(table 1 externref)", table(1)),
    ("(table 1 funcref)", memory(1)),
    ("(global i32)", Global(GlobalType(I32, True))),
    ("(global (mut i32))", Global(GlobalType(I32))),
    ("(global i32)", Global(GlobalType(ValType.I64))),
    ("(global i32)", 5),
    ("(global i32)", lambda: 5),
]


@pytest.mark.parametrize(("declared", "given"), REFUSED, ids=label)
def test_import_that_does_not_fit(start: Start, declared: str, given: Any) -> None:
    module = f'(module (import "some module" "a name" {declared}))'
    with pytest.raises(LinkError) as raised:
        start(module, {"some module": {"a name": given}})
    error = raised.value
    assert (error.module, error.name) == ("some module", "a name")
    assert "incompatible import type" in error.details
    assert "'some module'" in str(error)
    assert "'a name'" in str(error)


@pytest.mark.parametrize(
    "imports", [None, {}, {"env": {}}, {"env": {"y": print}}, {"other": {"x": print}}]
)
def test_missing_import(start: Start, imports: Any) -> None:
    with pytest.raises(LinkError) as raised:
        start('(module (import "env" "x" (func)))', imports)
    error = raised.value
    assert (error.module, error.name, error.details) == ("env", "x", "unknown import")


def test_the_size_that_counts_is_the_size_now(start: Start) -> None:
    grown = memory(1, 3)
    grown.grow(1)
    start('(module (import "e" "m" (memory 2 3)))', {"e": {"m": grown}})
    entries = table(1, 4)
    entries.grow(2)
    start('(module (import "e" "t" (table 3 4 funcref)))', {"e": {"t": entries}})


def test_a_refused_import_changes_nothing(start: Start) -> None:
    """Everything is checked before a segment is written."""
    given = memory(1)
    with pytest.raises(LinkError):
        start(
            """(module (import "e" "m" (memory 1)) (import "e" "missing" (func))
                 (data (i32.const 0) "written"))""",
            {"e": {"m": given}},
        )
    assert given.read(0, 7) == bytes(7)


def test_what_a_failed_instance_wrote_stays(start: Start) -> None:
    """Core specification, 4.5.4: segments before the one that traps are not undone."""
    given, entries = memory(1), table(2)
    with pytest.raises(Trap):
        start(
            """(module (import "e" "m" (memory 1)) (import "e" "t" (table 2 funcref))
                 (func $f (result i32) (i32.const 42))
                 (elem (i32.const 1) $f)
                 (data (i32.const 0) "stays")
                 (data (i32.const 65535) "too far"))""",
            {"e": {"m": given, "t": entries}},
        )
    assert given.read(0, 5) == b"stays"
    assert entries.get(1)() == 42


EMPTY = b"\0asm\1\0\0\0"


def test_a_misspelt_import_lists_what_was_given(start: Start) -> None:
    module = '(module (import "env" "lgo" (func)))'
    with pytest.raises(LinkError) as raised:
        start(module, {"env": {"log": print, "abort": print}, "math": {"sin": print}})
    assert raised.value.available == ("env.log", "env.abort", "math.sin")
    assert "'env.log'" in str(raised.value)
    with pytest.raises(LinkError) as raised:
        start(module, {"host": {"print": print}})
    assert "host.print" in str(raised.value)


def test_unknown_engine() -> None:
    with pytest.raises(UnknownEngineError, match="there is no engine 'pywsam'") as raised:
        instantiate(EMPTY, engine="pywsam")
    assert raised.value.available == ("translator", "pywasm")
    with pytest.raises(TypeError, match="expected an engine or its name, got int"):
        instantiate(EMPTY, engine=5)  # type: ignore[arg-type]


def test_an_engine_that_cannot_run_here() -> None:
    """The test runs in a new process: this one has imported pywasm."""
    script = """
import sys
sys.modules["pywasm"] = None
from purewasm_plugins import UnknownEngineError, instantiate
instantiate(b"\\0asm\\1\\0\\0\\0")
try:
    instantiate(b"\\0asm\\1\\0\\0\\0", engine="pywasm")
except UnknownEngineError as error:
    print(error, error.available)
import purewasm_plugins.debugger
for engine in (purewasm_plugins.debugger.DebugEngine, purewasm_plugins.debugger.CoverageEngine):
    try:
        engine()
    except UnknownEngineError as error:
        print(error)
"""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith("the engine 'pywasm' cannot run here: the package pywasm is not")
    first, *others = done.stdout.splitlines()
    assert "pip install" in first
    assert first.endswith("('translator', 'pywasm')")
    assert [other in first for other in others] == [True, True]


@pytest.mark.parametrize("given", ["text", None, 5, ["\0asm"]])
def test_what_is_no_module(engine: str, given: Any) -> None:
    with pytest.raises(TypeError, match="expected the bytes of a module"):
        instantiate(given, engine=engine)


def test_what_is_a_module(engine: str, wat: Wat) -> None:
    data = wat('(module (func (export "f") (result i32) (i32.const 3)))')
    valid = load(data)
    of_all_kinds: tuple[Any, ...] = (data, bytearray(data), memoryview(data), valid, valid.module)
    for given in of_all_kinds:
        assert instantiate(given, engine=engine).exports.function("f")() == 3


# Two instances, each on any engine.

PROVIDER = """
(module
  (memory (export "memory") 1 4)
  (table (export "table") 4 8 funcref)
  (global $counter (export "counter") (mut i64) (i64.const 1))
  (global (export "constant") f64 (f64.const 0.25))
  (func $twice (export "twice") (param i32) (result i32)
    (i32.mul (local.get 0) (i32.const 2)))
  (elem (i32.const 0) $twice)
  (func (export "size") (result i32) (memory.size))
  (func (export "count") (result i64)
    (global.set $counter (i64.add (global.get $counter) (i64.const 1)))
    (global.get $counter))
  (func (export "load") (param i32) (result i32) (i32.load8_u (local.get 0)))
  (func (export "trap") unreachable)
  (func (export "call") (param i32 i32) (result i32)
    (call_indirect (param i32) (result i32) (local.get 1) (local.get 0)))
  (func (export "spin") (loop (br 0))))
"""

CONSUMER = """
(module
  (import "p" "memory" (memory 1 4))
  (import "p" "table" (table 4 8 funcref))
  (import "p" "counter" (global $counter (mut i64)))
  (import "p" "constant" (global $constant f64))
  (import "p" "twice" (func $twice (param i32) (result i32)))
  (import "p" "count" (func $count (result i64)))
  (import "p" "trap" (func $trap))
  (import "p" "spin" (func $spin))
  (global (export "copied") f64 (global.get $constant))
  (func $thrice (param i32) (result i32) (i32.mul (local.get 0) (i32.const 3)))
  (elem (i32.const 1) $thrice)
  (data (i32.const 10) "*")
  (func (export "four_times") (param i32) (result i32) (call $twice (call $twice (local.get 0))))
  (func (export "grow") (result i32) (memory.grow (i32.const 1)))
  (func (export "add") (result i64)
    (global.set $counter (i64.add (global.get $counter) (i64.const 100)))
    (drop (call $count))
    (global.get $counter))
  (func (export "call") (param i32 i32) (result i32)
    (call_indirect (param i32) (result i32) (local.get 1) (local.get 0)))
  (func (export "store") (param i32 i32) (i32.store8 (local.get 0) (local.get 1)))
  (func (export "trap") (call $trap))
  (func (export "spin") (call $spin)))
"""


class Two:
    """A provider and a consumer, linked."""

    def __init__(self, wat: Wat, engine: str, other_engine: str, **limits: Any) -> None:
        self.provider = instantiate(
            wat(PROVIDER), engine=other_engine, limits=ResourceLimits(**limits)
        )
        self.consumer = instantiate(wat(CONSUMER), {"p": self.provider.exports}, engine=engine)

    def provide(self, name: str, *arguments: Any) -> Any:
        return self.provider.exports.function(name)(*arguments)

    def consume(self, name: str, *arguments: Any) -> Any:
        return self.consumer.exports.function(name)(*arguments)


def test_shared_functions(wat: Wat, engine: str, other_engine: str) -> None:
    assert Two(wat, engine, other_engine).consume("four_times", 5) == 20


def test_shared_memory(wat: Wat, engine: str, other_engine: str) -> None:
    two = Two(wat, engine, other_engine)
    assert two.provide("load", 10) == ord("*")
    two.consume("store", 11, 77)
    assert two.provide("load", 11) == 77
    assert two.consume("grow") == 1
    assert two.provide("size") == 2
    two.consume("store", 131071, 5)
    assert two.provide("load", 131071) == 5
    assert two.provider.exports.memory().grow(1) == 2
    assert two.consume("grow") == 3
    assert two.consume("grow") == -1
    assert two.provide("size") == 4


def test_shared_globals(wat: Wat, engine: str, other_engine: str) -> None:
    two = Two(wat, engine, other_engine)
    counter = two.provider.exports.global_("counter")
    assert two.consume("add") == 102
    assert two.provide("count") == 103
    assert counter.value == 103
    counter.value = -5
    assert two.provide("count") == -4
    assert two.consume("add") == 97
    assert two.consumer.exports.global_("copied").value == 0.25


def test_shared_table(wat: Wat, engine: str, other_engine: str) -> None:
    two = Two(wat, engine, other_engine)
    for caller in (two.provide, two.consume):
        assert caller("call", 0, 7) == 14
        assert caller("call", 1, 7) == 21
    two.provider.exports.table("table").set(
        2, Function(FuncType((I32,), (I32,)), lambda value: value + 1)
    )
    for caller in (two.provide, two.consume):
        assert caller("call", 2, 7) == 8
    assert two.provider.exports.table("table").grow(1, two.consumer.exports["four_times"]) == 4
    assert two.provide("call", 4, 7) == 28


def test_a_trap_in_the_other_instance(wat: Wat, engine: str, other_engine: str) -> None:
    two = Two(wat, engine, other_engine)
    for _ in range(2):
        with pytest.raises(Trap) as raised:
            two.consume("trap")
        assert raised.value.reason is TrapReason.UNREACHABLE
        names = [frame.name for frame in raised.value.frames]
        assert names == ["trap", "trap"]
        assert raised.value.frames[0].instruction == "unreachable"
        assert raised.value.frames[1].instruction is None
        assert two.consume("four_times", 5) == 20
        assert two.provide("twice", 5) == 10


def test_each_instance_has_a_budget_of_its_own(wat: Wat, engine: str, other_engine: str) -> None:
    two = Two(wat, engine, other_engine, fuel=50)
    with pytest.raises(OutOfFuel):
        two.consume("spin")
    assert two.provider.fuel_used == 50
    assert two.consumer.fuel_used == 1
    assert two.consume("four_times", 5) == 20


def test_an_exception_crosses_both(wat: Wat, engine: str, other_engine: str) -> None:
    error = ZeroDivisionError("mine")

    def host(value: int) -> int:
        raise error

    two = Two(wat, engine, other_engine)
    two.provider.exports.table("table").set(3, Function(FuncType((I32,), (I32,)), host))
    outer = instantiate(
        wat("""(module (import "c" "call" (func $call (param i32 i32) (result i32)))
                 (func (export "run") (result i32) (call $call (i32.const 3) (i32.const 1))))"""),
        {"c": {"call": two.provider.exports["call"]}},
        engine=engine,
    )
    with pytest.raises(ZeroDivisionError) as raised:
        outer.exports.function("run")()
    assert raised.value is error
    assert two.provide("call", 0, 1) == 2


def test_endless_recursion_between_two_instances(wat: Wat, engine: str, other_engine: str) -> None:
    shared = table(2)
    module = """(module (import "e" "t" (table 2 funcref))
      (func $f (export "run") (result i32)
        (i32.add (i32.const 1) (call_indirect (result i32) (i32.const {other}))))
      (func (export "fine") (result i32) (i32.const 7))
      (elem (i32.const {own}) $f))"""
    first = instantiate(wat(module.format(own=0, other=1)), {"e": {"t": shared}}, engine=engine)
    second = instantiate(
        wat(module.format(own=1, other=0)), {"e": {"t": shared}}, engine=other_engine
    )
    for _ in range(2):
        for instance in (first, second):
            with pytest.raises(Trap) as raised:
                instance.exports.function("run")()
            assert raised.value.reason is TrapReason.CALL_STACK_EXHAUSTED
            assert len(raised.value.frames) > 20
            assert instance.exports.function("fine")() == 7


def test_a_tail_of_many_instances(wat: Wat, engine: str, other_engine: str) -> None:
    """Each imports the one before: calls nest through all of them."""
    module = """(module (import "p" "f" (func $f (param i32) (result i32)))
      (func (export "f") (param i32) (result i32)
        (i32.add (i32.const 1) (call $f (local.get 0)))))"""
    export: Any = lambda value: value  # noqa: E731
    for number in range(20):
        name = engine if number % 2 else other_engine
        export = instantiate(wat(module), {"p": {"f": export}}, engine=name).exports["f"]
    assert export(100) == 120
