"""Every trap, on every engine: its reason, its backtrace, and that nothing is wrong afterwards."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable

import pytest

from purewasm_plugins import (
    Cancelled,
    DeadlineExceeded,
    Function,
    Instance,
    OutOfFuel,
    Trap,
    TrapReason,
)
from purewasm_plugins.wasm.binary.instructions import instructions
from purewasm_plugins.wasm.module import Span
from purewasm_plugins.wasm.types import FuncType, ValType
from tests.conftest import DISTURBED

Start = Callable[..., Instance]

#: $inner runs what the table says; $outer calls it; `fine` uses everything that it may have broken.
MODULE = """
(module
  (memory (export "memory") 1 2)
  (table $t 4 8 funcref)
  (elem $e func $unary $unary)
  (elem (table $t) (offset (i32.const 1)) func $unary)
  (data $d "data")
  (type $nullary (func (result i32)))
  (global $calls (mut i32) (i32.const 0))
  (func $unary (export "unary") (param i32) (result i32) local.get 0)
  (func $inner (param $zero i32) (result i32)
    {body})
  (func $outer (export "run") (result i32)
    (block (result i32) (loop (result i32) (call $inner (i32.const 0)))))
  (func (export "fine") (result i32)
    (global.set $calls (i32.add (global.get $calls) (i32.const 1)))
    (i32.store (i32.const 65532) (global.get $calls))
    (call_indirect (param i32) (result i32) (i32.load (i32.const 65532)) (i32.const 1))))
"""

INNER, OUTER = 1, 2

MEMORY = TrapReason.OUT_OF_BOUNDS_MEMORY_ACCESS
TABLE = TrapReason.OUT_OF_BOUNDS_TABLE_ACCESS
ZERO = TrapReason.INTEGER_DIVIDE_BY_ZERO
OVERFLOW = TrapReason.INTEGER_OVERFLOW
INVALID = TrapReason.INVALID_CONVERSION_TO_INTEGER


def _divisions() -> list[tuple[str, TrapReason]]:
    cases = []
    for type, least in (("i32", "0x80000000"), ("i64", "0x8000000000000000")):
        for operation in ("div_s", "div_u", "rem_s", "rem_u"):
            left, zero = f"({type}.const 7)", f"({type}.const 0)"
            cases.append((f"({type}.{operation} {left} {zero})", ZERO))
        cases.append((f"({type}.div_s ({type}.const {least}) ({type}.const -1))", OVERFLOW))
    return cases


def _conversions() -> list[tuple[str, TrapReason]]:
    cases = []
    for result in ("i32", "i64"):
        for given in ("f32", "f64"):
            for sign in ("s", "u"):
                name = f"{result}.trunc_{given}_{sign}"
                cases.append((f"({name} ({given}.const nan))", INVALID))
                cases.append((f"({name} ({given}.const -nan:0x200000))", INVALID))
                for value in ("1e30", "-1e30", "inf", "-inf"):
                    cases.append((f"({name} ({given}.const {value}))", OVERFLOW))
            cases.append((f"({result}.trunc_{given}_u ({given}.const -1))", OVERFLOW))
    return cases


def _memory_accesses() -> list[tuple[str, TrapReason]]:
    loads = {
        "i32.load": 4,
        "i32.load8_s": 1,
        "i32.load8_u": 1,
        "i32.load16_s": 2,
        "i32.load16_u": 2,
        "i64.load": 8,
        "i64.load8_s": 1,
        "i64.load16_u": 2,
        "i64.load32_s": 4,
        "i64.load32_u": 4,
        "f32.load": 4,
        "f64.load": 8,
        "v128.load": 16,
        "v128.load8x8_s": 8,
        "v128.load32_splat": 4,
        "v128.load64_zero": 8,
    }
    stores = {
        "i32.store": 4,
        "i32.store8": 1,
        "i32.store16": 2,
        "i64.store": 8,
        "i64.store8": 1,
        "i64.store16": 2,
        "i64.store32": 4,
        "f32.store": 4,
        "f64.store": 8,
    }
    cases = []
    for name, size in loads.items():
        # One byte too far; an address that wraps in 32 bits with its offset; the largest of both.
        cases.append((f"({name} (i32.const {65536 - size + 1}))", MEMORY))
        cases.append((f"({name} offset=16 (i32.const 0xfffffff8))", MEMORY))
        cases.append((f"({name} offset=0xffffffff (i32.const -1))", MEMORY))
    for name, size in stores.items():
        value = f"({name[:3]}.const -1)"
        cases.append((f"({name} (i32.const {65536 - size + 1}) {value})", MEMORY))
        cases.append((f"({name} offset=16 (i32.const 0xfffffff8) {value})", MEMORY))
    zero = "(v128.const i64x2 0 0)"
    cases.append((f"(v128.store (i32.const 65521) {zero})", MEMORY))
    cases.append((f"(v128.load16_lane 0 (i32.const 65535) {zero})", MEMORY))
    cases.append((f"(v128.store64_lane 1 (i32.const 65529) {zero})", MEMORY))
    return cases


def _bulk() -> list[tuple[str, TrapReason]]:
    three = "(i32.const {}) (i32.const {}) (i32.const {})"
    return [
        (f"(memory.fill {three.format(65536, 0, 1)})", MEMORY),
        (f"(memory.fill {three.format(65537, 0, 0)})", MEMORY),
        (f"(memory.fill {three.format(-1, 0, -1)})", MEMORY),
        (f"(memory.copy {three.format(65533, 0, 4)})", MEMORY),
        (f"(memory.copy {three.format(0, 65533, 4)})", MEMORY),
        (f"(memory.init $d {three.format(65534, 0, 3)})", MEMORY),
        (f"(memory.init $d {three.format(0, 2, 3)})", MEMORY),
        (f"(data.drop $d) (memory.init $d {three.format(0, 0, 1)})", MEMORY),
        (f"(table.copy $t $t {three.format(2, 0, 3)})", TABLE),
        (f"(table.copy $t $t {three.format(0, 2, 3)})", TABLE),
        (f"(table.init $t $e {three.format(3, 0, 2)})", TABLE),
        (f"(table.init $t $e {three.format(0, 1, 2)})", TABLE),
        (f"(elem.drop $e) (table.init $t $e {three.format(0, 0, 1)})", TABLE),
        ("(table.fill $t (i32.const 3) (ref.null func) (i32.const 2))", TABLE),
        ("(table.fill $t (i32.const 0) (ref.null func) (i32.const -1))", TABLE),
        ("(table.get $t (i32.const 4))", TABLE),
        ("(table.get $t (i32.const -1))", TABLE),
        ("(table.set $t (i32.const 4) (ref.null func))", TABLE),
    ]


CALLS = [
    ("(call_indirect (type $nullary) (i32.const 4))", TrapReason.UNDEFINED_ELEMENT),
    ("(call_indirect (type $nullary) (i32.const -1))", TrapReason.UNDEFINED_ELEMENT),
    ("(call_indirect (type $nullary) (i32.const 0))", TrapReason.UNINITIALIZED_ELEMENT),
    ("(call_indirect (type $nullary) (i32.const 1))", TrapReason.INDIRECT_CALL_TYPE_MISMATCH),
    ("(unreachable)", TrapReason.UNREACHABLE),
    ("(if (i32.eqz (local.get $zero)) (then unreachable))", TrapReason.UNREACHABLE),
    ("(block (loop (block unreachable)))", TrapReason.UNREACHABLE),
]

TRAPS = CALLS + _divisions() + _conversions() + _memory_accesses() + _bulk()


@pytest.mark.parametrize(("body", "reason"), TRAPS, ids=[code for code, _ in TRAPS])
def test_trap(start: Start, body: str, reason: TrapReason) -> None:
    instance = start(MODULE.format(body=f"{body} unreachable"))
    memory = instance.exports.memory()
    for round in (1, 2, 3):
        before = bytes(memory.raw)
        with pytest.raises(Trap) as raised:
            instance.exports.function("run")()
        trap = raised.value
        assert type(trap) is Trap
        assert trap.reason is reason
        assert [frame.function for frame in trap.frames] == [INNER, OUTER]
        assert bytes(memory.raw) == before, "a trapping store wrote something"
        assert instance.exports.function("fine")() == round

    # The innermost frame names the instruction, and its offset leads to it.
    data = instance.module.module.data
    offset = trap.frames[0].offset
    assert offset is not None
    found = next(instructions(data, Span(offset, len(data))))
    assert found.opcode.mnemonic in body
    assert trap.frames[0].instruction is not None
    assert trap.frames[0].instruction.split()[0] == found.opcode.mnemonic
    assert trap.frames[1].instruction is None
    call = next(instructions(data, Span(trap.frames[1].offset or 0, len(data))))
    assert (call.opcode.mnemonic, call.immediates) == ("call", (INNER,))
    assert str(trap).splitlines()[0] == reason.value


def test_every_reason_is_tried() -> None:
    elsewhere = {
        TrapReason.CALL_STACK_EXHAUSTED,
        TrapReason.OUT_OF_FUEL,
        TrapReason.DEADLINE_EXCEEDED,
        TrapReason.CANCELLED,
        TrapReason.OUT_OF_MEMORY,
        TrapReason.MEMORY_IN_USE,
        TrapReason.INVALID_STRING,
        TrapReason.EXITED,
        TrapReason.ABORTED,
    }
    assert {reason for _, reason in TRAPS} | elsewhere == set(TrapReason)


NO_TRAPS = [
    ("(i32.rem_s (i32.const 0x80000000) (i32.const -1))", 0),
    ("(i32.wrap_i64 (i64.rem_s (i64.const 0x8000000000000000) (i64.const -1)))", 0),
    ("(i32.trunc_f64_s (f64.const -2147483648.9))", -(2**31)),
    ("(i32.trunc_f64_u (f64.const -0.9))", 0),
    ("(i32.trunc_f64_u (f64.const 4294967295.9))", -1),
    ("(i32.trunc_sat_f32_s (f32.const nan))", 0),
    ("(i32.trunc_sat_f64_u (f64.const 1e30))", -1),
    ("(i32.load8_u offset=65535 (i32.const 0))", 0),
    ("(memory.fill (i32.const 65536) (i32.const 1) (i32.const 0)) (i32.const 5)", 5),
    ("(memory.copy (i32.const 65536) (i32.const 65536) (i32.const 0)) (i32.const 5)", 5),
    ("(memory.init $d (i32.const 0) (i32.const 4) (i32.const 0)) (i32.const 5)", 5),
    ("(table.copy $t $t (i32.const 4) (i32.const 4) (i32.const 0)) (i32.const 5)", 5),
    ("(memory.grow (i32.const 2))", -1),
    ("(memory.grow (i32.const -1))", -1),
    ("(table.grow $t (ref.null func) (i32.const 5))", -1),
    ("(table.grow $t (ref.null func) (i32.const -1))", -1),
]


@pytest.mark.parametrize(("body", "result"), NO_TRAPS, ids=[code for code, _ in NO_TRAPS])
def test_at_the_edge_of_a_trap(start: Start, body: str, result: int) -> None:
    assert start(MODULE.format(body=body)).exports.function("run")() == result


RECURSIONS = {
    "itself": '(func $a (export "run") (call $a))',
    "with locals": """(func $a (export "run") (local i64 i64 i64 f64)
      (local.set 0 (i64.const 1)) (call $a) (drop (local.get 0)))""",
    "with operands": '(func $a (export "run") (result i32) (i32.add (i32.const 1) (call $a)))',
    "each other": '(func $a (export "run") (call $b)) (func $b (call $a))',
    "through a table": """(table 1 funcref) (elem (i32.const 0) $a)
      (func $a (export "run") (call_indirect (i32.const 0)))""",
    "inside blocks": """(func $a (export "run")
      (block (loop (if (i32.const 1) (then (block (call $a)))))))""",
}


@pytest.mark.parametrize("functions", RECURSIONS.values(), ids=RECURSIONS)
def test_endless_recursion(start: Start, functions: str) -> None:
    module = f'(module {functions} (func (export "fine") (result i32) (i32.const 7)))'
    instance = start(module)
    for _ in range(2):
        with pytest.raises(Trap) as raised:
            instance.exports.function("run")()
        assert type(raised.value) is Trap
        assert raised.value.reason is TrapReason.CALL_STACK_EXHAUSTED
        assert len(raised.value.frames) > 500
        assert len(str(raised.value).splitlines()) < 30
        assert instance.exports.function("fine")() == 7


def test_endless_recursion_without_a_limit(start: Start) -> None:
    """An engine may have another bound, or run until a limit."""
    instance = start(
        """(module (func $a (export "run") (call $a))
             (func (export "fine") (result i32) (i32.const 7)))""",
        call_depth=None,
        fuel=50_000,
    )
    for _ in range(2):
        with pytest.raises(Trap) as raised:
            instance.exports.function("run")()
        assert raised.value.reason in (TrapReason.CALL_STACK_EXHAUSTED, TrapReason.OUT_OF_FUEL)
        assert len(raised.value.frames) > 1000
        assert instance.exports.function("fine")() == 7


def test_recursion_from_deep_inside_python(start: Start) -> None:
    """With any rest of Python's stack, the end is a trap, and the instance stays usable."""
    instance = start("""
      (module
        (func $down (export "down") (param i32) (result i32)
          (if (result i32) (local.get 0)
            (then (i32.add (i32.const 1) (call $down (i32.sub (local.get 0) (i32.const 1)))))
            (else (i32.const 0)))))
    """)
    down = instance.exports.function("down")
    ends: set[object] = set()

    def descend(levels: int) -> None:
        if levels:
            return descend(levels - 1)
        try:
            ends.add(down(500))
        except Trap as trap:
            ends.add(trap.reason)

    # Closer to the end of the stack, Python has no room for the call itself.
    for levels in (0, 200, 400, 600, 700):
        descend(levels)
        assert down(500) == 500
    assert 500 in ends
    assert ends <= {500, TrapReason.CALL_STACK_EXHAUSTED}


@pytest.mark.skipif(bool(DISTURBED), reason=DISTURBED)
def test_recursion_from_the_end_of_pythons_stack(start: Start) -> None:
    """Near the end of Python's stack, a call returns, traps, or raises a RecursionError."""
    text = """(module
      (func (export "run") (result i32) (block (loop (br_if 1 (i32.const 1)))) (i32.const 7)))"""
    ends: set[object] = set()

    def descend(levels: int, run: Callable[[], object]) -> None:
        if levels:
            descend(levels - 1, run)
            return
        try:
            ends.add(run())
        except Trap as trap:
            ends.add(trap.reason)

    limit = sys.getrecursionlimit()
    for levels in range(limit - 300, limit + 10):
        run = start(text).exports.function("run")
        with contextlib.suppress(RecursionError):
            descend(levels, run)
        assert run() == 7
    assert 7 in ends
    assert ends <= {7, TrapReason.CALL_STACK_EXHAUSTED}
    assert sys.getrecursionlimit() == limit


@pytest.mark.parametrize(
    ("trap", "reason"),
    [
        (Trap(TrapReason.UNREACHABLE), TrapReason.UNREACHABLE),
        (OutOfFuel(), TrapReason.OUT_OF_FUEL),
        (DeadlineExceeded(), TrapReason.DEADLINE_EXCEEDED),
        (Cancelled(), TrapReason.CANCELLED),
    ],
)
def test_a_trap_of_a_host_function_is_a_trap(start: Start, trap: Trap, reason: TrapReason) -> None:
    def host() -> None:
        raise trap

    instance = start(
        """(module (import "host" "f" (func $f))
             (func $inner (call $f)) (func (export "run") (call $inner)))""",
        {"host": {"f": host}},
    )
    with pytest.raises(type(trap)) as raised:
        instance.exports.function("run")()
    assert raised.value.reason is reason
    assert [frame.function for frame in raised.value.frames] == [1, 2]


def test_backtrace_through_a_host_function(start: Start) -> None:
    """A call back into the instance: the frames of both calls, innermost first."""

    def host() -> None:
        instance.exports.function("inner")()

    instance = start(
        """(module (import "host" "f" (func $f))
             (func (export "inner") unreachable)
             (func (export "outer") (call $f)))""",
        {"host": {"f": host}},
    )
    with pytest.raises(Trap) as raised:
        instance.exports.function("outer")()
    assert [frame.function for frame in raised.value.frames] == [1, 2]


def test_names_in_a_backtrace(start: Start) -> None:
    """The name section's names; an export's where there is none."""
    text = """(module $calculator
      (func $innermost unreachable)
      (func $middle (call $innermost))
      (func $outermost (export "run") (call $middle)))"""
    with pytest.raises(Trap) as raised:
        start(text).exports.function("run")()
    assert [frame.name for frame in raised.value.frames] == ["innermost", "middle", "outermost"]
    lines = str(raised.value).splitlines()
    assert lines[0] == "unreachable"
    assert "innermost" in lines[1]
    assert lines[1].endswith(": unreachable")

    unnamed = '(module (func (export "run") unreachable))'
    with pytest.raises(Trap) as raised:
        start(unnamed).exports.function("run")()
    assert [frame.name for frame in raised.value.frames] == ["run"]


def test_places_in_a_recursion(start: Start) -> None:
    """A function that calls itself from several places: each frame has its own."""
    text = """(module (func $f (export "run") (param i32)
      (if (i32.eqz (local.get 0)) (then unreachable))
      (if (i32.rem_u (local.get 0) (i32.const 3))
        (then (call $f (i32.sub (local.get 0) (i32.const 1))))
        (else (call $f (i32.sub (local.get 0) (i32.const 1)))))))"""
    instance = start(text)
    with pytest.raises(Trap) as raised:
        instance.exports.function("run")(20)
    body = instance.module.module.functions[0].body
    trapping, first, second = (
        found.offset
        for found in instructions(instance.module.module.data, body)
        if found.opcode.mnemonic in ("unreachable", "call")
    )
    callers = [first if argument % 3 else second for argument in range(1, 21)]
    assert [frame.offset for frame in raised.value.frames] == [trapping, *callers]


def test_a_trap_in_the_start_function(start: Start) -> None:
    with pytest.raises(Trap) as raised:
        start("(module (func $a unreachable) (func $b (call $a)) (start $b))")
    assert raised.value.reason is TrapReason.UNREACHABLE
    assert [frame.function for frame in raised.value.frames] == [0, 1]


@pytest.mark.parametrize(
    ("segments", "reason"),
    [
        ('(memory 1) (data (i32.const 65534) "abc")', MEMORY),
        ('(memory 1) (data (i32.const -1) "abc")', MEMORY),
        ('(memory 0) (data (i32.const 0) "a")', MEMORY),
        ("(table 1 funcref) (func $f) (elem (i32.const 1) $f)", TABLE),
        ("(table 1 funcref) (func $f) (elem (i32.const -1) $f)", TABLE),
    ],
)
def test_a_segment_that_does_not_fit(start: Start, segments: str, reason: TrapReason) -> None:
    with pytest.raises(Trap) as raised:
        start(f"(module {segments} (func $s unreachable) (start $s))")
    assert raised.value.reason is reason


def test_the_host_sees_out_of_bounds_as_a_trap_too(start: Start) -> None:
    module = '(module (memory (export "m") 1) (table (export "t") 2 funcref))'
    exports = start(module).exports
    function = Function(FuncType((), (ValType.I32,)), lambda: 1)
    attempts: list[tuple[Callable[[], object], TrapReason]] = [
        (lambda: exports.memory("m").read(65535, 2), MEMORY),
        (lambda: exports.memory("m").read(-1, 1), MEMORY),
        (lambda: exports.memory("m").read(0, -1), MEMORY),
        (lambda: exports.memory("m").write(65533, b"abcd"), MEMORY),
        (lambda: exports.memory("m").write(-1, b""), MEMORY),
        (lambda: exports.memory("m").find(0, 65537), MEMORY),
        (lambda: exports.memory("m").find(0, -1), MEMORY),
        (lambda: exports.table("t").get(2), TABLE),
        (lambda: exports.table("t").get(-1), TABLE),
        (lambda: exports.table("t").set(2, function), TABLE),
    ]
    for attempt, reason in attempts:
        with pytest.raises(Trap) as raised:
            attempt()
        assert raised.value.reason is reason
