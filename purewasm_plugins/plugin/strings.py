"""Strings: writing them into a plugin's memory, and reading them from it.

A string of the ABI is UTF-8 that ends with a zero byte. `encode_string` makes its bytes, an
`InputPlace` finds an address for them and writes them there, and `read_string` takes an address and
returns a text. `input_place` chooses the place by what the plugin exports: `PluginAllocator` asks
the plugin's own allocator, `Arena` takes pages of the host's. `ABI.md` gives the rules and the
reasons, under "Where inputs go".
"""

from __future__ import annotations

import math

from purewasm_plugins.errors import InvalidString, ResourceLimitError, StringError
from purewasm_plugins.plugin import abi
from purewasm_plugins.runtime.host_region import HostRegion
from purewasm_plugins.runtime.instance import Function, Instance
from purewasm_plugins.runtime.memory import Memory
from purewasm_plugins.support.typed import Callable, Protocol
from purewasm_plugins.wasm.module import Module
from purewasm_plugins.wasm.types import PAGE_SIZE, FuncType, ValType


def read_string(memory: Memory, pointer: int, limit: int | None = None) -> str:
    """Read the string at an address, as `Memory.read_string` does.

    Args:
        memory: the plugin's memory.
        pointer: the address.
        limit: bytes that the string may have, its terminator aside; None for any number.

    Raises:
        StringError: no string can be read there. The plugin has returned the address, so its
            instance is not in the middle of anything, as it would be after a trap.
    """
    try:
        return memory.string_bytes(pointer, limit).decode("utf-8", "replace")
    except InvalidString as error:
        raise StringError(error.details) from None


class OwnStrings:
    """The reader of what a plugin says of itself, within the limits that the ABI sets."""

    def __init__(self, limit: int | None) -> None:
        """Start with nothing read.

        Args:
            limit: bytes that a string may have beside the limits of the ABI; None for any number.
        """
        self._limit = abi.MAX_STRINGS if limit is None else limit
        self._left = abi.MAX_STRINGS

    def read(self, memory: Memory, pointer: int, export: str) -> bytearray:
        """Read the bytes of the string that an export of the ABI has returned.

        Raises:
            StringError: it cannot be read, or is too long, or all of them together are.
        """
        try:
            data = memory.string_bytes(pointer, min(self._limit, abi.MAX_STRING[export]))
        except InvalidString as error:
            raise StringError(error.details) from None
        self._left -= len(data)
        if self._left < 0:
            raise StringError(
                f"what the plugin says of itself has more than {abi.MAX_STRINGS} bytes"
            )
        return data


class InputPlace(Protocol):
    """A place in a plugin's memory for the inputs of one call."""

    def put(self, data: bytes) -> int:
        """Write an input into memory.

        Returns:
            Its address.

        Raises:
            StringError: there is no room for it.
            ResourceLimitError: it does not fit under the limit of memory.
            Trap: the plugin's own allocator trapped.
        """

    def release(self) -> None:
        """Give up the inputs' memory: the call has ended and its output was read."""

    def abandon(self) -> None:
        """Forget the inputs: the call was cut short, and no code of the instance may run again."""


#: Pages of an arena's reserve, unless more were seen to be needed: 4 MiB.
LEAST_RESERVE = 64


class Arena:
    """A bump allocator in pages of the host's behind the plugin's (`HostRegion`).

    An allocator inside the plugin that takes all of `memory.size` for its heap, or that expects its
    pages to follow each other, does not reach these pages.
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
        self._region = HostRegion(memory)
        self._least_reserve = least_reserve
        self._start = self._top = self._end = 0
        self._pages = -1

    def put(self, data: bytes) -> int:
        """Write an input behind the earlier ones of its call; see `InputPlace.put`."""
        size = len(data)
        if self._top == self._start and (
            size > self._end - self._start or self._memory.pages != self._pages
        ):
            self._place(size)
        elif size > self._end - self._top:
            self._region.extend(self._top + size)
            self._end = self._region.end
        pointer = self._top
        self._top += size
        self._memory.raw[pointer : self._top] = data
        return pointer

    def release(self) -> None:
        """Replace the inputs by zeros, and start at the bottom again; see `InputPlace.release`.

        The plugin can read these pages in its next call, which may be for another caller.
        """
        raw, start, top = self._memory.raw, self._start, self._top
        # In pieces: the zeros for all of it would take as much again.
        while top - start > PAGE_SIZE:
            raw[start : start + PAGE_SIZE] = bytes(PAGE_SIZE)
            start += PAGE_SIZE
        raw[start:top] = bytes(top - start)
        self._top = self._start

    def abandon(self) -> None:
        """Do what `release` does: the memory may be an imported one, and be used further."""
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
            self._start = self._region.provide(capacity, reserve)
        except ResourceLimitError:
            self._start = self._region.provide(size, reserve)
        self._top = self._start
        self._end = self._region.end
        self._pages = self._memory.pages


class PluginAllocator:
    """The plugin's own allocator: it gives memory for each input, and takes it back."""

    def __init__(
        self,
        memory: Memory,
        allocate: Callable[[int], int],
        free: Callable[[int], object] | None,
    ) -> None:
        """Take an allocator.

        Args:
            memory: in which it allocates.
            allocate: given a number of bytes, returns their address, or 0 where it has none.
            free: takes an address back; None where nothing does.
        """
        self._memory = memory
        self._allocate = allocate
        self._free = free
        self._live: list[int] = []

    def put(self, data: bytes) -> int:
        """Write an input into memory that the plugin allocates; see `InputPlace.put`."""
        pointer = self.write(data, "the input")
        self._live.append(pointer)
        return pointer

    def write(self, data: bytes, what: str) -> int:
        """Write bytes into memory that the plugin allocates, and that it has to free.

        Args:
            data: the bytes.
            what: they are, in an error's words.

        Returns:
            Their address, unsigned.

        Raises:
            StringError: the allocator has no memory, or returns an address that cannot be right.
            Trap: the allocator trapped.
        """
        memory, size = self._memory.raw, len(data)
        pointer = self._allocate(size)
        if pointer == 0:
            raise StringError(f"the plugin's allocator has no {size} bytes for {what}")
        if pointer + size > len(memory):
            raise StringError(
                f"the plugin's allocator returned {pointer:#x} for {size} bytes, and memory ends at"
                f" {len(memory):#x}"
            )
        memory[pointer : pointer + size] = data
        return pointer

    def release(self) -> None:
        """Give the memory of each input back; see `InputPlace.release`."""
        while self._live:
            pointer = self._live.pop()
            if self._free is not None:
                self._free(pointer)

    def abandon(self) -> None:
        """Forget the inputs; see `InputPlace.abandon`."""
        self._live.clear()


def input_place(
    instance: Instance, memory: Memory, least_reserve: int = LEAST_RESERVE
) -> InputPlace:
    """Choose where the inputs of a plugin go.

    Returns:
        A `PluginAllocator` where the plugin exports an allocator, else an `Arena` with that
        reserve.

    Raises:
        WrongExportTypeError: `plugin_alloc` or `plugin_free` has another type than the ABI says.
    """
    allocator = plugin_allocator(instance, memory)
    if allocator is not None:
        return allocator
    return Arena(memory, least_reserve if _may_grow(instance.module.module) else 0)


def plugin_allocator(instance: Instance, memory: Memory) -> PluginAllocator | None:
    """Return the allocator that a plugin exports, if it does.

    In this order: `plugin_alloc` and `plugin_free`; `malloc` and `free`; `cabi_realloc`;
    AssemblyScript's `__new`, `__pin` and `__unpin`.

    Raises:
        WrongExportTypeError: `plugin_alloc` or `plugin_free` has another type than the ABI says.
    """
    allocate = abi.optional_function(instance, "plugin_alloc")
    free = abi.optional_function(instance, "plugin_free")
    if allocate is not None:
        return PluginAllocator(memory, allocate.entry, None if free is None else free.entry)

    def export(name: str, params: int, results: int) -> Callable[..., int] | None:
        function = instance.exports.get(name)
        expected = FuncType((ValType.I32,) * params, (ValType.I32,) * results)
        if isinstance(function, Function) and function.type == expected:
            return function.entry
        return None

    malloc, c_free = export("malloc", 1, 1), export("free", 1, 0)
    if malloc is not None and c_free is not None:
        return PluginAllocator(memory, malloc, c_free)
    realloc = export("cabi_realloc", 4, 1)
    if realloc is not None:
        # The component model's allocator: it also frees, but no size tells how much to free here.
        return PluginAllocator(memory, lambda size: realloc(0, 0, 1, size), None)
    new, pin, unpin = export("__new", 2, 1), export("__pin", 1, 1), export("__unpin", 1, 0)
    if new is not None and pin is not None and unpin is not None:
        return PluginAllocator(memory, lambda size: pin(new(size, _ARRAY_BUFFER)), unpin)
    return None


def _may_grow(module: Module) -> bool:
    """Return whether a module may hold a `memory.grow`, or share a memory with one that does.

    The two bytes of the instruction are searched for, and are found by chance as well; a reserve is
    then there for nothing.
    """
    return module.imported_memories > 0 or any(
        module.data.find(b"\x40\x00", *section.content) >= 0
        for section in module.sections
        if section.name == "code"
    )


#: AssemblyScript's class id of `ArrayBuffer`, the same in every module.
_ARRAY_BUFFER = 1
