"""Every field of `ResourceLimits`, and cancelling: enforced, quickly, with nothing taken."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
import tracemalloc
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from purewasm_plugins import (
    Cancelled,
    DeadlineExceeded,
    Instance,
    OutOfFuel,
    ResourceLimitError,
    ResourceLimits,
    Trap,
    TrapReason,
    WasmError,
)
from purewasm_plugins.runtime.memory import GrowRefusal

Start = Callable[..., Instance]

SPIN = """
(module
  (import "h" "f" (func $host))
  (global $turns (export "turns") (mut i32) (i32.const 0))
  (func (export "spin") (loop
    (global.set $turns (i32.add (global.get $turns) (i32.const 1)))
    (br 0)))
  (func (export "host_then_spin") (call $host) (loop (br 0)))
  (func $f) (func (export "call_forever") (call $host) (loop (call $f) (br 0)))
  (func (export "fine") (result i32) (loop (result i32) (i32.const 7))))
"""
NOTHING = {"h": {"f": lambda: None}}


@pytest.fixture
def taken() -> Iterator[Callable[[], int]]:
    """`taken()`: the most bytes that Python had allocated at a time since the test began."""
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    yield lambda: tracemalloc.get_traced_memory()[1] - before
    tracemalloc.stop()


# Time and fuel.


@pytest.mark.parametrize(
    ("limits", "error", "reason"),
    [
        ({"fuel": 10_000}, OutOfFuel, TrapReason.OUT_OF_FUEL),
        ({"fuel": 0}, OutOfFuel, TrapReason.OUT_OF_FUEL),
        ({"fuel": None, "timeout": 0.05}, DeadlineExceeded, TrapReason.DEADLINE_EXCEEDED),
        ({"fuel": None, "timeout": 0}, DeadlineExceeded, TrapReason.DEADLINE_EXCEEDED),
    ],
)
@pytest.mark.parametrize("function", ["spin", "host_then_spin", "call_forever"])
def test_an_endless_loop_ends(
    start: Start,
    limits: dict[str, Any],
    error: type[Trap],
    reason: TrapReason,
    function: str,
) -> None:
    instance = start(SPIN, NOTHING, **limits)
    for _ in range(2):
        with pytest.raises(error) as raised:
            instance.exports.function(function)()
        assert type(raised.value) is error
        assert raised.value.reason is reason
        if limits.get("fuel") != 0 and limits.get("timeout") != 0:
            assert raised.value.frames
    if limits.get("fuel") != 0 and limits.get("timeout") != 0:
        assert instance.exports.function("fine")() == 7


def test_a_timeout_is_kept(start: Start) -> None:
    """Not exactly, but it is seconds, and not minutes; and it does not cut a short call."""
    instance = start(SPIN, NOTHING, timeout=0.2)
    began = time.monotonic()
    with pytest.raises(DeadlineExceeded):
        instance.exports.function("spin")()
    assert 0.2 <= time.monotonic() - began < 10
    assert instance.exports.function("fine")() == 7


def test_a_timeout_counts_from_the_call(start: Start) -> None:
    instance = start(SPIN, NOTHING, timeout=0.1)
    time.sleep(0.15)
    assert instance.exports.function("fine")() == 7
    time.sleep(0.15)
    assert instance.exports.function("fine")() == 7


def test_time_in_a_host_function_counts(start: Start) -> None:
    imports = {"h": {"f": lambda: time.sleep(0.1)}}
    instance = start(SPIN, imports, timeout=0.05)
    with pytest.raises(DeadlineExceeded):
        instance.exports.function("host_then_spin")()


@pytest.mark.parametrize("call", ["(call $f)", "(call_indirect (i32.const 0))"])
@pytest.mark.parametrize("ends", ["deadline exceeded", "cancelled"])
def test_calls_out_are_looked_at_when_they_return(start: Start, call: str, ends: str) -> None:
    """On a straight line, too, where no function is entered and no loop is begun."""
    calls: list[int] = []

    def host() -> None:
        calls.append(len(calls))
        if ends == "cancelled":
            instance.cancel()
        else:
            time.sleep(0.05)

    instance = start(
        f"""(module (import "h" "f" (func $f)) (table 1 funcref) (elem (i32.const 0) $f)
              (func (export "run") {call * 20}))""",
        {"h": {"f": host}},
        timeout=0.1,
    )
    with pytest.raises(Trap, match=ends) as raised:
        instance.exports.function("run")()
    assert len(calls) <= 3
    assert [frame.name for frame in raised.value.frames] == ["run"]


def test_limits_hold_in_the_start_function(start: Start) -> None:
    endless = "(module (func $s (loop (br 0))) (start $s))"
    with pytest.raises(OutOfFuel):
        start(endless, fuel=1000)
    with pytest.raises(DeadlineExceeded):
        start(endless, timeout=0.05)
    with pytest.raises(Trap) as raised:
        start("(module (func $s (call $s)) (start $s))")
    assert raised.value.reason is TrapReason.CALL_STACK_EXHAUSTED


def test_the_defaults_are_safe() -> None:
    limits = ResourceLimits()
    assert None not in [getattr(limits, name) for name in ResourceLimits.__annotations__]
    assert limits.memory_pages is not None
    assert limits.memory_pages <= 2**14
    assert limits.timeout is not None
    assert limits.timeout <= 60


@pytest.mark.parametrize("name", ResourceLimits.__annotations__)
def test_a_limit_is_not_negative(name: str) -> None:
    with pytest.raises(ValueError, match=name):
        ResourceLimits(**{name: -1})
    ResourceLimits(**{name: 0})
    ResourceLimits(**{name: None})


# Cancelling.


@pytest.mark.parametrize("function", ["host_then_spin", "call_forever"])
def test_cancel_from_a_host_function(start: Start, function: str) -> None:
    def cancel() -> None:
        instance.cancel()

    instance = start(SPIN, {"h": {"f": cancel}}, fuel=None, timeout=None)
    for _ in range(2):
        with pytest.raises(Cancelled) as raised:
            instance.exports.function(function)()
        assert raised.value.reason is TrapReason.CANCELLED
        assert instance.exports.function("fine")() == 7


@pytest.mark.parametrize("function", ["host_then_spin", "call_forever"])
def test_cancel_from_another_thread(start: Start, function: str) -> None:
    running = threading.Event()
    # The timeout is what ends the test should cancelling not work.
    instance = start(SPIN, {"h": {"f": running.set}}, fuel=None, timeout=60)

    def cancel() -> None:
        assert running.wait(60)
        time.sleep(0.02)
        instance.cancel()

    for _ in range(2):
        running.clear()
        thread = threading.Thread(target=cancel, daemon=True)
        thread.start()
        with pytest.raises(Cancelled) as raised:
            instance.exports.function(function)()
        thread.join()
        assert [frame.name for frame in raised.value.frames][-1] == function
        assert instance.exports.function("fine")() == 7


def test_cancel_when_nothing_runs(start: Start) -> None:
    instance = start(SPIN, NOTHING)
    instance.cancel()
    assert instance.exports.function("fine")() == 7


# The call stack.

DOWN = """
(module
  (func $down (export "down") (param i32)
    (if (local.get 0) (then (call $down (i32.sub (local.get 0) (i32.const 1))))))
  (func (export "loop") (loop (br_if 0 (i32.const 0)))))
"""


@pytest.mark.parametrize("depth", [1, 2, 10, 300, 1000])
def test_call_depth_can_be_used_up(start: Start, depth: int) -> None:
    instance = start(DOWN, call_depth=depth)
    for _ in range(2):
        instance.exports.function("down")(depth - 1)


@pytest.mark.parametrize("depth", [0, 1, 2, 10, 300, 1000])
def test_call_depth_is_enforced(start: Start, depth: int) -> None:
    """The function that is one too many has used no fuel, and is in the backtrace."""
    instance = start(DOWN, call_depth=depth)
    for more in (0, 1, 10_000):
        with pytest.raises(Trap) as raised:
            instance.exports.function("down")(depth + more)
        assert type(raised.value) is Trap
        assert raised.value.reason is TrapReason.CALL_STACK_EXHAUSTED
        assert len(raised.value.frames) == depth + 1
        assert instance.fuel_used == depth


#: Functions that call one after the other.
CHAIN = 70
DEPTHS = """
(module
  (type $down (func (param i32)))
  (import "h" "f" (func $host (param i32)))
  (table 1 funcref) (elem (i32.const 0) $indirect)
  (func $down (export "down") (param i32)
    (if (local.get 0) (then (call $down (i32.sub (local.get 0) (i32.const 1))))))
  (func $indirect (export "indirect") (param i32)
    (if (local.get 0)
      (then (call_indirect (type $down) (i32.sub (local.get 0) (i32.const 1)) (i32.const 0)))))
  (func $odd (export "each_other") (param i32)
    (if (local.get 0) (then (call $even (i32.sub (local.get 0) (i32.const 1))))))
  (func $even (param i32)
    (if (local.get 0) (then (call $odd (i32.sub (local.get 0) (i32.const 1))))))
  (func $spin (param i32)
    (loop (br_if 0 (i32.gt_s (local.tee 0 (i32.sub (local.get 0) (i32.const 1))) (i32.const 0)))))
  (func $between_loops (export "between_loops") (param i32)
    (local i32)
    (local.set 1 (i32.const 20))
    (loop (br_if 0 (local.tee 1 (i32.sub (local.get 1) (i32.const 1)))))
    (if (local.get 0) (then
      (call $between_loops (i32.sub (local.get 0) (i32.const 1)))
      (call $spin (i32.const 600)))))
  (func $host_at_the_end (export "host_at_the_end") (param i32)
    (if (local.get 0)
      (then (call $host_at_the_end (i32.sub (local.get 0) (i32.const 1))))
      (else (call $host (i32.const 0)))))
  (func $and_again (export "and_again") (param i32)
    (if (local.get 0) (then
      (call $host (i32.sub (local.get 0) (i32.const 1)))
      (call $and_again (i32.sub (local.get 0) (i32.const 1))))))
"""
DEPTHS += "".join(
    f"""
  (func $chain{n} (export "chain{n}") (param i32)
    (if (local.get 0) (then (call $chain{n + 1} (i32.sub (local.get 0) (i32.const 1))))))"""
    for n in range(CHAIN)
)
DEPTHS += f"(func $chain{CHAIN} (param i32)))"


@pytest.mark.parametrize("depth", [1, 2, 3, 7, 8, 9, 16, 33, 64])
@pytest.mark.parametrize(
    "function",
    [
        *("indirect", "each_other", "between_loops", "host_at_the_end", "and_again"),
        # The first calls of many functions in each other.
        "chain0",
    ],
)
def test_call_depth_is_exact(start: Start, depth: int, function: str) -> None:
    """However the calls are made, and whatever comes in between."""

    def host(levels: int) -> None:
        # Each call from outside has the whole depth.
        instance.exports.function("down")(min(levels, depth - 1))

    instance = start(DEPTHS, {"h": {"f": host}}, call_depth=depth)
    for _ in range(2):
        instance.exports.function(function)(depth - 1)
        with pytest.raises(Trap) as raised:
            instance.exports.function(function)(depth)
        assert raised.value.reason is TrapReason.CALL_STACK_EXHAUSTED
        assert len(raised.value.frames) == depth + 1


def test_a_call_back_that_is_too_deep(start: Start) -> None:
    """It is over, but the call that it is part of can go on: that one was not too deep."""
    reasons: list[TrapReason] = []

    def host(levels: int) -> None:
        with pytest.raises(Trap) as raised:
            instance.exports.function("down")(50)
        reasons.append(raised.value.reason)

    instance = start(DEPTHS, {"h": {"f": host}}, call_depth=50)
    instance.exports.function("and_again")(49)
    assert reasons == [TrapReason.CALL_STACK_EXHAUSTED] * 49
    instance.exports.function("down")(49)


def test_the_default_call_depth() -> None:
    assert ResourceLimits().call_depth == 1000


# Memory and tables.


@pytest.mark.parametrize(
    ("declared", "limits", "expected"),
    [
        ("(memory 65536)", {}, ("memory_pages", 65536, 1024)),
        ("(memory 1025)", {}, ("memory_pages", 1025, 1024)),
        ("(memory 3 4)", {"memory_pages": 2}, ("memory_pages", 3, 2)),
        ("(memory 1)", {"memory_pages": 0}, ("memory_pages", 1, 0)),
        ("(table 1000001 funcref)", {}, ("table_elements", 1000001, 1000000)),
        ("(table 10000000 externref)", {}, ("table_elements", 10000000, 1000000)),
        ("(table 3 funcref)", {"table_elements": 2}, ("table_elements", 3, 2)),
        ("(table 2 funcref) (table 3 funcref)", {"table_elements": 2}, ("table_elements", 5, 2)),
        ("(table 600000 funcref)" * 50, {}, ("table_elements", 30_000_000, 1_000_000)),
        (
            "(elem funcref (ref.null func) (ref.null func)) (elem externref (ref.null extern))",
            {"table_elements": 2},
            ("table_elements", 3, 2),
        ),
    ],
)
def test_too_much_declared(
    start: Start,
    taken: Callable[[], int],
    declared: str,
    limits: dict[str, int],
    expected: tuple[str, int, int],
) -> None:
    with pytest.raises(ResourceLimitError) as raised:
        start(f"(module {declared} (func $s unreachable) (start $s))", **limits)
    error = raised.value
    assert (error.limit, error.requested, error.allowed) == expected
    assert isinstance(error, WasmError)
    assert taken() < 3_000_000


def test_as_much_declared_as_is_allowed(start: Start) -> None:
    module = "(module (memory 2) (table 3 funcref))"
    start(module, memory_pages=2, table_elements=3)
    start(module, memory_pages=None, table_elements=None)


def test_a_maximum_may_be_over_the_limit(start: Start, taken: Callable[[], int]) -> None:
    start("(module (memory 1 65536) (table 1 4294967295 funcref))")
    assert taken() < 3_000_000


GROW = """
(module
  (memory (export "memory") 1)
  (table $t 1 externref)
  (func (export "grow") (param i32) (result i32) (memory.grow (local.get 0)))
  (func (export "grow_until_refused") (result i32)
    (loop (br_if 0 (i32.ge_s (memory.grow (i32.const 1)) (i32.const 0))))
    (memory.size))
  (func (export "grow_forever") (loop (drop (memory.grow (i32.const 1))) (br 0)))
  (func (export "table_grow") (param i32) (result i32)
    (table.grow $t (ref.null extern) (local.get 0)))
  (func (export "table_size") (result i32) (table.size $t)))
"""


def test_memory_grows_up_to_the_limit(start: Start, taken: Callable[[], int]) -> None:
    instance = start(GROW, memory_pages=10)
    assert instance.exports.function("grow_until_refused")() == 10
    for count in (1, 65526, 65535, -1):
        assert instance.exports.function("grow")(count) == -1
    assert instance.exports.function("grow")(0) == 10
    assert instance.exports.memory().grow_refusal is GrowRefusal.LIMIT
    with pytest.raises(ResourceLimitError) as raised:
        instance.exports.memory().grow(1)
    assert (raised.value.requested, raised.value.allowed) == (11, 10)
    assert taken() < 3_000_000


def test_a_grow_loop_ends(start: Start, taken: Callable[[], int]) -> None:
    instance = start(GROW, memory_pages=20, fuel=2000)
    with pytest.raises(OutOfFuel):
        instance.exports.function("grow_forever")()
    assert instance.exports.memory().pages == 20
    assert taken() < 5_000_000


def test_memory_may_grow_past_1024_pages_where_that_is_allowed(start: Start) -> None:
    instance = start(GROW, memory_pages=1100)
    assert instance.exports.function("grow")(1099) == 1
    assert instance.exports.memory().pages == 1100
    assert instance.exports.function("grow")(1) == -1


def test_a_table_grows_up_to_the_limit(start: Start, taken: Callable[[], int]) -> None:
    instance = start(GROW, table_elements=2000)
    for count in (2000, 2**31 - 1, -1):
        assert instance.exports.function("table_grow")(count) == -1
    assert instance.exports.function("table_grow")(1999) == 1
    assert instance.exports.function("table_grow")(1) == -1
    assert instance.exports.function("table_size")() == 2000
    assert taken() < 3_000_000


def test_fills_of_four_gigabytes(start: Start, taken: Callable[[], int]) -> None:
    instance = start(
        """(module (memory 1) (table $t 1 funcref)
             (func (export "fill")
               (memory.fill (i32.const 0) (i32.const 1) (i32.const -1)))
             (func (export "copy")
               (memory.copy (i32.const 0) (i32.const 1) (i32.const -1)))
             (func (export "table_fill")
               (table.fill $t (i32.const 0) (ref.null func) (i32.const -1))))"""
    )
    for name in ("fill", "copy", "table_fill"):
        with pytest.raises(Trap):
            instance.exports.function(name)()
    assert taken() < 3_000_000


def test_a_recursion_with_many_locals(start: Start) -> None:
    """A few bytes of a module declare as many as are allowed, and each call has them all."""
    locals = "i64 " * 50_000
    instance = start(
        f"""(module (func $f (export "run") (local {locals}) (call $f))
             (func (export "fine") (result i32) (i32.const 7)))""",
        timeout=60,
    )
    with pytest.raises(Trap) as raised:
        instance.exports.function("run")()
    assert raised.value.reason is TrapReason.CALL_STACK_EXHAUSTED
    assert instance.exports.function("fine")() == 7


# Python without assertions.

OPTIMIZED = """
from purewasm_plugins import WasmError, WasmPlugin, instantiate
assert False, "assertions are on"
for attempt in (
    lambda: instantiate(b"\\0asm\\1\\0\\0\\0", engine="pywasm"),
    lambda: WasmPlugin.load("fixtures/wat/echo.wasm", engine="pywasm"),
):
    try:
        attempt()
    except Exception as error:
        print(type(error).__name__, error)
"""


def test_the_pywasm_engine_refuses_to_run_without_assertions(
    pytestconfig: pytest.Config,
) -> None:
    done = subprocess.run(
        [sys.executable, "-O", "-c", OPTIMIZED],
        capture_output=True,
        text=True,
        cwd=pytestconfig.rootpath,
        timeout=60,
        check=True,
    )
    sentence = "the pywasm engine needs Python's assertions: run Python without -O"
    assert done.stdout.splitlines() == [
        f"WasmError {sentence}",
        f"InstantiateError Failed to instantiate plugin: {sentence}",
    ]


TRANSLATED = """
from purewasm_plugins import ResourceLimits, Trap, WasmPlugin, ToolExecutionError
assert False, "assertions are on"
echo = WasmPlugin.load("fixtures/wat/echo.wasm", engine="translator")
print(echo.execute_tool("echo", "without assertions"))
limits = ResourceLimits(fuel=100_000)
for name in ("traps", "loop_forever", "recurse_forever"):
    plugin = WasmPlugin.load(f"fixtures/wat/{name}.wasm", engine="translator", limits=limits)
    for tool in plugin.tools:
        try:
            plugin.execute_tool(tool.index, "")
        except ToolExecutionError as error:
            print(error.__cause__.reason)
"""


def test_the_translator_works_without_assertions(pytestconfig: pytest.Config) -> None:
    done = subprocess.run(
        [sys.executable, "-O", "-c", TRANSLATED],
        capture_output=True,
        text=True,
        cwd=pytestconfig.rootpath,
        timeout=60,
        check=True,
    )
    assert done.stdout.splitlines() == [
        "without assertions",
        "unreachable",
        "integer divide by zero",
        "integer overflow",
        "invalid conversion to integer",
        "integer overflow",
        "out of bounds memory access",
        "out of bounds memory access",
        "out of bounds memory access",
        "undefined element",
        "uninitialized element",
        "indirect call type mismatch",
        "out of fuel",
        "call stack exhausted",
    ]
