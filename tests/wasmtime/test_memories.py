"""`Memory`: bytes, the pointer to them, and growth."""

from __future__ import annotations

from typing import Any

import pytest

from tests.wasmtime.wat import exports

PAGE = 65536


def memory_of(library: Any, least: int = 1, most: int | None = None) -> tuple[Any, Any]:
    store = library.Store()
    return store, library.Memory(store, library.MemoryType(library.Limits(least, most)))


@pytest.mark.parametrize(
    ("start", "stop", "size"),
    [
        (0, 4, 4),
        (None, 3, 3),
        (5, 5, 0),
        (5, 2, 0),
        (-3, None, 3),
        (-3, -1, 2),
        (PAGE - 1, PAGE + 9, 1),
        (PAGE + 1, None, 0),
        (0, None, PAGE),
    ],
)
def test_reading(library: Any, start: int | None, stop: int | None, size: int) -> None:
    store, memory = memory_of(library)
    read = memory.read(store, start, stop)
    assert read == bytearray(size)
    assert isinstance(read, bytearray)


@pytest.mark.parametrize("start", [None, 0, 7, -9])
@pytest.mark.parametrize("value", [b"bytes", bytearray(b"array"), [1, 2, 3], memoryview(b"view")])
def test_writing(library: Any, start: int | None, value: Any) -> None:
    store, memory = memory_of(library)
    assert memory.write(store, value, start) == len(value)
    first = start or 0
    assert memory.read(store, first, first + len(value)) == bytes(value)


@pytest.mark.parametrize(
    ("value", "start", "error"),
    [
        (b"ab", PAGE - 1, IndexError),
        (b"ab", -1, IndexError),
        (b"", PAGE, IndexError),
        (b"a", PAGE + 5, IndexError),
        ("text", 0, TypeError),
        ([256], 0, ValueError),
    ],
)
def test_what_cannot_be_written(
    library: Any, value: Any, start: int, error: type[Exception]
) -> None:
    store, memory = memory_of(library)
    with pytest.raises(error):
        memory.write(store, value, start)
    assert memory.read(store) == bytearray(PAGE)


def test_the_pointer_follows_growth(library: Any) -> None:
    store, memory = memory_of(library)
    pointer = memory.data_ptr(store)
    memory.write(store, b"before", 10)
    # Many steps, so that the bytes are moved in some of them.
    for pages in range(1, 40):
        memory.grow(store, pages)
        newest = memory.data_ptr(store)
        assert bytes(newest[10:16]) == b"before"
        if library.__name__ != "wasmtime":
            assert bytes(pointer[10:16]) == b"before"
            pointer[PAGE * memory.size(store) - 1] = pages
            assert memory.read(store, -1) == bytes([pages])


def test_the_pointer_of_a_memory_without_pages(ours: Any) -> None:
    store, memory = memory_of(ours, 0)
    pointer = memory.data_ptr(store)
    memory.grow(store, 1)
    memory.write(store, b"x")
    assert pointer[0] == ord("x")


def test_a_pointer_may_be_used_as_long_as_the_store(library: Any) -> None:
    module = exports(library, '(module (memory (export "m") 1) (data (i32.const 0) "text"))')
    store = module.store
    pointer = module.m.data_ptr(store)
    del module
    others = [exports(library, '(module (memory (export "m") 1))', store=store) for _ in range(4)]
    assert bytes(pointer[:4]) == b"text"
    assert len(others) == 4


def test_a_pointer_that_was_turned_elsewhere(ours: Any) -> None:
    """The next one points to the memory again."""
    import ctypes

    store, memory = memory_of(ours)
    memory.write(store, b"x")
    memory.data_ptr(store).contents = ctypes.c_ubyte(7)
    assert memory.data_ptr(store)[0] == ord("x")


def test_the_pointer_while_code_grows_the_memory(library: Any) -> None:
    module = exports(
        library,
        """(module (memory (export "m") 1) (data (i32.const 0) "text")
             (func (export "grow") (param i32) (result i32) (memory.grow (local.get 0)))
             (func (export "set") (param i32 i32) (i32.store8 (local.get 0) (local.get 1))))""",
    )
    for pages in (1, 5, 40):
        module.grow(pages)
        module.set(PAGE, pages)
        pointer = module.m.data_ptr(module.store)
        assert (pointer[0], pointer[PAGE]) == (ord("t"), pages)


def test_an_array_that_shares_the_bytes(library: Any) -> None:
    store, memory = memory_of(library)
    memory.write(store, b"abc")
    array = memory.get_buffer_ptr(store, 2, 1)
    assert bytes(array) == b"bc"
    array[0] = ord("x")
    assert memory.read(store, 0, 3) == b"axc"
    assert len(memory.get_buffer_ptr(store)) == PAGE


def test_an_array_holds_the_memory(ours: Any) -> None:
    """In wasmtime its bytes may be another's after the growth."""
    module = exports(
        ours,
        """(module (memory (export "m") 1)
             (func (export "grow") (result i32) (memory.grow (i32.const 1))))""",
    )
    store, memory = module.store, module.m
    array = memory.get_buffer_ptr(store)
    with pytest.raises(ours.WasmtimeError, match="while the host holds a view"):
        memory.grow(store, 1)
    with pytest.raises(ours.Trap, match="while the host holds a view"):
        module.grow()
    del array
    assert module.grow() == 1
    for size, offset in ((PAGE * 2, 1), (-1, 0), (1, -1)):
        with pytest.raises(ours.WasmtimeError, match="do not lie inside the memory"):
            memory.get_buffer_ptr(store, size, offset)


def test_growth(library: Any) -> None:
    store, memory = memory_of(library, 1, 3)
    assert memory.grow(store, 1) == 1
    assert memory.grow(store, 0) == 2
    for pages, message in ((2, "failed to grow memory by `2`"), (-1, "cannot grow by negative")):
        with pytest.raises(library.WasmtimeError, match=message):
            memory.grow(store, pages)
    assert (memory.size(store), memory.data_len(store)) == (2, 2 * PAGE)
    limits = memory.type(store).limits
    assert (limits.min, limits.max) == (1, 3)
    assert (memory.page_size(store), memory.page_size_log2(store)) == (PAGE, 16)


@pytest.mark.parametrize(
    ("limits", "options"),
    [((1 << 32, None), {}), ((1, 1 << 32), {}), ((70_000, None), {}), ((3, 2), {}), ((-1, 2), {})],
)
def test_what_is_no_type_of_a_memory(
    library: Any, limits: tuple[int, int | None], options: dict[str, Any]
) -> None:
    with pytest.raises(library.WasmtimeError):
        library.MemoryType(library.Limits(*limits), **options)


def test_memories_that_are_not_supported(ours: Any) -> None:
    store = ours.Store()
    for options, words in (
        ({"is_64": True}, "64-bit memories"),
        ({"shared": True}, "shared memories"),
        ({"page_size_log2": 0}, "custom page sizes"),
    ):
        type = ours.MemoryType(ours.Limits(1, 2), **options)
        with pytest.raises(ours.WasmtimeError, match=words):
            ours.Memory(store, type)
    with pytest.raises(ours.WasmtimeError, match="no threads"):
        ours.SharedMemory(store.engine, ours.MemoryType(ours.Limits(1, 2), shared=True))


def test_what_is_no_store(library: Any) -> None:
    type = library.MemoryType(library.Limits(1, None))
    with pytest.raises(AttributeError):
        library.Memory(1, type)
    with pytest.raises(AttributeError):
        library.Memory(library.Store(), 1)
