"""`Memory`, `Table` and `Global` as a user holds them, and the host's region of a memory."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest

from purewasm_plugins import (
    Global,
    Instance,
    Memory,
    ResourceLimitError,
    ResourceLimits,
    Table,
    Trap,
    TrapReason,
)
from purewasm_plugins.runtime.host_region import HostRegion
from purewasm_plugins.runtime.memory import GrowRefusal
from purewasm_plugins.wasm.types import GlobalType, Limits, MemoryType, TableType, ValType
from tests.conftest import assemble

Start = Callable[..., Instance]

PAGE = 65536

MODULE = """
(module
  (memory (export "memory") {limits})
  (func (export "size") (result i32) (memory.size))
  (func (export "grow") (param i32) (result i32) (memory.grow (local.get 0)))
  (func (export "load") (param i32) (result i32) (i32.load8_u (local.get 0)))
  (func (export "store") (param i32 i32) (i32.store8 (local.get 0) (local.get 1)))
  (func (export "fill") (param i32 i32) (memory.fill (local.get 0) (i32.const 255) (local.get 1)))
  (func (export "copy") (param i32 i32 i32)
    (memory.copy (local.get 0) (local.get 1) (local.get 2))))
"""


class Module:
    """An instance of MODULE: its memory, and its functions as methods."""

    def __init__(self, start: Start, limits: str, **resources: Any) -> None:
        self.exports = start(MODULE.format(limits=limits), **resources).exports
        self.memory = self.exports.memory()

    def __getattr__(self, name: str) -> Any:
        return self.exports[name]


def test_memory(start: Start) -> None:
    module = Module(start, "1 3")
    memory = module.memory
    assert isinstance(memory, Memory)
    assert memory.type == MemoryType(Limits(1, 3))
    assert (memory.pages, memory.size) == (1, PAGE)
    memory.write(PAGE - 4, b"wasm")
    assert memory.read(PAGE - 4, 4) == b"wasm"
    assert module.load(PAGE - 1) == ord("m")
    module.store(0, 200)
    assert memory.read(0, 2) == b"\xc8\0"
    assert type(memory.read(0, 1)) is bytes
    assert memory.read(PAGE, 0) == b""
    memory.write(PAGE, b"")
    for data in (bytearray(b"12"), memoryview(b"12")):
        memory.write(7, data)
        assert memory.read(7, 2) == b"12"
    assert memory.size == PAGE


def test_find(start: Start) -> None:
    memory = Module(start, "1").memory
    memory.write(100, b"a\0b")
    assert memory.find(0) == 0
    assert memory.find(ord("a")) == 100
    assert memory.find(ord("a"), 100) == 100
    assert memory.find(ord("a"), 101) == -1
    assert memory.find(ord("b"), 65535) == -1
    assert memory.find(0, PAGE) == -1
    with pytest.raises(Trap):
        memory.find(0, PAGE + 1)


def test_grow(start: Start) -> None:
    module = Module(start, "1 3")
    memory = module.memory
    assert memory.grow(0) == 1
    assert memory.grow(1) == 1
    assert module.size() == 2
    assert module.grow(1) == 2
    assert (memory.pages, memory.size) == (3, 3 * PAGE)
    assert memory.read(2 * PAGE, PAGE) == bytes(PAGE)
    assert module.grow(1) == -1
    with pytest.raises(ResourceLimitError) as raised:
        memory.grow(1)
    error = raised.value
    assert (error.limit, error.requested, error.allowed) == ("memory_pages", 4, 3)
    with pytest.raises(ResourceLimitError):
        memory.grow(-1)
    assert module.size() == 3


NO_ROOM = """
import resource, sys
from purewasm_plugins import ResourceLimitError, ResourceLimits, Table, instantiate
from purewasm_plugins.runtime.host_region import HostRegion
from purewasm_plugins.wasm.types import Limits, TableType, ValType

module, large = map(bytes.fromhex, sys.argv[2:])
options = {"engine": sys.argv[1], "limits": ResourceLimits(memory_pages=None, table_elements=None)}
exports = instantiate(module, **options).exports
memory, grow = exports["memory"], exports["grow"]
table = Table(TableType(ValType.FUNCREF, Limits(1, None)), limits=options["limits"])
resource.setrlimit(resource.RLIMIT_AS, (600 << 20, 600 << 20))
print("memory.grow", grow(30_000), grow(1), grow(0), memory.grow_refusal)
print("table.grow", table.try_grow(1 << 30, None), len(table))
for attempt in (
    lambda: HostRegion(memory).provide(1 << 31, 1),
    lambda: instantiate(large, **options),
    lambda: Table(TableType(ValType.FUNCREF, Limits(1 << 30, None)), limits=options["limits"]),
):
    try:
        attempt()
    except ResourceLimitError as error:
        print(error)
print("memory.grow", grow(1), memory.pages, len(memory.raw) // 65536)
region = HostRegion(memory).provide(1000, 30_000) // 65536
print("reserve", 3 < region < 9_000, grow(region - 3), grow(1), memory.grow_refusal)
"""


def test_no_room_on_the_machine(engine: str) -> None:
    """Without a limit of ours it is the machine that refuses, and nothing is half done then."""
    pytest.importorskip("resource", reason="only Unix lets a process limit itself")
    modules = [assemble(MODULE.format(limits=limits)).hex() for limits in ("1", "30000")]
    done = subprocess.run(
        [sys.executable, "-c", NO_ROOM, engine, *modules],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    refused = "and there is no room for them on this machine"
    assert done.stdout.splitlines() == [
        "memory.grow -1 1 2 GrowRefusal.LIMIT",
        "table.grow -1 1",
        f"the module asks for 32770 memory pages, {refused}",
        f"the module asks for 30000 memory pages, {refused}",
        f"the module asks for 1073741824 table elements, {refused}",
        "memory.grow 2 3 3",
        "reserve True 3 -1 GrowRefusal.LIMIT",
    ], done.stderr


def test_memory_without_pages(start: Start) -> None:
    module = Module(start, "0 1")
    assert (module.memory.size, module.size()) == (0, 0)
    assert module.memory.read(0, 0) == b""
    with pytest.raises(Trap):
        module.load(0)
    with pytest.raises(Trap):
        module.memory.read(0, 1)
    assert module.grow(1) == 0
    assert module.load(PAGE - 1) == 0


def test_memory_made_by_the_host(start: Start) -> None:
    memory = Memory(MemoryType(Limits(1)), ResourceLimits(memory_pages=2))
    instance = start(
        """(module (import "e" "m" (memory 1))
             (func (export "grow") (result i32) (memory.grow (i32.const 1))))""",
        {"e": {"m": memory}},
    )
    assert instance.exports.function("grow")() == 1
    assert instance.exports.function("grow")() == -1, (
        "the limits it was made with are the ones that hold"
    )
    with pytest.raises(ResourceLimitError):
        Memory(MemoryType(Limits(3)), ResourceLimits(memory_pages=2))


# The host's region.


def test_host_region_is_out_of_sight(start: Start) -> None:
    module = Module(start, "1 100")
    memory = module.memory
    region = HostRegion(memory).provide(1000, 4)
    assert region % PAGE == 0
    assert region == 5 * PAGE
    assert len(memory.raw) >= region + 1000
    # memory.size and memory.grow do not know of it,
    assert module.size() == 1
    assert (memory.pages, memory.size) == (1, PAGE)
    assert module.grow(1) == 1
    assert module.size() == 2
    # but the plugin can read and write what it is given a pointer to, and so can the host.
    memory.write(region, b"input")
    assert module.load(region) == ord("i")
    module.store(region, ord("I"))
    assert memory.read(region, 5) == b"Input"
    module.copy(0, region, 5)
    assert memory.read(0, 5) == b"Input"


def test_pages_grown_in_front_of_the_host_region_are_zero(start: Start) -> None:
    """Even where the plugin wrote to them before they were its own."""
    module = Module(start, "1 100")
    memory = module.memory
    region = HostRegion(memory).provide(10, 3)
    memory.write(region, b"input")
    memory.raw[PAGE : 2 * PAGE] = b"\xff" * PAGE
    assert module.grow(1) == 1
    assert memory.read(PAGE, PAGE) == bytes(PAGE)
    module.fill(PAGE, PAGE)
    assert module.grow(2) == 2
    assert memory.read(2 * PAGE, 2 * PAGE) == bytes(2 * PAGE)
    assert memory.grow_refusal is None
    assert module.grow(1) == -1, "the region begins where its reserve ends"
    assert memory.grow_refusal is GrowRefusal.HOST_REGION
    assert memory.read(region, 5) == b"input"
    assert module.size() == 4


def test_host_region_keeps_a_memory_of_fixed_size_fixed(start: Start) -> None:
    module = Module(start, "1 1")
    region = HostRegion(module.memory).provide(PAGE + 1, 64)
    assert region == PAGE
    assert len(module.memory.raw) == 3 * PAGE
    assert module.size() == 1
    assert module.grow(1) == -1
    assert module.memory.grow_refusal is None, "its own maximum refused it, not the host"


def test_host_region_of_a_memory_without_pages(start: Start) -> None:
    module = Module(start, "0")
    region = HostRegion(module.memory).provide(5, 2)
    assert region == 2 * PAGE
    module.memory.write(region, b"input")
    assert module.load(region) == ord("i")
    assert module.size() == 0
    assert module.grow(2) == 0
    assert module.grow(1) == -1


@pytest.mark.parametrize(("offset", "size"), [(PAGE - 1, 2), (PAGE, 1), (3 * PAGE - 1, 2)])
def test_the_reserve_is_out_of_bounds_for_the_host(start: Start, offset: int, size: int) -> None:
    """Between the module's pages and the region, and across the end of either."""
    memory = Module(start, "1 100").memory
    HostRegion(memory).provide(PAGE, 2)
    for attempt in (
        lambda: memory.read(offset, size),
        lambda: memory.write(offset, b"x" * size),
        lambda: memory.read(4 * PAGE, 1),
    ):
        with pytest.raises(Trap) as raised:
            attempt()
        assert raised.value.reason is TrapReason.OUT_OF_BOUNDS_MEMORY_ACCESS


def test_nothing_at_the_very_end_of_the_host_region(start: Start) -> None:
    """No bytes may be copied there, as to the end of any memory."""
    module = Module(start, "1 100")
    end = HostRegion(module.memory).provide(PAGE, 2) + PAGE
    module.copy(end, 0, 0)
    module.copy(0, end, 0)
    module.fill(end, 0)
    assert module.memory.read(end, 0) == b""
    with pytest.raises(Trap):
        module.copy(end + 1, 0, 0)
    with pytest.raises(Trap):
        module.fill(end, 1)


def test_host_region_counts_towards_the_limit(start: Start) -> None:
    module = Module(start, "1", memory_pages=4)
    assert HostRegion(module.memory).provide(2 * PAGE, 64) == 2 * PAGE
    assert len(module.memory.raw) == 4 * PAGE
    assert module.grow(1) == 1
    assert module.grow(1) == -1
    with pytest.raises(ResourceLimitError) as raised:
        HostRegion(module.memory).provide(3 * PAGE, 0)
    assert raised.value.limit == "memory_pages"
    assert module.size() == 2


def test_host_region_moves_up_and_stays(start: Start) -> None:
    module = Module(start, "1")
    memory = module.memory
    first = HostRegion(memory).provide(100, 8)
    assert HostRegion(memory).provide(200, 8) == first
    length = len(memory.raw)
    assert module.grow(3) == 1
    assert HostRegion(memory).provide(200, 8) == first, "half of its reserve is left"
    assert len(memory.raw) == length
    assert module.grow(3) == 4
    second = HostRegion(memory).provide(200, 8)
    assert second == 15 * PAGE
    assert module.grow(8) == 7
    assert module.grow(1) == -1


# Tables and globals.

TABLES = """
(module
  (table $t (export "t") 2 5 funcref)
  (table $x (export "x") 1 externref)
  (func $one (export "one") (result i32) (i32.const 1))
  (elem declare func $one)
  (func (export "set") (param i32) (table.set $t (local.get 0) (ref.func $one)))
  (func (export "size") (result i32) (table.size $t))
  (func (export "grow") (param i32) (result i32)
    (table.grow $t (ref.func $one) (local.get 0)))
  (func (export "is_null") (param i32) (result i32) (ref.is_null (table.get $t (local.get 0))))
  (func (export "get") (param i32) (result externref) (table.get $x (local.get 0)))
  (func (export "put") (param i32 externref) (table.set $x (local.get 0) (local.get 1)))
  (func (export "fill") (param externref i32) (result i32)
    (drop (table.grow $x (ref.null extern) (i32.const 3)))
    (table.fill $x (i32.const 1) (local.get 0) (local.get 1))
    (table.size $x)))
"""


def test_table_of_functions(start: Start) -> None:
    exports = start(TABLES).exports
    table = exports.table("t")
    assert isinstance(table, Table)
    assert len(table) == 2
    assert table.get(0) is None
    exports.function("set")(1)
    assert table.get(1) is exports["one"]
    table.set(0, exports["one"])
    assert exports.function("is_null")(0) == 0
    table.set(0, None)
    assert exports.function("is_null")(0) == 1
    assert exports.function("grow")(1) == 2
    assert table.get(2) is exports["one"]
    assert table.grow(2) == 3
    assert exports.function("size")() == len(table) == 5
    assert exports.function("grow")(1) == -1
    with pytest.raises(ResourceLimitError) as raised:
        table.grow(1)
    error = raised.value
    assert (error.limit, error.requested, error.allowed) == ("table_elements", 6, 5)
    for wrong in (5, print, "f"):
        with pytest.raises(TypeError):
            table.set(0, wrong)
    with pytest.raises(TypeError):
        table.grow(0, print)


def test_table_of_host_objects(start: Start) -> None:
    exports = start(TABLES).exports
    table = exports.table("x")
    thing = object()
    assert exports.function("get")(0) is None
    exports.function("put")(0, thing)
    assert table.get(0) is thing
    table.set(0, "text")
    assert exports.function("get")(0) == "text"
    assert exports.function("fill")(thing, 2) == 4
    assert [table.get(index) for index in range(4)] == ["text", thing, thing, None]


def test_table_made_by_the_host() -> None:
    table = Table(
        TableType(ValType.EXTERNREF, Limits(2, 4)), "x", limits=ResourceLimits(table_elements=3)
    )
    assert [table.get(0), table.get(1)] == ["x", "x"]
    table.grow(1)
    with pytest.raises(ResourceLimitError):
        table.grow(1)
    with pytest.raises(TypeError):
        Table(TableType(ValType.FUNCREF, Limits(1)), "x")
    with pytest.raises(ResourceLimitError):
        Table(TableType(ValType.FUNCREF, Limits(5)), limits=ResourceLimits(table_elements=4))


GLOBALS = """
(module
  (global (export "constant") i32 (i32.const -3))
  (global $i (export "i64") (mut i64) (i64.const -1))
  (global $f (export "f32") (mut f32) (f32.const 0.5))
  (global $v (export "v128") (mut v128) (v128.const i8x16 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16))
  (global $e (export "externref") (mut externref) (ref.null extern))
  (func $one (export "one"))
  (global (export "funcref") funcref (ref.func $one))
  (func (export "get") (result i64) (global.get $i))
  (func (export "set") (param i64 externref)
    (global.set $i (local.get 0))
    (global.set $e (local.get 1))))
"""


def test_globals(start: Start) -> None:
    exports = start(GLOBALS).exports
    values = {name: e.value for name, e in exports.items() if isinstance(e, Global)}
    assert values == {
        "constant": -3,
        "i64": -1,
        "f32": 0.5,
        "v128": bytes(range(1, 17)),
        "externref": None,
        "funcref": exports["one"],
    }
    exports.global_("i64").value = 2**64 - 2
    assert exports.function("get")() == -2
    thing = object()
    exports.function("set")(5, thing)
    assert exports.global_("i64").value == 5
    assert exports.global_("externref").value is thing
    assert exports["constant"].type == GlobalType(ValType.I32)
    with pytest.raises(TypeError, match="immutable"):
        exports.global_("constant").value = 1
    for name, wrong in (("i64", "1"), ("f32", None), ("v128", 5)):
        with pytest.raises(TypeError):
            exports.global_(name).value = wrong
    with pytest.raises(ValueError, match="does not fit"):
        exports.global_("i64").value = 2**64


def test_globals_made_by_the_host() -> None:
    assert Global(GlobalType(ValType.I32)).value == 0
    assert Global(GlobalType(ValType.V128)).value == bytes(16)
    assert Global(GlobalType(ValType.EXTERNREF)).value is None
    assert Global(GlobalType(ValType.I32), 2**32 - 1).value == -1
    with pytest.raises(TypeError):
        Global(GlobalType(ValType.I32), "1")


def test_what_a_host_wants_to_know_of_growth() -> None:
    """`on_resize` is called when the bytes may lie elsewhere, and then only."""
    memory = Memory(MemoryType(Limits(1, 4)))
    sizes: list[int] = []
    memory.on_resize = lambda: sizes.append(len(memory.raw))
    assert [memory.try_grow(pages) for pages in (2, 0, 9)] == [1, 3, -1]
    assert sizes == [3 * 65536]


def test_the_limit_of_one_table() -> None:
    """It holds beside that of all tables of an instance."""
    first = Table(TableType(ValType.EXTERNREF, Limits(1)))
    second = Table(TableType(ValType.EXTERNREF, Limits(1)), beside=[first])
    first.own_limit = 3
    assert [first.try_grow(count, None) for count in (3, 2, 1)] == [-1, 1, -1]
    assert second.try_grow(100, None) == 1
    first.own_limit = None
    assert first.try_grow(1, None) == 3
