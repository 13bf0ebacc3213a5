"""Calls of functions: arguments, results, and calls back by host functions."""

from __future__ import annotations

import math
import struct
from collections.abc import Callable
from typing import Any

import pytest

from purewasm_plugins import Function, Instance, Trap, TrapReason
from purewasm_plugins.wasm.types import FuncType, ValType

Start = Callable[..., Instance]

IDENTITIES = """
(module
  (func (export "i32") (param i32) (result i32) local.get 0)
  (func (export "i64") (param i64) (result i64) local.get 0)
  (func (export "f32") (param f32) (result f32) local.get 0)
  (func (export "f64") (param f64) (result f64) local.get 0)
  (func (export "v128") (param v128) (result v128) local.get 0)
  (func (export "funcref") (param funcref) (result funcref) local.get 0)
  (func (export "externref") (param externref) (result externref) local.get 0)
  (func (export "none"))
  (func (export "pair") (param i32 f64) (result f64 i32) local.get 1 local.get 0)
  (func (export "three") (result i32 i64 i32) i32.const -1 i64.const -2 i32.const 3))
"""

PAYLOAD = object()

ROUND_TRIPS: list[tuple[str, Any, Any]] = [
    ("i32", 0, 0),
    ("i32", -1, -1),
    ("i32", 2**31 - 1, 2**31 - 1),
    ("i32", -(2**31), -(2**31)),
    ("i32", 2**32 - 1, -1),
    ("i32", 2**31, -(2**31)),
    ("i32", True, 1),
    ("i64", 2**64 - 1, -1),
    ("i64", -(2**63), -(2**63)),
    ("i64", 2**63 - 1, 2**63 - 1),
    ("f32", 0.5, 0.5),
    ("f32", 0.1, struct.unpack("<f", struct.pack("<f", 0.1))[0]),
    ("f32", 1e39, math.inf),
    ("f32", -math.inf, -math.inf),
    ("f32", 1, 1.0),
    ("f64", 0.1, 0.1),
    ("f64", 2, 2.0),
    ("f64", 5e-324, 5e-324),
    ("v128", bytes(range(16)), bytes(range(16))),
    ("v128", bytearray(b"\xff" * 16), b"\xff" * 16),
    ("externref", None, None),
    ("externref", PAYLOAD, PAYLOAD),
    ("externref", 7, 7),
    ("funcref", None, None),
]


@pytest.mark.parametrize(("name", "given", "expected"), ROUND_TRIPS)
def test_round_trip(start: Start, name: str, given: Any, expected: Any) -> None:
    result = start(IDENTITIES).exports.function(name)(given)
    assert result == expected
    assert type(result) is type(expected)
    if name == "externref":
        assert result is expected


@pytest.mark.parametrize(
    ("name", "bits"),
    [
        ("f64", 0x8000000000000000),
        ("f64", 0x7FF8000000000000),
        ("f64", 0xFFF8000000000000),
        ("f64", 0x7FF800000000ABCD),
        ("f64", 0xFFF4000000000001),
        ("f32", 0x8000000000000000),
        ("f32", 0x7FF8000000000000),
        ("f32", 0x7FFA000000000000),
        ("f32", 0xFFF8000020000000),
        ("f32", 0x7FF0000020000000),
    ],
)
def test_bits_of_zero_and_nan_survive(start: Start, name: str, bits: int) -> None:
    """The sign of a zero; the sign, the payload and the quiet bit of a NaN."""
    (given,) = struct.unpack("<d", struct.pack("<Q", bits))
    result = start(IDENTITIES).exports.function(name)(given)
    assert struct.pack("<d", result) == struct.pack("<Q", bits)


def test_functions_are_values(start: Start) -> None:
    exports = start(IDENTITIES).exports
    assert exports.function("funcref")(exports["i32"]) is exports["i32"]
    host = Function(FuncType((), ()), lambda: None)
    assert exports.function("funcref")(host) is host


def test_results(start: Start) -> None:
    exports = start(IDENTITIES).exports
    assert exports.function("none")() is None
    assert exports.function("pair")(1, 2.5) == (2.5, 1)
    assert exports.function("three")() == (-1, -2, 3)


def test_type(start: Start) -> None:
    pair = start(IDENTITIES).exports["pair"]
    assert isinstance(pair, Function)
    assert pair.type == FuncType((ValType.I32, ValType.F64), (ValType.F64, ValType.I32))
    assert "pair" in repr(pair)


@pytest.mark.parametrize(
    ("name", "arguments", "error"),
    [
        ("i32", (), TypeError),
        ("i32", (1, 2), TypeError),
        ("none", (0,), TypeError),
        ("i32", ("1",), TypeError),
        ("i32", (None,), TypeError),
        ("i32", (1.0,), TypeError),
        ("i32", (2**32,), ValueError),
        ("i32", (-(2**31) - 1,), ValueError),
        ("i64", (2**64,), ValueError),
        ("i64", (-(2**63) - 1,), ValueError),
        ("f32", ("1",), TypeError),
        ("f64", (None,), TypeError),
        ("f64", (10**400,), ValueError),
        ("v128", (b"short",), ValueError),
        ("v128", ([0] * 16,), TypeError),
        ("funcref", (print,), TypeError),
        ("pair", (1,), TypeError),
        ("pair", (1.5, 1), TypeError),
    ],
)
def test_wrong_arguments(
    start: Start, name: str, arguments: tuple[Any, ...], error: type[Exception]
) -> None:
    exports = start(IDENTITIES).exports
    with pytest.raises(error):
        exports.function(name)(*arguments)
    assert exports.function("i32")(5) == 5


def test_exports_are_a_mapping(start: Start) -> None:
    exports = start(IDENTITIES).exports
    assert list(exports)[:3] == ["i32", "i64", "f32"]
    assert len(exports) == 10
    assert "i32" in exports
    assert exports.get("missing") is None
    with pytest.raises(KeyError):
        exports["missing"]


CALLER = """
(module
  (import "host" "f" (func $f (param i32 i64 f32 f64 externref) (result {result})))
  (global $calls (mut i32) (i32.const 0))
  (func (export "run") (param externref) (result {result})
    (global.set $calls (i32.add (global.get $calls) (i32.const 1)))
    (block (loop
      (return (call $f (i32.const -1) (i64.const -2) (f32.const 0.5) (f64.const 0.1)
        (local.get 0)))))
    unreachable)
  (func (export "calls") (result i32) (global.get $calls)))
"""


def test_host_function_gets_border_values(start: Start) -> None:
    seen: list[tuple[Any, ...]] = []

    def host(*arguments: Any) -> int:
        seen.append(arguments)
        return 2**32 - 1

    instance = start(CALLER.format(result="i32"), {"host": {"f": host}})
    assert instance.exports.function("run")(PAYLOAD) == -1
    assert seen == [(-1, -2, 0.5, 0.1, PAYLOAD)]
    assert [type(value) for value in seen[0][:4]] == [int, int, float, float]


@pytest.mark.parametrize(
    ("result", "returned", "error"),
    [
        ("", 1, TypeError),
        ("", (1,), TypeError),
        ("i32", None, TypeError),
        ("i32", "1", TypeError),
        ("i32", 1.0, TypeError),
        ("i32", (1,), TypeError),
        ("i32", 2**32, ValueError),
        ("f64", "x", TypeError),
        ("funcref", print, TypeError),
        ("i32 i32", None, TypeError),
        ("i32 i32", 1, TypeError),
        ("i32 i32", (1,), TypeError),
        ("i32 i32", (1, 2, 3), TypeError),
        ("i32 i32", (1, "2"), TypeError),
    ],
)
def test_host_function_returns_nonsense(
    start: Start, result: str, returned: Any, error: type[Exception]
) -> None:
    answer: list[Any] = [returned]
    module = CALLER.format(result=result).replace("(result )", "")
    instance = start(module, {"host": {"f": lambda *_: answer[0]}})
    with pytest.raises(error):
        instance.exports.function("run")(None)
    assert instance.exports.function("calls")() == 1
    answer[0] = {"": None, "i32": 5, "f64": 0.5, "funcref": None, "i32 i32": (1, -2)}[result]
    assert instance.exports.function("run")(None) == answer[0]


class OwnError(Exception):
    pass


EXCEPTIONS: list[BaseException] = [
    OwnError("mine"),
    AssertionError("assert"),
    ZeroDivisionError("division"),
    OverflowError("too large"),
    IndexError("index"),
    KeyError("key"),
    ValueError("value"),
    TypeError("type"),
    struct.error("unpack_from requires a buffer of at least 4 bytes"),
    RecursionError("too deep"),
    MemoryError("no memory"),
    StopIteration("stop"),
    GeneratorExit("exit"),
    RuntimeError("run"),
    NameError("name"),
    AttributeError("attribute"),
    KeyboardInterrupt("^C"),
    SystemExit(3),
]


@pytest.mark.parametrize("exception", EXCEPTIONS, ids=lambda e: type(e).__name__)
def test_an_exception_of_a_host_function_arrives_unchanged(
    start: Start, exception: BaseException
) -> None:
    raising = [True]

    def host() -> int:
        if raising[0]:
            raise exception
        return 42

    instance = start(
        """(module
          (import "host" "f" (func $f (result i32)))
          (table 1 funcref) (elem (i32.const 0) $f)
          (func $deep (param i32) (result i32)
            (if (result i32) (local.get 0)
              (then (call $deep (i32.sub (local.get 0) (i32.const 1))))
              (else (loop (result i32) (call $f)))))
          (func (export "run") (result i32) (call $deep (i32.const 5)))
          (func (export "indirect") (result i32) (call_indirect (result i32) (i32.const 0))))""",
        {"host": {"f": host}},
    )
    for name in ("run", "indirect", "run"):
        with pytest.raises(type(exception)) as raised:
            instance.exports.function(name)()
        assert raised.value is exception
    raising[0] = False
    assert instance.exports.function("run")() == 42
    assert instance.exports.function("indirect")() == 42


@pytest.mark.parametrize("kind", [OwnError, KeyboardInterrupt])
def test_the_cause_and_the_context_of_an_exception_are_kept(
    start: Start, kind: type[BaseException]
) -> None:
    def caused() -> None:
        raise kind from KeyError("cause")

    def while_another() -> None:
        try:
            raise LookupError("context")
        except LookupError:
            raise kind  # noqa: B904

    for host, cause, context in (
        (caused, "KeyError('cause')", "None"),
        (while_another, "None", "LookupError('context')"),
    ):
        instance = start(
            '(module (import "h" "f" (func $f)) (func (export "run") (call $f)))',
            {"h": {"f": host}},
        )
        with pytest.raises(kind) as raised:
            instance.exports.function("run")()
        error = raised.value
        assert (repr(error.__cause__), repr(error.__context__)) == (cause, context)
        assert error.__suppress_context__ == (host is caused)


def test_an_exception_in_the_start_function_arrives_unchanged(start: Start) -> None:
    error = OwnError("mine")

    def host() -> None:
        raise error

    with pytest.raises(OwnError) as raised:
        start('(module (import "h" "f" (func $f)) (start $f))', {"h": {"f": host}})
    assert raised.value is error
    with pytest.raises(OwnError) as raised:
        start(
            '(module (import "h" "f" (func $f)) (func $s (call $f)) (start $s))', {"h": {"f": host}}
        )
    assert raised.value is error


def test_an_imported_function_can_be_exported_again(start: Start) -> None:
    instance = start(
        '(module (import "h" "f" (func (param i32) (result i32))) (export "g" (func 0)))',
        {"h": {"f": lambda value: value + 1}},
    )
    assert instance.exports.function("g")(1) == 2
    error = OwnError()

    def host(value: int) -> int:
        raise error

    instance = start(
        '(module (import "h" "f" (func (param i32) (result i32))) (export "g" (func 0)))',
        {"h": {"f": host}},
    )
    with pytest.raises(OwnError) as raised:
        instance.exports.function("g")(1)
    assert raised.value is error


REENTRANT = """
(module
  (import "host" "f" (func $f (param i32) (result i32)))
  (memory (export "memory") 1)
  (global $depth (mut i32) (i32.const 0))
  (func $factorial (export "factorial") (param i32) (result i32)
    (local $kept i32)
    (local.set $kept (i32.mul (local.get 0) (i32.const 1000)))
    (global.set $depth (i32.add (global.get $depth) (i32.const 1)))
    (if (i32.eqz (local.get 0)) (then (return (i32.const 1))))
    ;; What stands on the stack and in the local must be there after the call.
    (i32.mul
      (i32.div_u (local.get $kept) (i32.const 1000))
      (call $f (i32.sub (local.get 0) (i32.const 1)))))
  (func (export "depth") (result i32) (global.get $depth))
  (func (export "trap") unreachable))
"""


def test_reentrancy_through_a_host_function(start: Start) -> None:
    def host(value: int) -> Any:
        return instance.exports.function("factorial")(value)

    instance = start(REENTRANT, {"host": {"f": host}})
    assert instance.exports.function("factorial")(10) == math.factorial(10)
    assert instance.exports.function("depth")() == 11


def test_a_trap_inside_a_nested_call_can_be_handled(start: Start) -> None:
    def host(value: int) -> int:
        with pytest.raises(Trap) as raised:
            instance.exports.function("trap")()
        assert raised.value.reason is TrapReason.UNREACHABLE
        return 7

    instance = start(REENTRANT, {"host": {"f": host}})
    assert instance.exports.function("factorial")(3) == 21


def test_endless_nesting_through_a_host_function(start: Start) -> None:
    """Ends in a trap well before Python's own stack does, and leaves the instance as it was."""

    def host(value: int) -> Any:
        return instance.exports.function("factorial")(value + 1)

    instance = start(REENTRANT, {"host": {"f": host}})
    for _ in range(2):
        with pytest.raises(Trap) as raised:
            instance.exports.function("factorial")(1)
        assert raised.value.reason is TrapReason.CALL_STACK_EXHAUSTED
    assert instance.exports.function("factorial")(0) == 1


def test_a_host_function_sees_memory_and_globals_as_they_are_now(start: Start) -> None:
    seen: list[tuple[bytes, int]] = []

    def host() -> None:
        exports = instance.exports
        seen.append((exports.memory().read(0, 2), exports.global_("counter").value))
        exports.memory().write(0, b"\x07")
        exports.global_("counter").value = 70
        exports.memory().grow(1)

    instance = start(
        """(module
          (import "host" "f" (func $f))
          (memory (export "memory") 1)
          (global $counter (export "counter") (mut i32) (i32.const 1))
          (func (export "run") (result i32)
            (i32.store8 (i32.const 0) (i32.const 65))
            (global.set $counter (i32.const 5))
            (call $f)
            (i32.add
              (i32.add (i32.load8_u (i32.const 0)) (global.get $counter))
              (i32.mul (memory.size) (i32.const 1000)))))""",
        {"host": {"f": host}},
    )
    assert instance.exports.function("run")() == 7 + 70 + 2000
    assert seen == [(b"A\0", 5)]
