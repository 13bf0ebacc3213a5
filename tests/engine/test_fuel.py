"""Fuel, counted exactly as `ResourceLimits` says, the same on every engine.

Entering a function that a module defines costs one unit, and so does every start of a loop's body.
What moves many bytes or table elements costs one for each started 4 KiB or 1024 elements. Calling a
host function costs nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from purewasm_plugins import Cancelled, Instance, OutOfFuel, Trap, TrapReason

Start = Callable[..., Instance]

LOOP = """(func (export "run") (param i32)
  (block $done (loop $again
    (br_if $done (i32.eqz (local.get 0)))
    (local.set 0 (i32.sub (local.get 0) (i32.const 1)))
    (br $again))))"""

NESTED = """(func (export "run") (param i32) (local $inner i32)
  (loop $outer
    (local.set $inner (i32.const 3))
    (loop $inner
      (br_if $inner (local.tee $inner (i32.sub (local.get $inner) (i32.const 1)))))
    (br_if $outer (local.tee 0 (i32.sub (local.get 0) (i32.const 1))))))"""

CONTINUE_OUTER = """(func (export "run") (param i32)
  (loop $outer
    (loop $inner
      (local.set 0 (i32.sub (local.get 0) (i32.const 1)))
      (br_if $outer (i32.gt_s (local.get 0) (i32.const 0))))))"""

TABLE_LOOP = """(func (export "run") (param i32) (result i32) (local $turns i32)
  (block $out
    (loop $again
      (local.set $turns (i32.add (local.get $turns) (i32.const 1)))
      (block $dec
        (br_table $dec $out (i32.eqz (local.get 0))))
      (local.set 0 (i32.sub (local.get 0) (i32.const 1)))
      (br $again)))
  (local.get $turns))"""

LOOP_WITH_VALUES = """(func (export "run") (param i32) (result i32)
  (i32.const 0)
  (loop $again (param i32) (result i32)
    (i32.add (i32.const 2))
    (br_if $again (i32.lt_u (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))
      (i32.const 1000)))))"""

SWITCH = """(func (export "run") (param i32)
  (loop $top
    (block $a (block $b (block $c
      (br_table $c $b $top $a (local.get 0)))
      (local.set 0 (i32.const 1)) (br $top))
      (local.set 0 (i32.const 9)) (br $top))))"""

FIB = """(func $fib (export "run") (param i32) (result i32)
  (if (result i32) (i32.lt_u (local.get 0) (i32.const 2))
    (then (local.get 0))
    (else (i32.add
      (call $fib (i32.sub (local.get 0) (i32.const 1)))
      (call $fib (i32.sub (local.get 0) (i32.const 2)))))))"""


def _fib_calls(n: int) -> int:
    return 1 if n < 2 else 1 + _fib_calls(n - 1) + _fib_calls(n - 2)


def bulk(instruction: str, size: int) -> str:
    """A function that runs an instruction from 0 to 0, over so many bytes or elements."""
    first = {"memory.init": "0", "table.init": "0 0"}.get(instruction, "")
    second = "(ref.null func)" if instruction == "table.fill" else "(i32.const 0)"
    return f"""(memory 80) (table 900000 funcref) (data "{"a" * 20480}")
      (elem funcref {"(ref.null func)" * 5120})
      (func (export "run")
        ({instruction} {first} (i32.const 0) {second} (i32.const {size})))"""


def grow(instruction: str) -> str:
    return f'(memory 1) (table 1 funcref) (func (export "run") (drop {instruction}))'


#: name, functions, arguments, units
CASES: list[tuple[str, str, tuple[int, ...], int]] = [
    ("empty function", '(func (export "run"))', (), 1),
    ("block is no loop", '(func (export "run") (block (block (br 1))))', (), 1),
    ("a call", '(func $f) (func (export "run") (call $f))', (), 2),
    (
        "three calls, one of them indirect",
        """(table 1 funcref) (elem (i32.const 0) $f) (func $f)
           (func (export "run") (call $f) (call_indirect (i32.const 0)) (call $f))""",
        (),
        4,
    ),
    ("a call not made", '(func $f) (func (export "run") (return) (call $f))', (), 1),
    ("loop that runs once", '(func (export "run") (loop))', (), 2),
    ("loop left at once", '(func (export "run") (block (loop (br 1))))', (), 2),
    ("loop not reached", '(func (export "run") (block (br 0) (loop (br 0))))', (), 1),
    ("loop in a branch not taken", '(func (export "run") (if (i32.const 0) (then (loop))))', (), 1),
    ("two loops", '(func (export "run") (loop) (loop))', (), 3),
    ("loop in a loop", '(func (export "run") (loop (loop)))', (), 3),
    ("branch back, 0 times", LOOP, (0,), 2),
    ("branch back, 1 time", LOOP, (1,), 3),
    ("branch back, 100 times", LOOP, (100,), 102),
    ("nested loops", NESTED, (5,), 1 + 5 + 5 * 3),
    ("outer loop continued from the inner", CONTINUE_OUTER, (4,), 1 + 4 + 4),
    ("br_table back and out", TABLE_LOOP, (6,), 1 + 7),
    ("loop with a parameter", LOOP_WITH_VALUES, (1,), 1 + 2),
    ("loop with a parameter, around", LOOP_WITH_VALUES, (500,), 1 + 501),
    ("br_table among blocks", SWITCH, (0,), 1 + 3),
    ("recursion", FIB, (9,), _fib_calls(9)),
    *(
        (f"{instruction} of {size}", bulk(instruction, size), (), 1 + units)
        for instruction, per_unit in (
            *((name, 4096) for name in ("memory.fill", "memory.copy", "memory.init")),
            *((name, 1024) for name in ("table.fill", "table.copy", "table.init")),
        )
        for size, units in ((0, 0), (1, 1), (per_unit, 1), (per_unit + 1, 2), (5 * per_unit, 5))
    ),
    # More than one look at the limits.
    ("memory.fill of 5 MiB", bulk("memory.fill", 5 << 20), (), 1 + 5 * 256),
    ("memory.copy of 5 MiB", bulk("memory.copy", 5 << 20), (), 1 + 5 * 256),
    ("table.fill of 900 000", bulk("table.fill", 900_000), (), 1 + 879),
    ("table.copy of 900 000", bulk("table.copy", 900_000), (), 1 + 879),
    ("memory.grow by 0", grow("(memory.grow (i32.const 0))"), (), 1),
    ("memory.grow by 1", grow("(memory.grow (i32.const 1))"), (), 1 + 16),
    ("memory.grow by 100", grow("(memory.grow (i32.const 100))"), (), 1 + 1600),
    ("memory.grow that is refused", grow("(memory.grow (i32.const 2000))"), (), 1),
    ("table.grow by 0", grow("(table.grow 0 (ref.null func) (i32.const 0))"), (), 1),
    ("table.grow by 1024", grow("(table.grow 0 (ref.null func) (i32.const 1024))"), (), 1 + 1),
    ("table.grow by 1025", grow("(table.grow 0 (ref.null func) (i32.const 1025))"), (), 1 + 2),
    ("table.grow that is refused", grow("(table.grow 0 (ref.null func) (i32.const -1))"), (), 1),
    (
        "host functions",
        """(func $f (call $host)) (func (export "run")
             (call $host) (call $host) (call $f) (loop (call $host)))""",
        (),
        3,
    ),
    (
        "a loop that calls",
        """(func $f (param i32) (result i32) (i32.sub (local.get 0) (i32.const 1)))
           (func (export "run") (param i32)
             (loop (br_if 0 (local.tee 0 (call $f (local.get 0))))))""",
        (10,),
        1 + 10 + 10,
    ),
]


def module(functions: str) -> str:
    return f'(module (import "h" "f" (func $host)) {functions})'


IMPORTS = {"h": {"f": lambda: None}}


@pytest.mark.parametrize(
    ("functions", "arguments", "units"),
    [case[1:] for case in CASES],
    ids=[case[0] for case in CASES],
)
def test_fuel(start: Start, functions: str, arguments: tuple[int, ...], units: int) -> None:
    instance = start(module(functions), IMPORTS)
    for _ in range(2):
        instance.exports.function("run")(*arguments)
        assert instance.fuel_used == units, "each call from outside starts anew"

    exact = start(module(functions), IMPORTS, fuel=units)
    expected = instance.exports.function("run")(*arguments)
    assert exact.exports.function("run")(*arguments) == expected

    unlimited = start(module(functions), IMPORTS, fuel=None)
    unlimited.exports.function("run")(*arguments)
    assert unlimited.fuel_used == units

    short = start(module(functions), IMPORTS, fuel=units - 1)
    for _ in range(2):
        with pytest.raises(OutOfFuel) as raised:
            short.exports.function("run")(*arguments)
        assert raised.value.reason is TrapReason.OUT_OF_FUEL
        assert short.fuel_used == units - 1


@pytest.mark.parametrize("fuel", [1, 2, 63, 64, 65, 127, 128, 1000, 8191, 8192, 8193, 20000])
def test_the_limit_is_exact_wherever_it_falls(start: Start, fuel: int) -> None:
    """Engines check the meter at different intervals; the interval must not show."""
    instance = start(
        """(module (global $turns (export "turns") (mut i32) (i32.const 0))
             (func (export "run") (loop
               (global.set $turns (i32.add (global.get $turns) (i32.const 1))) (br 0))))""",
        fuel=fuel,
    )
    with pytest.raises(OutOfFuel):
        instance.exports.function("run")()
    assert instance.exports.global_("turns").value == fuel - 1
    assert instance.fuel_used == fuel


def test_fuel_of_a_call_that_trapped(start: Start) -> None:
    instance = start('(module (func $f unreachable) (func (export "run") (loop (call $f))))')
    with pytest.raises(Trap):
        instance.exports.function("run")()
    assert instance.fuel_used == 3


def test_fuel_of_the_start_function(start: Start) -> None:
    text = "(module (func $f) (func $s (call $f) (loop)) (start $s))"
    assert start(text).fuel_used == 3
    start(text, fuel=3)
    with pytest.raises(OutOfFuel):
        start(text, fuel=2)


NESTING = """
(module
  (import "h" "f" (func $host))
  (func (export "inner") (loop))
  (func (export "spin") (loop (br 0)))
  (func (export "outer") (call $host) (loop) (call $host)))
"""


def test_a_nested_call_uses_the_budget_of_the_call_it_is_part_of(start: Start) -> None:
    def host() -> None:
        instance.exports.function("inner")()
        used.append(instance.fuel_used)

    used: list[int] = []
    instance = start(NESTING, {"h": {"f": host}})
    instance.exports.function("outer")()
    assert used == [3, 6]
    assert instance.fuel_used == 6
    instance = start(NESTING, {"h": {"f": host}}, fuel=6)
    instance.exports.function("outer")()
    instance = start(NESTING, {"h": {"f": host}}, fuel=5)
    with pytest.raises(OutOfFuel):
        instance.exports.function("outer")()


@pytest.mark.parametrize("end", ["fuel", "timeout", "cancel"])
def test_a_host_function_cannot_hide_that_the_budget_is_gone(start: Start, end: str) -> None:
    limits_by_end: dict[str, dict[str, Any]] = {
        "fuel": {"fuel": 1000},
        "timeout": {"timeout": 0.05},
        "cancel": {},
    }
    limits = limits_by_end[end]
    swallowed: list[Trap] = []
    calls: list[str] = []

    def host() -> None:
        calls.append(end)
        if swallowed:
            return
        if end == "cancel":
            instance.cancel()
        try:
            instance.exports.function("spin")()
        except Trap as trap:
            swallowed.append(trap)

    instance = start(NESTING, {"h": {"f": host}}, **limits)
    with pytest.raises(Trap) as raised:
        instance.exports.function("outer")()
    assert len(calls) == 1, "the instance went on after its budget was gone"
    assert raised.value.reason is swallowed[0].reason
    assert type(raised.value) is type(swallowed[0])
    # The next call has its own budget, which includes its host functions.
    instance.exports.function("inner")()
    assert instance.fuel_used == 2
    instance.exports.function("outer")()


def test_a_host_function_that_swallows_the_end_of_another_instance(start: Start) -> None:
    """The other instance's budget is gone; this one's is not."""
    other = start('(module (func (export "spin") (loop (br 0))))', fuel=100)

    def host() -> None:
        with pytest.raises(OutOfFuel):
            other.exports.function("spin")()

    instance = start(NESTING, {"h": {"f": host}})
    instance.exports.function("outer")()
    assert instance.fuel_used == 2


@pytest.mark.parametrize("fuel", [0, 1, 255, 256, 257, 511, 512, 513, 1000, 2000])
@pytest.mark.parametrize("instruction", ["memory.fill", "memory.copy"])
def test_where_fuel_ends_inside_of_an_instruction(
    start: Start, instruction: str, fuel: int
) -> None:
    """All pieces of 1 MiB that were paid for are done, and no others, on each engine."""
    half = 0x800000
    instance = start(
        f"""(module (memory (export "memory") 256)
              (func (export "run")
                ({instruction} (i32.const {half}) (i32.const 0) (i32.const {half}))))""",
        fuel=fuel + 1,
    )
    memory = instance.exports.memory()
    memory.raw[half:] = b"9" * half
    with pytest.raises(OutOfFuel) as raised:
        instance.exports.function("run")()
    assert [frame.name for frame in raised.value.frames] == ["run"]
    assert instance.fuel_used == fuel + 1
    assert memory.raw.count(0) == half + fuel // 256 * 0x100000


def test_an_instruction_out_of_bounds_costs_nothing(start: Start) -> None:
    instance = start(
        """(module (memory 1) (table 1 funcref)
             (func (export "fill") (memory.fill (i32.const 1) (i32.const 1) (i32.const 65536)))
             (func (export "copy") (memory.copy (i32.const 0) (i32.const 1) (i32.const 65536)))
             (func (export "table") (table.copy (i32.const 0) (i32.const 0) (i32.const 2))))"""
    )
    for name in ("fill", "copy", "table"):
        with pytest.raises(Trap):
            instance.exports.function(name)()
        assert instance.fuel_used == 1


def test_a_host_function_cannot_hide_what_ended_a_long_instruction(start: Start) -> None:
    """No loop and no function starts after it: the end is seen where the host function returns."""

    def host() -> None:
        with pytest.raises(OutOfFuel):
            instance.exports.function("fill")()

    instance = start(
        """(module (import "h" "f" (func $host)) (memory 80)
             (global $after (export "after") (mut i32) (i32.const 0))
             (func (export "fill") (memory.fill (i32.const 0) (i32.const 1) (i32.const 0x400000)))
             (func (export "run") (call $host) (global.set $after (i32.const 1))))""",
        {"h": {"f": host}},
        fuel=500,
    )
    for _ in range(2):
        with pytest.raises(OutOfFuel):
            instance.exports.function("run")()
        assert instance.exports.global_("after").value == 0
        assert instance.fuel_used == 500


def test_cancelled_has_precedence_over_nothing_else(start: Start) -> None:
    """Cancelling takes effect when a host function returns, with any amount of fuel left."""

    def host() -> None:
        instance.cancel()

    instance = start(
        """(module (import "h" "f" (func $host)) (func $g)
             (global $after (export "after") (mut i32) (i32.const 0))
             (func (export "run")
               (call $host)
               (global.set $after (i32.const 1))
               (call $g)
               (global.set $after (i32.const 2))))""",
        {"h": {"f": host}},
        fuel=None,
        timeout=None,
    )
    with pytest.raises(Cancelled):
        instance.exports.function("run")()
    assert instance.exports.global_("after").value == 0
