"""Strings in a plugin's memory: reading them, and the places where inputs are put.

An ABI string is UTF-8 that ends with a zero byte. `read_string` takes an address and returns text;
an `InputPlace` takes the bytes of an input and returns an address. Which place a plugin gets
depends on what it exports (`input_place`); the reasons are in `ABI.md`, under "Where inputs go".
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Protocol

from purewasm_plugins.errors import ResourceLimitError
from purewasm_plugins.plugin import abi
from purewasm_plugins.runtime.instance import Function, Instance
from purewasm_plugins.runtime.memory import Memory
from purewasm_plugins.wasm.module import Module
from purewasm_plugins.wasm.types import PAGE_SIZE, FuncType, ValType


class StringError(ValueError):
    """A string cannot be passed; the plugin layer words it as one of its own errors."""


def encode_input(text: str) -> bytes:
    """An input as the bytes to put into memory, the terminating zero included.

    Raises:
        StringError: it holds U+0000 or a lone surrogate, which no ABI string can.
    """
    try:
        data = text.encode()
    except UnicodeEncodeError as error:
        code = ord(text[error.start])
        raise StringError(
            f"the input holds a lone surrogate, U+{code:04X}, at character {error.start}"
        ) from None
    if b"\0" in data:
        raise StringError(
            f"the input holds U+0000 at character {text.index(chr(0))}, and strings end there"
        )
    return data + b"\0"


def read_string(memory: Memory, pointer: int, limit: int | None = None) -> str:
    """The string at an address; what is not UTF-8 in it reads as U+FFFD.

    Args:
        memory: the plugin's memory.
        pointer: an unsigned address; 0 is one like any other.
        limit: bytes that the string may have, its terminator aside; None for any number.

    Raises:
        StringError: the address lies outside the memory, or the string does not end, or not
            before the limit.
    """
    return string_bytes(memory, pointer, limit).decode("utf-8", "replace")


def string_bytes(memory: Memory, pointer: int, limit: int | None = None) -> bytearray:
    """The bytes of the string that `read_string` reads.

    Raises:
        StringError: as `read_string` does.
    """
    data = memory.data
    extent = memory.extent(pointer)
    if not extent:
        raise StringError(f"pointer {pointer:#x} lies past the end of memory ({memory.size:#x})")
    # No further than the limit: a plugin may ask for a thousand looks at memory without a zero.
    last = extent if limit is None else min(pointer + limit + 1, extent)
    end = data.find(0, pointer, last)
    if end < 0:
        within = "" if last == extent else f" within {limit} bytes, the limit of its length"
        raise StringError(f"the string at {pointer:#x} has no terminating zero byte{within}")
    return data[pointer:end]


class OwnStrings:
    """Reads what a plugin says of itself, within the limits that the ABI sets."""

    def __init__(self, limit: int | None) -> None:
        """Start with nothing read.

        Args:
            limit: bytes that a string may have beside the limits of the ABI; None for any number.
        """
        self._limit = abi.MAX_STRINGS if limit is None else limit
        self._left = abi.MAX_STRINGS

    def read(self, memory: Memory, pointer: int, export: str) -> bytearray:
        """The bytes of the string that an export of the ABI has answered.

        Raises:
            StringError: it cannot be read, or is too long, or all of them together are.
        """
        data = string_bytes(memory, pointer, min(self._limit, abi.MAX_STRING[export]))
        self._left -= len(data)
        if self._left < 0:
            raise StringError(
                f"what the plugin says of itself has more than {abi.MAX_STRINGS} bytes"
            )
        return data


class InputPlace(Protocol):
    """Where a plugin's inputs go."""

    def put(self, data: bytes) -> int:
        """Put an input into memory.

        Returns:
            Its address.

        Raises:
            StringError: there is no room for it.
            ResourceLimitError: it does not fit under the limit of memory.
            Trap: the plugin's own allocator trapped.
        """
        ...

    def release(self) -> None:
        """The call is over and its output was read: the inputs are no longer needed."""
        ...

    def abandon(self) -> None:
        """The call was cut short: the plugin's code is not to be run again in its instance."""
        ...


#: Pages of an arena's reserve, unless more were seen to be needed: 4 MiB.
LEAST_RESERVE = 64


class Arena:
    """Host pages behind the plugin's, handed out in order: a bump allocator.

    The plugin is not told of these pages (`Memory.host_region`): an allocator inside it that takes
    all of `memory.size` for its heap, or that expects its pages to follow each other, stays clear
    of them. Between them and the plugin's pages lies a reserve for it to grow into during a call.
    """

    #: Pages of the reserve for each page of input. Real plugins were seen to take up to this much.
    RESERVE_PER_PAGE = 16

    def __init__(self, memory: Memory, least_reserve: int = LEAST_RESERVE) -> None:
        """Make an empty arena.

        Args:
            memory: behind whose pages it lies.
            least_reserve: pages of the reserve, whatever the length of the inputs; 0 for a plugin
                that cannot grow its memory and needs none.
        """
        self._memory = memory
        self._least_reserve = least_reserve
        self._start = self._top = self._end = 0
        self._pages = -1

    def put(self, data: bytes) -> int:
        """See `InputPlace.put`; the inputs of one call follow each other."""
        size = len(data)
        if self._top == self._start and (
            size > self._end - self._start or self._memory.pages != self._pages
        ):
            self._place(size)
        elif size > self._end - self._top:
            self._memory.extend_host_region(self._top + size)
            self._end = len(self._memory.data)
        pointer = self._top
        self._top += size
        self._memory.data[pointer : self._top] = data
        return pointer

    def release(self) -> None:
        """See `InputPlace.release`: the next input starts at the bottom again.

        The inputs are replaced by zeros: the plugin can read these pages in its next call, whose
        caller may be another one.
        """
        data, start, top = self._memory.data, self._start, self._top
        # In pieces: the zeros for all of it would take as much again.
        while top - start > PAGE_SIZE:
            data[start : start + PAGE_SIZE] = bytes(PAGE_SIZE)
            start += PAGE_SIZE
        data[start:top] = bytes(top - start)
        self._top = self._start

    def abandon(self) -> None:
        """See `InputPlace.abandon`: the memory may be an imported one, and live on."""
        self.release()

    def _place(self, size: int) -> None:
        """Find a region for inputs of `size` bytes, and for a few that are longer."""
        reserve = self._least_reserve and max(
            self._least_reserve,
            self._memory.pages,
            self.RESERVE_PER_PAGE * math.ceil(size / PAGE_SIZE),
        )
        # Powers of two: inputs that get a little longer each time do not grow memory each time.
        capacity = max(1 << (size - 1).bit_length(), self._end - self._start)
        try:
            self._start = self._memory.host_region(capacity, reserve)
        except ResourceLimitError:
            self._start = self._memory.host_region(size, reserve)
        self._top = self._start
        self._end = len(self._memory.data)
        self._pages = self._memory.pages


class Exported:
    """Memory that the plugin's own allocator gives for an input, and takes back after the call."""

    def __init__(
        self,
        memory: Memory,
        allocate: Callable[[int], int],
        free: Callable[[int], object] | None,
    ) -> None:
        self._memory = memory
        self._allocate = allocate
        self._free = free
        self._live: list[int] = []

    def put(self, data: bytes) -> int:
        """See `InputPlace.put`."""
        pointer = self._allocate(len(data))
        if pointer == 0:
            raise StringError(f"the plugin's allocator has no {len(data)} bytes for the input")
        if pointer + len(data) > len(self._memory.data):
            raise StringError(
                f"the plugin's allocator answered {pointer:#x} for {len(data)} bytes, and memory"
                f" ends at {len(self._memory.data):#x}"
            )
        self._live.append(pointer)
        self._memory.data[pointer : pointer + len(data)] = data
        return pointer

    def release(self) -> None:
        """See `InputPlace.release`."""
        while self._live:
            pointer = self._live.pop()
            if self._free is not None:
                self._free(pointer)

    def abandon(self) -> None:
        """See `InputPlace.abandon`."""
        self._live.clear()


def input_place(
    instance: Instance, memory: Memory, least_reserve: int = LEAST_RESERVE
) -> InputPlace:
    """Where the inputs of a plugin go: its own allocator's memory where it exports one.

    In this order: `plugin_alloc` and `plugin_free`; `malloc` and `free`; `cabi_realloc`;
    AssemblyScript's `__new`, `__pin` and `__unpin`; else an `Arena` with that reserve.

    Raises:
        WrongExportTypeError: `plugin_alloc` or `plugin_free` has another type than the ABI says.
    """
    allocate = abi.optional_function(instance, "plugin_alloc")
    free = abi.optional_function(instance, "plugin_free")
    if allocate is not None:
        return Exported(memory, allocate.entry, None if free is None else free.entry)

    def export(name: str, params: int, results: int) -> Callable[..., int] | None:
        function = instance.exports.get(name)
        expected = FuncType((ValType.I32,) * params, (ValType.I32,) * results)
        if isinstance(function, Function) and function.type == expected:
            return function.entry
        return None

    malloc, c_free = export("malloc", 1, 1), export("free", 1, 0)
    if malloc is not None and c_free is not None:
        return Exported(memory, malloc, c_free)
    realloc = export("cabi_realloc", 4, 1)
    if realloc is not None:
        # The component model's allocator: it also frees, but no size tells how much to free here.
        return Exported(memory, lambda size: realloc(0, 0, 1, size), None)
    new, pin, unpin = export("__new", 2, 1), export("__pin", 1, 1), export("__unpin", 1, 0)
    if new is not None and pin is not None and unpin is not None:
        return Exported(memory, lambda size: pin(new(size, _ARRAY_BUFFER)), unpin)
    return Arena(memory, least_reserve if _may_grow(instance.module.module) else 0)


def _may_grow(module: Module) -> bool:
    """Whether a module may hold a `memory.grow`, or share a memory with one that does.

    Its two bytes are looked for, and found by chance as well; a reserve is then there for nothing.
    """
    return module.imported_memories > 0 or any(
        module.data.find(b"\x40\x00", *section.content) >= 0
        for section in module.sections
        if section.name == "code"
    )


#: AssemblyScript's class id of `ArrayBuffer`, the same in every module.
_ARRAY_BUFFER = 1
