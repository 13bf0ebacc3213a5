"""Raw values between Python and WebAssembly: raw host functions, and raw calls of functions."""

from __future__ import annotations

import enum
import math
import pickle
from collections.abc import Callable
from typing import Any

import pytest

from purewasm_plugins import (
    Caller,
    Function,
    FuncType,
    Instance,
    OutOfFuel,
    RawFunction,
    Trap,
    ValType,
    WasmError,
)

Start = Callable[..., Instance]

TYPE = FuncType((ValType.I32, ValType.I64), (ValType.I32,))

MODULE = """
(module
  (import "h" "f" (func $f (param {params}) (result {result})))
  (table 1 funcref) (elem (i32.const 0) $f)
  (func (export "run") (param {params}) (result {result}) {gets} (call $f))
  (func (export "indirect") (param {params}) (result {result})
    {gets} (call_indirect (param {params}) (result {result}) (i32.const 0))))
"""


def module(params: str, result: str) -> str:
    gets = "".join(f"(local.get {index})" for index in range(len(params.split())))
    text = MODULE.format(params=params, result=result, gets=gets)
    return text.replace("(param )", "").replace("(result )", "")


def kinds(values: Any) -> list[type]:
    return [type(value) for value in values]


@pytest.mark.parametrize("export", ["run", "indirect"])
def test_arguments(start: Start, export: str) -> None:
    seen: list[tuple[Any, ...]] = []
    text = module("i32 i64 f32 f64 externref", "")
    instance = start(text, {"h": {"f": RawFunction(lambda *given: seen.append(given))}})
    for _ in range(3):
        instance.exports.function(export)(-1, -2, 0.5, 0.1, "any")
    assert seen == [(2**32 - 1, 2**64 - 2, 0.5, 0.1, "any")] * 3
    assert kinds(seen[0]) == [int, int, float, float, str]


class Number(enum.IntEnum):
    FIVE = 5


class Flag(enum.IntFlag):
    FOUR = 4


#: For each type: what a host function returns, and the border value or the error.
RESULTS: list[tuple[str, Any, Any]] = [
    ("i32", 0, 0),
    ("i32", 2**32 - 1, -1),
    ("i32", -1, -1),
    ("i32", -(2**31), -(2**31)),
    ("i32", -(2**31) - 1, ValueError),
    ("i32", 2**32, ValueError),
    ("i32", True, 1),
    ("i32", Number.FIVE, 5),
    ("i32", Flag.FOUR, 4),
    ("i32", None, TypeError),
    ("i32", 1.0, TypeError),
    ("i32", "1", TypeError),
    ("i32", (1,), TypeError),
    ("i64", 2**64 - 1, -1),
    ("i64", -(2**63), -(2**63)),
    ("i64", False, 0),
    ("i64", 2**64, ValueError),
    ("i64", None, TypeError),
    ("f32", 0.5, 0.5),
    ("f32", 1, 1.0),
    ("f32", 0.1, 0.10000000149011612),
    ("f32", 1e300, math.inf),
    ("f32", "1", TypeError),
    ("f64", 0.1, 0.1),
    ("f64", True, 1.0),
    ("f64", 10**400, ValueError),
    ("f64", None, TypeError),
    ("funcref", None, None),
    ("funcref", print, TypeError),
    ("externref", True, True),
    ("", None, None),
    ("", (), None),
    ("", 1, TypeError),
    ("i32 i64", (True, -1), (1, -1)),
    ("i32 i64", [2**32 - 1, 2**64 - 1], (-1, -1)),
    ("i32 i64", (1, None), TypeError),
    ("i32 i64", (1,), TypeError),
    ("i32 i64", None, TypeError),
]


@pytest.mark.parametrize("raw", [False, True])
@pytest.mark.parametrize(("type", "returned", "expected"), RESULTS)
def test_results(start: Start, type: str, returned: Any, expected: Any, raw: bool) -> None:
    """The same for both kinds of host functions: no result can harm an engine."""
    host: Any = lambda: returned  # noqa: E731
    instance = start(module("", type), {"h": {"f": RawFunction(host) if raw else host}})
    for name in ("run", "indirect", "run"):
        if expected in (TypeError, ValueError):
            with pytest.raises(expected):
                instance.exports.function(name)()
            continue
        result = instance.exports.function(name)()
        assert result == expected
        assert result.__class__ is expected.__class__
        if isinstance(result, tuple):
            assert kinds(result) == kinds(expected)


COMPARISONS = """
(module
  (import "h" "f" (func $f (param i32 i64) (result i32)))
  (global $last (export "last") (mut i32) (i32.const 0))
  (global $wide (export "wide") (mut i64) (i64.const 0))
  (func (export "less") (param i32 i32) (result i32)
    (i32.lt_s (local.get 0) (local.get 1)))
  (func (export "wide_less") (param i32 i32) (result i64)
    (i64.extend_i32_u (i32.lt_s (local.get 0) (local.get 1))))
  (func (export "both") (param i32 i32) (result i32 i64 i32) (local i32)
    (local.set 2 (i32.eq (local.get 0) (local.get 1)))
    (local.get 2) (i64.extend_i32_u (local.get 2)) (i32.eqz (local.get 2)))
  (func (export "tell") (param i32 i32) (result i32) (local i32)
    (local.set 2 (i32.lt_u (local.get 0) (local.get 1)))
    (global.set $last (local.get 2))
    (global.set $wide (i64.extend_i32_u (local.get 2)))
    (call $f (local.get 2) (i64.extend_i32_u (i32.eq (local.get 0) (local.get 1))))))
"""


@pytest.mark.parametrize("raw", [False, True])
def test_a_comparison_is_an_int_at_every_border(start: Start, raw: bool) -> None:
    seen: list[Any] = []

    def host(flag: int, wide: int) -> int:
        cells = (instance.exports.global_(name).value for name in ("last", "wide"))
        seen.extend((flag, wide, *cells))
        return flag

    instance = start(COMPARISONS, {"h": {"f": RawFunction(host) if raw else host}})
    exports = instance.exports
    for call in ("__call__", "call_raw"):
        results = [
            *(getattr(exports.function(name), call)(1, 2) for name in ("less", "wide_less")),
            *getattr(exports.function("both"), call)(2, 2),
            getattr(exports.function("tell"), call)(1, 2),
        ]
        assert results == [1, 1, 1, 1, 0, 1]
        assert set(kinds(results)) == {int}
    assert seen == [1, 0, 1, 1] * 2
    assert set(kinds(seen)) == {int}


def test_raw_calls(start: Start) -> None:
    exports = start(
        """(module
             (func (export "f") (param i32 i64) (result i32 i64) (local.get 0) (local.get 1))
             (func (export "none")) (func (export "trap") unreachable))"""
    ).exports
    function = exports.function("f")
    assert function.call_raw(2**32 - 1, 2**64 - 1) == (2**32 - 1, 2**64 - 1)
    assert function.call_raw(-1, True) == (2**32 - 1, 1)
    assert exports.function("none").call_raw() is None
    with pytest.raises(Trap, match="unreachable"):
        exports.function("trap").call_raw()
    for arguments, error in (((1,), TypeError), ((1, 2.0), TypeError), ((2**32, 1), ValueError)):
        with pytest.raises(error) as raised:
            function.call_raw(*arguments)
        with pytest.raises(error, match=str(raised.value).replace("(", r"\(").replace(")", r"\)")):
            function(*arguments)


BACK = """
(module
  (import "h" "f" (func $f (param i32 i64) (result i32)))
  (func (export "low") (param i64) (result i32) (i32.wrap_i64 (local.get 0)))
  (func (export "raise") (call $f (i32.const 0) (i64.const 0)) drop)
  (func (export "spin") (loop (br 0)))
  (func (export "run") (param i32 i64) (result i32) (call $f (local.get 0) (local.get 1))))
"""


def low(caller: Caller, name: int, value: int) -> int:
    result: int = caller.exports.function("low").call_raw(value)
    return result


@pytest.mark.parametrize("function", [RawFunction(low), Function(TYPE, low, raw=True)])
def test_a_raw_function_with_a_caller_calls_back_and_pickles(start: Start, function: Any) -> None:
    for given in (function, pickle.loads(pickle.dumps(function))):
        instance = start(BACK, {"h": {"f": given}})
        assert instance.exports.function("run")(0, -1) == -1
        assert instance.exports.function("run").call_raw(0, 2**40 - 1) == 2**32 - 1


def test_what_it_raises_arrives_unchanged(start: Start) -> None:
    class OwnError(Exception):
        pass

    error = OwnError()
    caught: list[BaseException] = []

    def host(caller: Caller, deep: int, _: int) -> int:
        if not deep:
            raise error
        try:
            caller.exports.function("raise").call_raw()
        except OwnError as exception:
            caught.append(exception)
            raise
        return 0

    instance = start(BACK, {"h": {"f": RawFunction(host)}})
    with pytest.raises(OwnError) as raised:
        instance.exports.function("run")(1, 0)
    assert raised.value is error
    assert caught == [error]


def test_a_caught_limit_ends_the_outer_call_too(start: Start) -> None:
    def host(caller: Caller, *_: int) -> int:
        with pytest.raises(OutOfFuel):
            caller.exports.function("spin").call_raw()
        return 0

    instance = start(BACK, {"h": {"f": RawFunction(host)}}, fuel=1000)
    with pytest.raises(OutOfFuel):
        instance.exports.function("run")(0, 0)
    assert instance.fuel_used == 1000


def test_before_and_after_an_instance() -> None:
    with pytest.raises(WasmError, match="no instance has imported it"):
        Function(TYPE, low, raw=True)(0, 1)
    assert Function(TYPE, lambda a, b: a, raw=True)(-1, 0) == -1
