"""What a call takes of Python's memory and time: no more than its limits, whatever it does."""

from __future__ import annotations

import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Callable
from typing import Any

import pytest

from purewasm_plugins import (
    DeadlineExceeded,
    Instance,
    MemoryInUse,
    OutOfMemory,
    ResourceLimitError,
    ResourceLimits,
    Table,
    TrapReason,
)
from purewasm_plugins.runtime.host_region import HostRegion
from purewasm_plugins.wasm.types import Limits, TableType, ValType
from tests.conftest import assemble

Start = Callable[..., Instance]

#: 64 MiB, the limit.
PAGES = 1024
SIZE = PAGES * 65536


def loop(instruction: str, repeated: int = 1) -> str:
    """A module whose `run` repeats an instruction, written so many times, for ever."""
    return f"""(module (memory {PAGES}) (table 1000000 funcref)
      (data "{"a" * 0x10000}") (elem funcref {"(ref.null func)" * 10000})
      (func (export "run") (loop {instruction * repeated} (br 0)))
      (func (export "fine") (result i32) (i32.const 7)))"""


LONG = [
    f"(memory.fill (i32.const 0) (i32.const 1) (i32.const {SIZE}))",
    f"(memory.copy (i32.const 0) (i32.const 1) (i32.const {SIZE - 1}))",
    f"(memory.copy (i32.const 1) (i32.const 0) (i32.const {SIZE - 1}))",
    "(memory.init 0 (i32.const 0) (i32.const 0) (i32.const 65536))",
    "(table.fill (i32.const 0) (ref.null func) (i32.const 1000000))",
    "(table.copy (i32.const 1) (i32.const 0) (i32.const 999999))",
    "(table.init 0 0 (i32.const 0) (i32.const 0) (i32.const 10000))",
]


@pytest.mark.parametrize("repeated", [1, 100], ids=["in a loop", "on a straight line"])
@pytest.mark.parametrize("instruction", LONG, ids=[text.split()[0][1:] for text in LONG])
def test_a_deadline_is_kept_by_long_instructions(
    start: Start, instruction: str, repeated: int
) -> None:
    instance = start(loop(instruction, repeated), timeout=0.1, fuel=None)
    began = time.monotonic()
    with pytest.raises(DeadlineExceeded):
        instance.exports.function("run")()
    assert time.monotonic() - began < 3
    assert instance.exports.function("fine")() == 7


def test_a_deadline_is_kept_by_host_calls_on_a_straight_line(start: Start) -> None:
    calls: list[int] = []

    def host() -> None:
        calls.append(1)
        time.sleep(0.05)

    module = f'(module (import "h" "f" (func $h)) (func (export "run") {"(call $h)" * 20}))'
    instance = start(module, {"h": {"f": host}}, timeout=0.1)
    with pytest.raises(DeadlineExceeded):
        instance.exports.function("run")()
    # On a busy machine the first may take all of it.
    assert len(calls) <= 3


PEAK = """
import resource, sys
from purewasm_plugins import ResourceLimits, WasmError, instantiate
engine, module, limits = sys.argv[1], bytes.fromhex(sys.argv[2]), eval(sys.argv[3])
def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10
before = peak()
try:
    instantiate(module, engine=engine, limits=ResourceLimits(**limits)).exports["run"]()
    answer = "done"
except WasmError as error:
    answer = type(error).__name__
print(answer, peak() - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="other systems count in other units")
@pytest.mark.parametrize(
    ("module", "limits", "answer", "megabytes"),
    [
        *(
            (f'(module (memory {PAGES}) (func (export "run") {text}))', {}, "done", 64)
            for text in LONG[:3]
        ),
        (
            '(module (memory 1) (func (export "run") (drop (memory.grow (i32.const 1023)))))',
            {},
            "done",
            64,
        ),
        (
            """(module (memory 1) (func (export "run")
                 (loop (br_if 0 (i32.ge_s (memory.grow (i32.const 16)) (i32.const 0))))))""",
            {"memory_pages": 4096},
            "done",
            256,
        ),
        (f"(module {'(table 1000000 funcref)' * 100})", {}, "ResourceLimitError", 0),
        (
            f"""(module {"(table 0 funcref)" * 100} (func (export "run") {
                "".join(
                    f"(drop (table.grow {i} (ref.null func) (i32.const 1000000)))"
                    for i in range(100)
                )
            }))""",
            {},
            "done",
            8,
        ),
    ],
    ids=["fill", "copy down", "copy up", "grow", "grow little by little", "tables", "grow tables"],
)
def test_the_peak_is_the_limit(
    engine: str, module: str, limits: dict[str, Any], answer: str, megabytes: int
) -> None:
    """With a margin for Python's own objects that is smaller than a copy would be."""
    done = subprocess.run(
        [sys.executable, "-c", PEAK, engine, assemble(module).hex(), repr(limits)],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    found, peak = done.stdout.split()
    assert found == answer
    assert int(peak) <= megabytes + 40


# The limit on tables.

TABLES = """
(module
  (table $a (export "a") 3 funcref) (table $b (export "b") 4 externref)
  (func (export "grow_a") (param i32) (result i32)
    (table.grow $a (ref.null func) (local.get 0)))
  (func (export "grow_b") (param i32) (result i32)
    (table.grow $b (ref.null extern) (local.get 0))))
"""


def test_tables_share_their_limit(start: Start) -> None:
    with pytest.raises(ResourceLimitError) as raised:
        start(TABLES, table_elements=6)
    assert (raised.value.requested, raised.value.allowed) == (7, 6)
    exports = start(TABLES, table_elements=10).exports
    assert exports.function("grow_a")(4) == -1
    assert exports.function("grow_a")(2) == 3
    assert exports.function("grow_b")(2) == -1
    assert exports.function("grow_b")(1) == 4
    assert exports.function("grow_a")(1) == -1
    assert exports.function("grow_a")(0) == 5
    with pytest.raises(ResourceLimitError) as raised:
        exports.table("b").grow(2)
    assert (raised.value.limit, raised.value.requested, raised.value.allowed) == (
        "table_elements",
        7,
        5,
    )


def test_a_table_of_another_instance_has_the_limit_of_that(start: Start) -> None:
    owner = start('(module (table (export "t") 8 funcref))', table_elements=9)
    user = start(
        """(module (import "m" "t" (table 1 funcref)) (table 5 funcref)
             (func (export "grow") (param i32) (result i32)
               (table.grow 0 (ref.null func) (local.get 0))))""",
        {"m": owner.exports},
        table_elements=6,
    )
    assert user.exports.function("grow")(2) == -1
    assert user.exports.function("grow")(1) == 8
    assert user.exports.function("grow")(1) == -1


def test_declarative_segments_hold_nothing(start: Start) -> None:
    start("(module (func $f) (elem declare func $f $f $f))", table_elements=0)


# No room.

GROW = """
(module (import "h" "f" (func $host)) (memory (export "memory") 1)
  (func (export "grow") (result i32) (call $host) (memory.grow (i32.const 1)))
  (func (export "fill") (call $host) (memory.fill (i32.const 0) (i32.const 7) (i32.const 65536)))
  (func (export "copy") (call $host) (memory.copy (i32.const 1) (i32.const 0) (i32.const 65535)))
  (func (export "catch") (result i32) (call $host) (memory.size)))
"""


def test_a_view_of_the_memory_keeps_it_from_growing(start: Start) -> None:
    views: list[memoryview] = []

    def host() -> None:
        views.append(memoryview(instance.exports.memory().raw))

    instance = start(GROW, {"h": {"f": host}})
    memory = instance.exports.memory()
    # What does not grow it is not hindered.
    instance.exports.function("fill")()
    instance.exports.function("copy")()
    for _ in range(2):
        with pytest.raises(MemoryInUse) as raised:
            instance.exports.function("grow")()
        assert raised.value.reason is TrapReason.MEMORY_IN_USE
        assert raised.value.frames[0].name == "grow"
        assert raised.value.frames[0].instruction == "memory.grow"
    with pytest.raises(MemoryInUse):
        memory.grow(1)
    with pytest.raises(MemoryInUse):
        HostRegion(memory).provide(1, 1)
    assert (memory.pages, len(memory.raw)) == (1, 65536)
    for view in views:
        view.release()
    views.clear()
    assert memory.grow(1) == 1
    assert memory.read(65535, 2) == b"\x07\0"


def test_a_host_function_may_catch_it(start: Start) -> None:
    def host() -> None:
        with memoryview(memory.raw), pytest.raises(MemoryInUse):
            memory.grow(1)

    instance = start(GROW, {"h": {"f": host}})
    memory = instance.exports.memory()
    assert instance.exports.function("catch")() == 1
    assert instance.exports.function("grow")() == 1


def test_no_room_for_a_call(start: Start) -> None:
    """Python's `MemoryError` is a trap, wherever it comes from, and the instance goes on."""

    class Full(Table):
        def try_grow(self, count: int, value: Any, spend: Any = None) -> int:
            raise MemoryError

    instance = start(
        """(module (import "m" "t" (table 1 funcref))
             (func $grow (result i32)
               (loop (result i32) (table.grow (ref.null func) (i32.const 1))))
             (func (export "run") (loop (drop (call $grow))))
             (func (export "fine") (result i32) (loop (result i32) (i32.const 7))))""",
        {"m": {"t": Full(TableType(ValType.FUNCREF, Limits(1)))}},
    )
    for _ in range(2):
        with pytest.raises(OutOfMemory) as raised:
            instance.exports.function("run")()
        assert raised.value.reason is TrapReason.OUT_OF_MEMORY
        with pytest.raises(OutOfMemory):
            # As the plugin layer calls it.
            instance.exports.function("run").entry()
        assert instance.exports.function("fine")() == 7


def test_no_room_for_an_instance(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_room(*arguments: Any) -> None:
        raise MemoryError

    # By its name the function of that name would be found.
    monkeypatch.setattr(sys.modules["purewasm_plugins.engine.instantiate"], "Global", no_room)
    with pytest.raises(OutOfMemory):
        start("(module (global i32 (i32.const 0)))")


def test_a_memory_error_of_a_host_function_is_its_own(start: Start) -> None:
    def host() -> None:
        raise MemoryError("mine")

    instance = start(GROW, {"h": {"f": host}})
    with pytest.raises(MemoryError, match="mine"):
        instance.exports.function("grow")()


# What is given.


def test_imports_may_be_made_when_they_are_asked_for(start: Start) -> None:
    asked: list[str] = []

    class Namespace(dict[str, Any]):
        def __missing__(self, name: str) -> Any:
            asked.append(name)
            return lambda: 7

    imports: defaultdict[str, Any] = defaultdict(Namespace)
    module = '(module (import "m" "f" (func $f (result i32))) (export "run" (func $f)))'
    instance = start(module, imports)
    assert instance.exports.function("run")() == 7
    assert asked == ["f"]


@pytest.mark.parametrize("name", ResourceLimits.__annotations__)
@pytest.mark.parametrize("value", ["10", b"1", [], True, 1j, -1])
def test_a_limit_is_a_number(name: str, value: Any) -> None:
    with pytest.raises(ValueError, match=f"the limit {name} must"):
        ResourceLimits(**{name: value})


@pytest.mark.parametrize(
    "name", [name for name in ResourceLimits.__annotations__ if name != "timeout"]
)
@pytest.mark.parametrize("value", [1.5, 2.0, float("nan"), float("inf")])
def test_what_is_counted_is_a_whole_number(name: str, value: Any) -> None:
    with pytest.raises(ValueError, match=f"the limit {name} must be an int or None"):
        ResourceLimits(**{name: value})


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -0.5, 10**400, float("-inf")])
def test_a_timeout_is_a_time(value: float) -> None:
    with pytest.raises(ValueError, match="the limit timeout must"):
        ResourceLimits(timeout=value)
    assert ResourceLimits(timeout=1).timeout == 1
    assert ResourceLimits(timeout=0.5).timeout == 0.5


# What is moved in pieces arrives whole.

MOVE = """
(module
  (memory (export "memory") 96) (table (export "table") 800000 externref)
  (func (export "memory.copy") (param i32 i32 i32)
    (memory.copy (local.get 0) (local.get 1) (local.get 2)))
  (func (export "memory.fill") (param i32 i32 i32)
    (memory.fill (local.get 0) (local.get 1) (local.get 2)))
  (func (export "table.copy") (param i32 i32 i32)
    (table.copy (local.get 0) (local.get 1) (local.get 2)))
  (func (export "table.fill") (param i32 externref i32)
    (table.fill (local.get 0) (local.get 1) (local.get 2))))
"""


@pytest.mark.parametrize(
    ("destination", "source", "size"),
    [
        (1, 0, 1),
        (1, 0, 0x300005),
        (0, 1, 0x300005),
        (0x100000, 0, 0x300000),
        (0, 0x100000, 0x300000),
        (0x180001, 3, 0x400000),
        (3, 0x180001, 0x400000),
        (7, 7, 0x200000),
    ],
)
def test_overlapping_copies(start: Start, destination: int, source: int, size: int) -> None:
    exports = start(MOVE).exports
    data = exports.memory().raw
    data[:] = bytes(range(251)) * (len(data) // 251) + bytes(len(data) % 251)
    expected = bytearray(data)
    expected[destination : destination + size] = bytes(data)[source : source + size]
    exports.function("memory.copy")(destination, source, size)
    assert data == expected
    # A table has pieces of a quarter as many elements.
    elements = exports.table("table").elements
    elements[:] = range(len(elements))
    destination, source, size = destination // 8, source // 8, size // 8
    expected_elements = list(elements)
    expected_elements[destination : destination + size] = elements[source : source + size]
    exports.function("table.copy")(destination, source, size)
    assert elements == expected_elements


@pytest.mark.parametrize("size", [0, 1, 4096, 4097, 0x100000, 0x100001, 0x2FFFFF])
def test_long_fills(start: Start, size: int) -> None:
    exports = start(MOVE).exports
    data, elements = exports.memory().raw, exports.table("table").elements
    exports.function("memory.fill")(5, 0x1FF, size)
    assert data == bytes(5) + b"\xff" * size + bytes(len(data) - size - 5)
    size = size // 4
    exports.function("table.fill")(5, "x", size)
    assert elements == [None] * 5 + ["x"] * size + [None] * (len(elements) - size - 5)
