"""Addresses: the masks that are left out, facts from accesses, and views of aligned numbers.

Each shape is compared with wasmtime, for addresses near zero, the end of memory, and 2 ** 32.
"""

from __future__ import annotations

import functools
import gc
import struct
import sys
import weakref
from collections.abc import Callable

import pytest
import wasmtime

from purewasm_plugins import (
    Function,
    FuncType,
    Instance,
    Limits,
    Memory,
    MemoryInUse,
    MemoryType,
    OutOfFuel,
    ResourceLimits,
    Trap,
    TrapReason,
    instantiate,
)
from purewasm_plugins.engine.translator import Translator
from purewasm_plugins.engine.translator.source import compiled
from purewasm_plugins.runtime import memory as memory_module
from purewasm_plugins.runtime.host_region import HostRegion
from purewasm_plugins.wasm import load

Wat = Callable[[str], bytes]

PAGE = 65536

#: Bodies of functions of two i32, `$p` and `$q`, with one result, an i64, and locals to use.
SHAPES = {
    "a sum after an access": """
        (i32.store8 (local.get $p) (i32.const 1))
        (i64.extend_i32_u (i32.shr_u (i32.add (local.get $p) (i32.const 5)) (i32.const 1)))""",
    "a sum after an access at a sum": """
        (i32.store offset=4 (i32.add (local.get $p) (i32.const 8)) (i32.const 1))
        (i64.extend_i32_u (i32.shr_u (i32.add (local.get $p) (i32.const 8)) (i32.const 1)))""",
    "a difference after an access at a difference": """
        (drop (i32.load (i32.sub (local.get $p) (i32.const 8))))
        (i64.extend_i32_u (i32.shr_u (i32.sub (local.get $p) (i32.const 8)) (i32.const 1)))""",
    "an access in an arm": """
        (if (local.get $q) (then (i32.store8 (local.get $p) (i32.const 1))))
        (i64.extend_i32_u (i32.shr_u (i32.add (local.get $p) (i32.const 5)) (i32.const 1)))""",
    "an access before a branch": """
        (block $out
          (br_if $out (local.get $q))
          (drop (i32.load16_u (local.get $p))))
        (i64.extend_i32_u (i32.shr_u (i32.add (local.get $p) (i32.const 5)) (i32.const 1)))""",
    "an access in the part of a switch": """
        (block $c (block $b (block $a (br_table $a $b $c (local.get $q)))
          (i32.store8 (local.get $p) (i32.const 1)) (br $b))
          (local.set $x (i32.const 3)))
        (i64.extend_i32_u (i32.shr_u (i32.add (local.get $p) (i32.const 5)) (local.get $x)))""",
    "the local is set after the access": """
        (i32.store8 (local.get $p) (i32.const 1))
        (local.set $p (local.get $q))
        (i64.extend_i32_u (i32.shr_u (i32.add (local.get $p) (i32.const 5)) (i32.const 1)))""",
    "the access is evaluated after the sum": """
        (i64.add
          (i64.extend_i32_u (i32.load8_u (local.get $p)))
          (i64.extend_i32_u (i32.shr_u (i32.add (local.get $p) (i32.const 5)) (i32.const 1))))""",
    "a signed comparison after an access": """
        (drop (i32.load8_u (local.get $p)))
        (i64.extend_i32_u (i32.lt_s (local.get $p) (local.get $q)))""",
    "a wrapped i64": """
        (local.set $w (i64.or (i64.extend_i32_u (local.get $p)) (i64.const 0x700000000)))
        (i32.store8 (i32.wrap_i64 (local.get $w)) (i32.const 1))
        (i64.shr_u (i64.add (local.get $w) (i64.const 5)) (i64.const 1))""",
    "in a loop": """
        (loop $again
          (i32.store16 offset=2 (i32.add (local.get $p) (i32.const 12)) (i32.const 0x1234))
          (drop (i32.load8_s offset=1 (i32.sub (local.get $p) (i32.const 1))))
          (local.set $p (i32.add (local.get $p) (local.get $q)))
          (br_if $again (i32.lt_u (local.tee $x (i32.add (local.get $x) (i32.const 1)))
            (i32.const 3))))
        (i64.extend_i32_u (local.get $p))""",
    "an array": """
        (i32.store offset=16 (i32.add (i32.shl (local.get $p) (i32.const 2)) (i32.const 64))
          (local.get $q))
        (i64.load32_u (i32.shl (local.get $q) (i32.const 2)))""",
    "an array of an array": """
        (i64.store (i32.shl (i32.load (i32.shl (local.get $p) (i32.const 2))) (i32.const 3))
          (i64.const -2))
        (i64.load (i32.mul (local.get $q) (i32.const 24)))""",
    "two strides": """
        (f64.store (i32.sub (i32.shl (local.get $p) (i32.const 4))
            (i32.shl (local.get $q) (i32.const 3))) (f64.const 1.5))
        (i64.load offset=8 (i32.add (i32.shl (local.get $q) (i32.const 3))
          (i32.and (local.get $p) (i32.const -8))))""",
    "masked": """
        (i32.store16 (i32.and (local.get $p) (i32.const -2)) (local.get $q))
        (i64.extend_i32_u (i32.add (i32.load16_u (i32.and (local.get $p) (i32.const 0xfffe)))
          (i32.load (i32.and (local.get $q) (i32.const 0x7ffffffc)))))""",
    "a mask that is too small": """
        (i32.store (i32.and (local.get $p) (i32.const -2)) (local.get $q))
        (i64.extend_i32_u (i32.load (i32.shl (local.get $p) (i32.const 1))))""",
    "an offset that is not aligned": """
        (i32.store offset=2 (i32.and (local.get $p) (i32.const -4)) (local.get $q))
        (i64.load offset=4 (i32.and (local.get $p) (i32.const -8)))""",
    "a pointer that steps": """
        (local.set $x (i32.and (local.get $p) (i32.const -4)))
        (loop $again
          (i32.store (local.get $x) (local.get $y))
          (local.set $x (i32.add (local.get $x) (i32.const 12)))
          (br_if $again (i32.lt_u (local.tee $y (i32.add (local.get $y) (i32.const 1)))
            (i32.const 4))))
        (i64.extend_i32_u (local.get $x))""",
    "a pointer that steps by what it is not told": """
        (local.set $x (i32.and (local.get $p) (i32.const -4)))
        (loop $again
          (i32.store (local.get $x) (local.get $y))
          (local.set $x (i32.add (local.get $x) (local.get $q)))
          (br_if $again (i32.lt_u (local.tee $y (i32.add (local.get $y) (i32.const 1)))
            (i32.const 4))))
        (i64.extend_i32_u (local.get $x))""",
    "pointers that change places": """
        (local.set $x (i32.and (local.get $p) (i32.const -4)))
        (loop $again
          (i32.store (local.get $x) (local.get $y))
          (local.set $w (i64.extend_i32_u (local.get $x)))
          (local.set $x (local.get $z))
          (local.set $z (i32.add (i32.wrap_i64 (local.get $w)) (i32.const 4)))
          (if (i32.eq (local.get $y) (local.get $q)) (then (local.set $z (local.get $p))))
          (br_if $again (i32.lt_u (local.tee $y (i32.add (local.get $y) (i32.const 1)))
            (i32.const 6))))
        (i64.extend_i32_u (local.get $x))""",
    "a pointer of two arms": """
        (if (local.get $q)
          (then (local.set $x (i32.const 64)))
          (else (local.set $x (local.get $p))))
        (i64.extend_i32_u (i32.load (local.get $x)))""",
    "a local that is never set": """
        (i64.store (local.get $x) (i64.extend_i32_s (local.get $p)))
        (i64.load (local.get $y))""",
    "selected": """
        (i32.store (select (i32.shl (local.get $p) (i32.const 2)) (i32.const 40) (local.get $q))
          (local.get $q))
        (i64.extend_i32_u (i32.load (i32.const 40)))""",
    "a value that traps": """
        (i32.store (i32.shl (local.get $p) (i32.const 2))
          (i32.div_u (i32.const 100) (local.get $q)))
        (i64.load (i32.const 0))""",
    "an address that traps, and a value": """
        (i32.store
          (i32.shl (i32.load8_u (local.get $p)) (i32.const 2))
          (i32.div_u (i32.load (i32.const 0)) (local.get $q)))
        (i64.load (i32.const 0))""",
    "a load before a store": """
        (i64.load (i32.const 64))
        (i32.store (i32.const 64) (local.get $p))
        (i64.add (i64.load (i32.const 64)))""",
    "a load before a growth": """
        (i64.extend_i32_u (i32.load (i32.shl (local.get $p) (i32.const 2))))
        (drop (memory.grow (i32.const 1)))
        (i64.add (i64.extend_i32_u (i32.load (i32.shl (local.get $q) (i32.const 2)))))""",
    "a call in the address": """
        (i32.load (i32.shl (call $grow (local.get $p)) (i32.const 2)))
        (i32.store (i32.shl (call $grow (local.get $q)) (i32.const 2)) (call $grow (i32.const 7)))
        (i64.extend_i32_u)""",
    "growth in a loop": """
        (loop $again
          (i32.store (i32.shl (local.get $p) (i32.const 2)) (local.get $q))
          (drop (call $grow (i32.const 0)))
          (local.set $p (i32.add (local.get $p) (i32.const 9000)))
          (br_if $again (i32.lt_u (local.tee $x (i32.add (local.get $x) (i32.const 1)))
            (i32.const 6))))
        (i64.load (i32.const 65544))""",
    "signalling NaNs": """
        (i64.store (i32.const 128) (i64.const 0x7ff0000000000001))
        (f64.store (i32.const 136) (f64.load (i32.const 128)))
        (i64.load (i32.const 136))""",
}

MODULE = """(module (memory (export "memory") {pages} 8)
  (func $grow (param i32) (result i32) (drop (memory.grow (i32.const 1))) (local.get 0))
  (func (export "f") (param $p i32) (param $q i32) (result i64)
    (local $x i32) (local $y i32) (local $z i32) (local $w i64)
    {body})
  (data (i32.const 0) "\\01\\02\\03\\04\\05\\06\\07\\08\\f9\\fa\\fb\\fc\\fd"))"""

EDGES: tuple[int, ...] = (0, 1, 3, 4, 8, 12, 64, 16383, 16384, 65528, 65531, 65532, 65535, 65536)
EDGES += (131064, 0x3FFEFFFF, 0x3FFFFFFF, 0x40000000, 0x40000001, 0x7FFFFFFF)
EDGES += (-1, -2, -3, -4, -5, -8, -16384, -(1 << 31))
OTHERS = (0, 1, -4, 13)


@functools.cache
def theirs(data: bytes, arguments: tuple[int, int]) -> tuple[object, bytes]:
    store = wasmtime.Store(ENGINE)
    exports = wasmtime.Instance(store, wasmtime.Module(ENGINE, data), []).exports(store)
    function, memory = exports["f"], exports["memory"]
    assert isinstance(function, wasmtime.Func)
    assert isinstance(memory, wasmtime.Memory)
    result: object
    try:
        result = function(store, *arguments)
    except wasmtime.Trap as trap:
        result = trap.trap_code
    return result, bytes(memory.read(store, 0, None))


ENGINE = wasmtime.Engine()
REASONS = {
    TrapReason.OUT_OF_BOUNDS_MEMORY_ACCESS: wasmtime.TrapCode.MEMORY_OUT_OF_BOUNDS,
    TrapReason.INTEGER_DIVIDE_BY_ZERO: wasmtime.TrapCode.INTEGER_DIVISION_BY_ZERO,
}


def ours(instance: Instance, arguments: tuple[int, int]) -> tuple[object, bytes]:
    result: object
    try:
        result = instance.exports.function("f")(*arguments)
    except Trap as trap:
        result = REASONS[trap.reason]
    return result, bytes(instance.exports.memory("memory").raw)


@pytest.mark.parametrize("name", SHAPES)
@pytest.mark.parametrize("kind", ["bounded", "unbounded", "without views"])
def test_same_as_wasmtime(name: str, kind: str, wat: Wat, monkeypatch: pytest.MonkeyPatch) -> None:
    if kind == "without views":
        monkeypatch.setattr(memory_module, "sys", _BigEndian)
    limits = ResourceLimits(memory_pages=None) if kind == "unbounded" else None
    data = wat(MODULE.format(pages=1, body=SHAPES[name]))
    module = load(data)
    for first in EDGES:
        for second in OTHERS:
            arguments = first, second
            found = ours(instantiate(module, limits=limits), arguments)
            assert found == theirs(data, arguments), arguments


class _BigEndian:
    byteorder = "big"


def test_views_are_used(wat: Wat) -> None:
    """Where an address is proven to be aligned, and nowhere else."""
    for name in ("an array", "two strides", "a pointer that steps", "a local that is never set"):
        module = load(wat(MODULE.format(pages=1, body=SHAPES[name])))
        names = compiled(module.module, 1).code.co_names
        assert "memory" not in names, name
    for name in ("a mask that is too small", "a pointer that steps by what it is not told"):
        module = load(wat(MODULE.format(pages=1, body=SHAPES[name])))
        assert "memory" in compiled(module.module, 1).code.co_names, name


def test_a_memory_without_pages(wat: Wat) -> None:
    """There can be no view of it until it grows."""
    instance = instantiate(wat(MODULE.format(pages=1, body=SHAPES["an array"]).partition("(data")[0]
                               .replace(" 1 8)", " 0 8)") + ")"))  # fmt: skip
    function, memory = instance.exports.function("f"), instance.exports.memory("memory")
    for pages in (0, 1, 2):
        assert memory.pages == pages
        for first, fits in (
            (0, pages > 0),
            (pages * 16384 - 21, pages > 0),
            (16384 * pages, False),
        ):
            if fits:
                function(first, 0)
            else:
                with pytest.raises(Trap, match="out of bounds"):
                    function(first, 0)
        assert memory.grow(1) == pages


#: Two instances share a memory: one writes and reads words, the other grows it.
WORDS = """(module (import "m" "memory" (memory 0 64))
  (import "m" "between" (func $between))
  (func (export "put") (param i32 i32)
    (i32.store (i32.shl (local.get 0) (i32.const 2)) (local.get 1))
    (call $between)
    (i32.store offset=4 (i32.shl (local.get 0) (i32.const 2)) (local.get 1)))
  (func (export "get") (param i32) (result i64)
    (i64.load (i32.shl (local.get 0) (i32.const 3)))))"""
GROWING = """(module (import "m" "memory" (memory 0 64))
  (func (export "grow") (result i32) (i32.store (i32.const 0) (i32.const 1))
    (memory.grow (i32.const 1))))"""


def shared(wat: Wat, memory: Memory, between: Callable[[], object]) -> Instance:
    function = Function(FuncType((), ()), lambda: between() and None)
    return instantiate(wat(WORDS), {"m": {"memory": memory, "between": function}})


def test_a_memory_that_others_grow(wat: Wat) -> None:
    memory = Memory(MemoryType(Limits(1, 64)))
    growing = instantiate(wat(GROWING), {"m": {"memory": memory}})
    region = HostRegion(memory)
    ways: dict[str, Callable[[], object]] = {
        "nothing": lambda: None,
        "another instance": lambda: growing.exports.function("grow")(),
        "the host": lambda: memory.grow(1),
        "the host's region": lambda: region.provide(PAGE, 2),
        "a debugger": lambda: memory.restore_size(len(memory.raw) + PAGE, memory.pages + 1),
        "a debugger, back": lambda: memory.restore_size(len(memory.raw) - PAGE, memory.pages - 1),
    }
    chosen = "nothing"
    words = shared(wat, memory, lambda: ways[chosen]())
    for number, chosen in enumerate((*ways, "nothing"), 1):
        last = len(memory.raw) // 4 - 2
        words.exports.function("put")(2, number)
        assert words.exports.function("get")(1) == number << 32 | number
        if "back" not in chosen:
            words.exports.function("put")(last, number)
            assert struct.unpack_from("<II", memory.raw, 4 * last) == (number, number)
        with pytest.raises(Trap, match="out of bounds"):
            words.exports.function("put")(len(memory.raw) // 4, number)


def test_a_host_that_holds_a_view(wat: Wat) -> None:
    """The memory does not grow, and the views are as they were."""
    memory = Memory(MemoryType(Limits(1, 64)))
    words = shared(wat, memory, lambda: None)
    words.exports.function("put")(2, 7)
    with memory.view(0, 8), pytest.raises(MemoryInUse):
        memory.grow(1)
    words.exports.function("put")(2, 8)
    assert words.exports.function("get")(1) == 8 << 32 | 8
    assert memory.grow(1) == 1
    words.exports.function("put")(20000, 9)
    assert memory.read_u32(80004) == 9


def test_a_growth_that_is_interrupted(wat: Wat) -> None:
    memory = Memory(MemoryType(Limits(1, 64)))
    words = shared(wat, memory, lambda: None)
    words.exports.function("put")(2, 7)

    def spend(units: int) -> None:
        raise OutOfFuel

    with pytest.raises(OutOfFuel):
        memory.try_grow(40, spend)
    assert memory.pages == 1
    assert len(memory.raw) == PAGE
    words.exports.function("put")(2, 8)
    assert memory.grow(1) == 1


@pytest.mark.parametrize("place", ["_bind", "_make_views", "memoryview"])
def test_no_room_for_views(place: str, wat: Wat, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever interrupts a growth, instances read and write what is right, and it can go on."""
    memory = Memory(MemoryType(Limits(1, 64)))
    words = shared(wat, memory, lambda: None)
    words.exports.function("put")(2, 7)
    words.exports.function("get")(1)

    def failing(*_: object) -> None:
        raise MemoryError if place == "memoryview" else KeyboardInterrupt

    with monkeypatch.context() as patch:
        if place == "memoryview":
            patch.setattr(memory_module, "memoryview", failing, raising=False)
            assert memory.grow(1) == 1
        else:
            patch.setattr(Memory, place, failing)
            with pytest.raises(KeyboardInterrupt):
                memory.grow(1)
    words.exports.function("put")(2, 9)
    assert words.exports.function("get")(1) == 9 << 32 | 9
    before = memory.pages
    assert memory.grow(1) == before
    words.exports.function("put")(len(memory.raw) // 4 - 2, 9)
    with pytest.raises(Trap, match="out of bounds"):
        words.exports.function("put")(len(memory.raw) // 4, 9)


def test_an_instance_is_freed_before_a_memory_that_it_shared(wat: Wat) -> None:
    memory = Memory(MemoryType(Limits(1, 64)))
    kept = shared(wat, memory, lambda: None)
    kept.exports.function("put")(2, 7)
    for _ in range(20):
        words = shared(wat, memory, lambda: None)
        words.exports.function("put")(2, 8)
        gone = weakref.ref(words)
        del words
        gc.collect()
        assert gone() is None
    assert len(memory._holders) <= 2
    # The memory dies before an instance that has views of it.
    del memory
    kept.exports.function("put")(2, 9)
    assert kept.exports.function("get")(1) == 9 << 32 | 9


def test_a_trap_names_the_instruction(wat: Wat) -> None:
    instance = instantiate(wat(MODULE.format(pages=1, body=SHAPES["an array"])))
    for arguments, mnemonic in (((20000, 0), "i32.store"), ((0, 20000), "i64.load32_u")):
        with pytest.raises(Trap) as raised:
            instance.exports.function("f")(*arguments)
        assert raised.value.reason is TrapReason.OUT_OF_BOUNDS_MEMORY_ACCESS
        assert (raised.value.frames[0].instruction or "").startswith(mnemonic)


def test_no_view_is_made_before_it_is_used(wat: Wat) -> None:
    instance = instantiate(wat(MODULE.format(pages=1, body=SHAPES["an array"])))
    memory = instance.exports.memory("memory")
    assert not memory._views
    instance.exports.function("f")(1, 1)
    assert set(memory._views) == {"memory32"}
    assert sys.byteorder == "big" or isinstance(memory._views["memory32"], memoryview)


def test_facts_need_a_memory_that_is_small(wat: Wat) -> None:
    """One that may end beyond `MEMORY_END` has masks: code of its own, also in a cache."""
    data = wat(MODULE.format(pages=1, body=SHAPES["a sum after an access"]))
    module = load(data)
    sizes = {len(compiled(module.module, 1, bounded=b).code.co_code) for b in (True, False)}
    assert len(sizes) == 2
    for limits in (None, ResourceLimits(memory_pages=None), ResourceLimits(memory_pages=16384)):
        instantiate(module, limits=limits, engine=Translator()).exports.function("f")(8, 0)
    codes = [name for name in module.kept if "bounded" in name]
    assert len(codes) == 2


def test_values_of_other_types_are_not_stored(wat: Wat) -> None:
    """A comparison is True or False in Python, and an item of a view is a number."""
    source = """(module (memory (export "memory") 1) (func (export "f") (param i32 i32) (result i64)
      (i64.store (i32.const 8) (i64.extend_i32_u (i32.lt_u (local.get 0) (local.get 1))))
      (i32.store (i32.const 16) (i32.eqz (local.get 0)))
      (i32.store16 (i32.const 20) (i32.sub (local.get 0) (local.get 1)))
      (f64.store (i32.const 24) (f64.convert_i32_s (local.get 0)))
      (i64.load (i32.const 8))))"""
    data = wat(source)
    for arguments in ((0, 0), (1, 2), (2, 1), (-1, 1)):
        assert ours(instantiate(data), arguments) == theirs(data, arguments)
