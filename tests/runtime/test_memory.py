"""What a host reads and writes of a memory: bytes, numbers, strings and views."""

from __future__ import annotations

import array
import gc
import math
import mmap
import pickle
import struct
import sys
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from purewasm_plugins import (
    Instance,
    InvalidString,
    Limits,
    Memory,
    MemoryInUse,
    MemoryType,
    ResourceLimitError,
    ResourceLimits,
    StringError,
    ToolExecutionError,
    Trap,
    TrapReason,
    WasmPlugin,
)
from purewasm_plugins.debugger import DebugSession
from purewasm_plugins.runtime.host_region import HostRegion

Start = Callable[..., Instance]
Load = Callable[..., WasmPlugin]

PAGE = 65536


def new(pages: int = 1, maximum: int | None = None) -> Memory:
    return Memory(MemoryType(Limits(pages, maximum)))


# Numbers.

INTEGERS = [
    (f"{'i' if signed else 'u'}{bits}", bits, signed)
    for bits in (8, 16, 32, 64)
    for signed in (0, 1)
]


@pytest.mark.parametrize(("kind", "bits", "signed"), INTEGERS)
def test_integers(kind: str, bits: int, signed: bool) -> None:
    memory = new()
    read, write = getattr(memory, f"read_{kind}"), getattr(memory, f"write_{kind}")
    low, high = (-(1 << bits - 1), (1 << bits - 1) - 1) if signed else (0, (1 << bits) - 1)
    size = bits // 8
    for offset in (0, 1, PAGE - size):
        for value in (low, high, 1, 0x5A):
            write(offset, value)
            assert read(offset) == value
            raw = value.to_bytes(size, "little", signed=signed)
            assert memory.read(offset, size) == raw
    before = bytes(memory.raw)
    for value in (low - 1, high + 1):
        with pytest.raises(ValueError, match=f"{value} does not fit in {kind}"):
            write(0, value)
    for wrong in (1.0, "1", None):
        with pytest.raises(TypeError, match=f"expected an int for {kind}, got"):
            write(0, wrong)
    for offset in (PAGE - size + 1, PAGE, -1, -PAGE, 1 << 40, -(1 << 40)):
        for attempt in (partial(read, offset), partial(write, offset, 1)):
            with pytest.raises(Trap) as raised:
                attempt()
            assert raised.value.reason is TrapReason.OUT_OF_BOUNDS_MEMORY_ACCESS
    assert bytes(memory.raw) == before


@given(st.floats(width=32), st.floats())
def test_floats(single: float, double: float) -> None:
    memory = new()
    memory.write_f32(3, single)
    memory.write_f64(7, double)
    assert memory.read_f64(7) == double or math.isnan(double)
    assert memory.read_f32(3) == single or math.isnan(single)
    assert memory.read(7, 8) == struct.pack("<d", double)


def test_floats_that_are_none() -> None:
    memory = new()
    memory.write_u32(0, 0x7FA00001)
    assert math.isnan(memory.read_f32(0))
    memory.write_f32(4, memory.read_f32(0))
    assert memory.read_u32(4) == 0x7FA00001, "a signalling NaN keeps its bits"
    memory.write_f32(0, 0.1)
    assert memory.read_f32(0) == struct.unpack("<f", struct.pack("<f", 0.1))[0]
    with pytest.raises(TypeError, match="expected a float, got str"):
        memory.write_f64(0, "1")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="does not fit in a float"):
        memory.write_f32(0, 10**400)


# Bytes.


@pytest.mark.parametrize(
    "data",
    [
        b"\1\0\2\0\3\0",
        bytearray(b"\1\0\2\0\3\0"),
        memoryview(b"\1\0\2\0\3\0"),
        memoryview(array.array("H", b"\1\0\2\0\3\0")),
        array.array("H", b"\1\0\2\0\3\0"),
        memoryview(b"\1\7\0\7\2\7\0\7\3\7\0\7")[::2],
    ],
    ids=lambda data: type(data).__name__,
)
def test_write_counts_in_bytes(data: Any) -> None:
    """Whatever the items of a buffer are: the memory keeps its size."""
    memory = new()
    memory.write(PAGE - 6, data)
    assert memory.read(PAGE - 6, 6) == b"\1\0\2\0\3\0"
    assert len(memory.raw) == PAGE
    with pytest.raises(Trap):
        memory.write(PAGE - 5, data)
    assert memory.read(PAGE - 6, 6) == b"\1\0\2\0\3\0"


@pytest.mark.parametrize("wrong", ["text", 5, None, [1, 2]])
def test_write_refuses_what_is_no_bytes(wrong: Any) -> None:
    with pytest.raises(TypeError, match=f"expected bytes to write, got {type(wrong).__name__}"):
        new().write(0, wrong)


class Sparse(mmap.mmap):
    """Zeros that take no room until they are written to, with what is used of a bytearray."""

    def find(self, byte: int, *bounds: int) -> int:  # type: ignore[override]
        return super().find(bytes((byte,)), *bounds)


@pytest.mark.skipif(sys.maxsize < 1 << 32, reason="a 32-bit Python maps less than two gigabytes")
def test_an_address_is_unsigned() -> None:
    """A host function gets one above two gigabytes as a negative int."""
    memory = Memory(MemoryType(Limits(0)), ResourceLimits(memory_pages=None))
    # A bytearray of this size would take seconds.
    memory.raw = Sparse(-1, 32769 * PAGE)  # type: ignore[assignment]
    assert memory.try_grow(32769) == 0
    pointer = -(1 << 31) + 100
    memory.write(pointer, b"above\0")
    assert memory.read((1 << 31) + 100, 6) == b"above\0"
    assert memory.read_string(pointer) == "above"
    assert memory.find(0, pointer) == (1 << 31) + 105
    assert memory.read_u8(pointer) == ord("a")
    with memory.view(pointer, 5) as view:
        assert bytes(view) == b"above"
    with pytest.raises(Trap):
        memory.read(-1, 1)


# Strings.


@pytest.mark.parametrize("text", ["", "a", "Grüße", "日本🎈", "a" * 1000])
def test_strings(text: str) -> None:
    memory = new()
    memory.write(0, b"x" * 5000)
    assert memory.write_string(10, text) == len(text.encode()) + 1
    assert memory.read_string(10) == text
    assert memory.read(9, 1) == memory.read(10 + len(text.encode()) + 1, 1) == b"x"


def test_strings_that_cannot_be_read() -> None:
    memory = new()
    memory.write(PAGE - 4, b"abcd")
    for pointer, words in (
        (PAGE - 4, "the string at 0xfffc has no terminating zero byte"),
        (PAGE, "pointer 0x10000 lies past the end of memory (0x10000)"),
        (-1, "pointer 0xffffffff lies past the end"),
    ):
        with pytest.raises(InvalidString) as raised:
            memory.read_string(pointer)
        assert words in str(raised.value)
        assert raised.value.reason is TrapReason.INVALID_STRING
    memory.write(0, b"abcd\0")
    assert memory.read_string(0, limit=4) == "abcd"
    with pytest.raises(InvalidString, match="within 3 bytes, the limit of its length"):
        memory.read_string(0, limit=3)
    memory.write(0, b"a\xffb\0")
    assert memory.read_string(0) == "a\ufffdb"


def test_strings_that_cannot_be_written() -> None:
    memory = new()
    for text, words in (
        ("a\0b", r"U\+0000 at character 1"),
        ("ab\ud800", r"U\+D800, at character 2"),
    ):
        with pytest.raises(StringError, match=words):
            memory.write_string(0, text)
    with pytest.raises(Trap):
        memory.write_string(PAGE - 3, "abc")
    assert not any(memory.raw)


def test_strings_of_a_host_region() -> None:
    memory = new(1, 10)
    start = HostRegion(memory).provide(PAGE, 2)
    memory.write_string(start, "input")
    assert memory.read_string(start) == "input"
    assert memory.find(0, start) == start + 5
    with pytest.raises(InvalidString):
        memory.read_string(PAGE)


# Views.


def test_view() -> None:
    memory = new(1, 2)
    memory.write(100, b"pizza")
    with memory.view(100, 5) as view:
        assert bytes(view) == b"pizza"
        view[:] = b"PIZZA"
    assert memory.read(100, 5) == b"PIZZA"
    with memory.view() as view:
        assert len(view) == PAGE
    with memory.view(PAGE - 1) as view:
        assert len(view) == 1
    with memory.view(PAGE) as view:
        assert len(view) == 0
    for offset, size in ((PAGE - 4, 5), (PAGE + 1, None), (-1, 1), (0, -1)):
        with pytest.raises(Trap), memory.view(offset, size):
            pass
    with pytest.raises(ValueError, match="released"):
        view[0]
    assert memory.grow(1) == 1


def test_a_view_does_not_reach_into_the_reserve() -> None:
    memory = new(1, 10)
    start = HostRegion(memory).provide(PAGE, 2)
    with memory.view() as view:
        assert len(view) == PAGE
    with memory.view(start) as view:
        assert len(view) == PAGE


def keep_a_view(memory: Memory, kept: list[Any], error: Exception | None = None) -> None:
    """Leave the block of a view with something made of it, as an array of numpy would be."""
    with memory.view() as view:
        kept.append(pickle.PickleBuffer(view))
        if error is not None:
            raise error


def test_what_is_made_of_a_view_must_go_with_it() -> None:
    memory, kept = new(1, 4), list[Any]()
    with pytest.raises(MemoryInUse):
        keep_a_view(memory, kept)
    with pytest.raises(MemoryInUse):
        memory.grow(1)
    kept.pop().release()
    # An exception of the block is what its caller sees.
    for error in (KeyError("mine"), BufferError("mine")):
        with pytest.raises(type(error), match="mine"):
            keep_a_view(memory, kept, error)
        kept.pop().release()
    del error
    with memory.view() as view:
        kept.append(view[3:5])
    with pytest.raises(MemoryInUse):
        memory.grow(1)
    kept.pop().release()
    del view
    gc.collect()
    assert memory.grow(1) == 1


GROWS = """(module (memory (export "memory") 1 10)
  (func (export "grow") (result i32) (memory.grow (i32.const 1)))
  (func (export "call") (result i32) (call 0)))"""


def through(export: str) -> Callable[[Instance], object]:
    return lambda instance: instance.exports.function(export)()


GROWTHS: dict[str, Callable[[Instance], object]] = {
    "memory.grow": through("grow"),
    "memory.grow in a call": through("call"),
    "Memory.grow": lambda instance: instance.exports.memory().grow(1),
    "Memory.try_grow": lambda instance: instance.exports.memory().try_grow(1),
    "a host region": lambda instance: HostRegion(instance.exports.memory()).provide(1, 1),
    "a larger size of a debugger's": lambda i: i.exports.memory().restore_size(2 * PAGE, 2),
    "a smaller size of a debugger's": lambda i: i.exports.memory().restore_size(0, 0),
}


@pytest.mark.parametrize("grow", GROWTHS.values(), ids=GROWTHS)
def test_nothing_resizes_a_memory_while_a_view_is_held(
    start: Start, grow: Callable[[Instance], object]
) -> None:
    instance = start(GROWS)
    memory = instance.exports.memory()
    memory.write(0, b"kept")
    with memory.view(0, 4) as view:
        for _ in range(2):
            with pytest.raises(MemoryInUse, match="cannot grow while the host holds a view of it"):
                grow(instance)
        assert bytes(view) == b"kept"
        assert (memory.pages, len(memory.raw), memory.grow_refusal) == (1, PAGE, None)
    grow(instance)
    assert memory.pages in (0, 1, 2)


def test_a_view_that_is_taken_while_the_memory_grows() -> None:
    """By a signal's handler, or another thread: between two pieces, a megabyte each."""
    memory = new(1, 100)
    views: list[memoryview] = []

    def spend(units: int) -> None:
        if len(memory.raw) > PAGE and not views:
            views.append(memoryview(memory.raw))

    with pytest.raises(MemoryInUse):
        memory.try_grow(50, spend)
    assert memory.pages == 1
    views.pop().release()
    assert memory.grow(60) == 1
    assert memory.read(PAGE, 60 * PAGE) == bytes(60 * PAGE)


@pytest.mark.parametrize("size", [10, 10 * PAGE])
def test_an_input_needs_pages_while_a_view_is_held(load: Load, size: int) -> None:
    plugin = load("echo")
    if size > PAGE:
        plugin.execute_tool("echo", "")
    with plugin.instance.exports.memory().view(0, 1):
        with pytest.raises(ToolExecutionError, match="the host holds a view of it") as raised:
            plugin.execute_tool("echo", "x" * size)
        assert isinstance(raised.value.__cause__, MemoryInUse)
    assert plugin.execute_tool("echo", "x" * size) == "x" * size


def test_a_debugger_goes_over_a_growth_while_a_view_is_held(start: Start) -> None:
    session = DebugSession.for_function(start(GROWS), "call")
    session.resume()
    memory = session.instance.exports.memory()
    with memory.view(0, 1), pytest.raises(MemoryInUse):
        session.resume_back()
    session.resume_back()
    assert memory.pages == 1
    session.resume()
    assert memory.pages == 2


def test_a_memory_that_is_too_large() -> None:
    with pytest.raises(ResourceLimitError):
        Memory(MemoryType(Limits(3)), ResourceLimits(memory_pages=2))
