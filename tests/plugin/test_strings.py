"""Properties of strings that are written to memory and read from it, and of the arena."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from purewasm_plugins import (
    Memory,
    ResourceLimitError,
    ResourceLimits,
    StringError,
    WasmPlugin,
)
from purewasm_plugins.plugin.strings import (
    LEAST_RESERVE,
    Arena,
    read_string,
)
from purewasm_plugins.runtime.host_region import HostRegion
from purewasm_plugins.runtime.memory import encode_string
from purewasm_plugins.wasm.types import Limits, MemoryType

Load = Callable[..., WasmPlugin]

PAGE = 65536

#: Every text that can be passed.
texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))

#: Sizes in bytes at and around the ends of pages.
sizes = st.builds(
    lambda pages, more: max(0, pages * PAGE + more), st.integers(0, 4), st.integers(-3, 3)
)


def of_size(text: str, size: int) -> str:
    """The text over and over, cut and filled up to `size` bytes."""
    unit = text or "x"
    repeated = (unit * (size // len(unit.encode()) + 1)).encode()[:size].decode(errors="ignore")
    return repeated + "." * (size - len(repeated.encode()))


# Through a plugin and back.


@pytest.fixture(scope="module")
def echo(load: Load) -> WasmPlugin:
    """One plugin that all examples use."""
    return load("echo")


@given(texts)
def test_any_text_comes_back(echo: WasmPlugin, text: str) -> None:
    assert echo.execute_tool("echo", text) == text


@given(text=texts, size=sizes)
def test_any_text_of_any_size_comes_back(echo: WasmPlugin, text: str, size: int) -> None:
    given = of_size(text, size)
    assert len(given.encode()) == size
    memory = echo.instance.exports.memory()
    assert echo.execute_tool("echo", given) == given
    after_the_first = len(memory.raw)
    for _ in range(3):
        assert echo.execute_tool("echo", given) == given
    assert len(memory.raw) == after_the_first
    assert memory.pages == 1


@given(st.lists(sizes, min_size=2, max_size=8))
def test_memory_is_used_again(load: Load, order: list[int]) -> None:
    """Inputs no longer than one before them take no more memory."""
    plugin = load("echo")
    memory = plugin.instance.exports.memory()
    longest = max(order)
    assert plugin.execute_tool("echo", "l" * longest) == "l" * longest
    after_the_first = len(memory.raw)
    for size in order:
        assert plugin.execute_tool("echo", "x" * size) == "x" * size
        assert len(memory.raw) == after_the_first


def test_memory_grows_geometrically(load: Load) -> None:
    """Inputs that get a little longer each time do not take more memory each time."""
    plugin = load("echo")
    memory = plugin.instance.exports.memory()
    lengths = set()
    for size in range(PAGE // 2, 12 * PAGE, PAGE // 2):
        plugin.execute_tool("echo", "x" * size)
        lengths.add(len(memory.raw))
    assert len(lengths) <= 6


@given(texts.filter(lambda text: len(text.encode()) < 200), texts)
def test_an_input_leaves_nothing_behind(echo: WasmPlugin, first: str, second: str) -> None:
    echo.execute_tool("echo", first)
    assert echo.execute_tool("echo", second) == second


# Encoding and reading.


@given(st.text(st.characters()))
def test_encode_string(text: str) -> None:
    """The result is the text as UTF-8 with a terminator, or an error with the position."""
    bad = [i for i, c in enumerate(text) if c == "\0" or 0xD800 <= ord(c) <= 0xDFFF]
    if bad:
        with pytest.raises(StringError) as raised:
            encode_string(text)
        where = re.search(r"at character (\d+)", str(raised.value))
        assert where is not None
        assert int(where[1]) in bad
    else:
        data = encode_string(text)
        assert data.index(0) == len(data) - 1
        assert data[:-1].decode() == text


def model_of_read_string(image: bytes, pointer: int, limit: int | None) -> str | None:
    """The expected result of `read_string`; None is an error."""
    collected: list[int] = []
    for byte in itertools.islice(image, pointer, None):
        if byte == 0:
            if limit is not None and len(collected) > limit:
                return None
            return bytes(collected).decode("utf-8", "replace")
        collected.append(byte)
    return None


def read_or_none(memory: Memory, pointer: int, limit: int | None) -> str | None:
    try:
        return read_string(memory, pointer, limit)
    except StringError:
        return None


images = st.lists(
    st.one_of(
        st.sampled_from([b"\0", b"a", b"\xff", b"\xc3", b"\xed\xa0\x80", "é🎈".encode()]),
        st.binary(max_size=8),
    ),
    max_size=12,
).map(b"".join)
limits = st.one_of(st.none(), st.integers(0, 40))


@given(images, st.integers(0, 60), limits)
def test_read_string_agrees_with_the_model(image: bytes, pointer: int, limit: int | None) -> None:
    """At the end of memory, where it matters."""
    memory = Memory(MemoryType(Limits(1)))
    start = PAGE - len(image)
    memory.write(start, image)
    expected = model_of_read_string(image, pointer, limit)
    assert read_or_none(memory, start + pointer, limit) == expected
    assert all(read_or_none(memory, far, limit) is None for far in (PAGE, PAGE + 1, 2**32 - 1))


@given(images, images, st.integers(0, 60), limits)
def test_a_string_ends_where_its_stretch_of_memory_ends(
    own: bytes, host: bytes, pointer: int, limit: int | None
) -> None:
    """One that begins in the plugin's pages cannot end in the host's, nor the other way round."""
    memory = Memory(MemoryType(Limits(1)))
    region = HostRegion(memory).provide(PAGE, 1)
    memory.write(PAGE - len(own), own)
    memory.raw[region:] = b"x" * PAGE
    memory.write(region + PAGE - len(host), host)
    for image, start in ((own, PAGE - len(own)), (host, region + PAGE - len(host))):
        if pointer < len(image):
            expected = model_of_read_string(image, pointer, limit)
            assert read_or_none(memory, start + pointer, limit) == expected
    assert read_or_none(memory, PAGE, limit) is None, "no string lies in the reserve"


def test_read_string_from_a_memory_without_pages() -> None:
    memory = Memory(MemoryType(Limits(0)))
    with pytest.raises(StringError, match="past the end of memory"):
        read_string(memory, 0)


# The arena.


class ArenaMachine(RuleBasedStateMachine):
    """The host puts and releases inputs; the plugin grows its memory and writes to all of it."""

    MARK = b"\xaa"

    @initialize(
        pages=st.integers(0, 3),
        more=st.one_of(st.none(), st.integers(0, 80)),
        limit=st.one_of(st.none(), st.integers(4, 120)),
    )
    def begin(self, pages: int, more: int | None, limit: int | None) -> None:
        self.limit = limit
        self.maximum = None if more is None else pages + more
        self.memory = Memory(
            MemoryType(Limits(pages, self.maximum)), ResourceLimits(memory_pages=limit)
        )
        self.arena = Arena(self.memory)
        self.live: list[tuple[int, bytes]] = []
        #: The plugin's pages when the call that is running began.
        self.at_first = pages
        self.next_byte = itertools.count(1)
        self.write_everywhere()

    def write_everywhere(self) -> None:
        self.memory.raw[: self.memory.size] = self.MARK * self.memory.size

    @precondition(lambda self: len(self.live) < 4)
    @rule(size=st.one_of(st.integers(1, 100), sizes.map(lambda size: max(1, size))))
    def put(self, size: int) -> None:
        data = bytes((next(self.next_byte) % 100 + 1,)) * size
        top = max((pointer + len(data) for pointer, data in self.live), default=0)
        if not self.live:
            self.at_first = self.memory.pages
        try:
            pointer = self.arena.put(data)
        except ResourceLimitError:
            assert self.limit is not None
            pages = -(-size // PAGE)
            if self.live:
                assert top + size > self.limit * PAGE
            else:
                assert self.memory.pages + pages > self.limit
            return
        assert pointer >= self.memory.size
        assert pointer + size <= len(self.memory.raw)
        self.live.append((pointer, data))

    @rule()
    def release(self) -> None:
        self.arena.release()
        for pointer, data in self.live:
            assert not any(self.memory.raw[pointer : pointer + len(data)])
        self.live.clear()

    @rule(pages=st.integers(0, 20))
    def grow(self, pages: int) -> None:
        before = self.memory.pages
        after = before + pages
        answer = self.memory.try_grow(pages)
        if answer < 0:
            assert self.memory.pages == before
            # Half of the least reserve can always be had, where memory is not limited.
            room = self.maximum is None or after <= self.maximum
            limited = self.limit is not None and after + 32 > self.limit
            assert not room or limited or after > self.at_first + LEAST_RESERVE // 2
            return
        assert answer == before
        assert self.maximum is None or after <= self.maximum
        assert self.memory.read(before * PAGE, pages * PAGE) == bytes(pages * PAGE)
        self.write_everywhere()

    @invariant()
    def inputs_are_whole(self) -> None:
        for pointer, data in getattr(self, "live", ()):
            assert self.memory.raw[pointer : pointer + len(data)] == data
            assert self.memory.read(pointer, len(data)) == data
            assert pointer >= self.memory.size

    @invariant()
    def the_plugin_has_its_pages(self) -> None:
        if hasattr(self, "memory"):
            size = self.memory.size
            assert self.memory.raw.count(self.MARK, 0, size) == size

    @invariant()
    def the_limit_is_kept(self) -> None:
        if hasattr(self, "memory") and self.limit is not None:
            assert len(self.memory.raw) <= self.limit * PAGE


TestArena = ArenaMachine.TestCase
