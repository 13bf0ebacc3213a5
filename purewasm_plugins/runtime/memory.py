"""Linear memories (core specification, 4.2.8), the same for every engine."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager

from purewasm_plugins.errors import MemoryInUse, ResourceLimitError, Trap, TrapReason
from purewasm_plugins.runtime.limits import BYTES_PER_UNIT, ResourceLimits, Spend, pieces
from purewasm_plugins.wasm.types import PAGE_SIZE, MemoryType

#: Pages in the largest memory that 32-bit addresses reach.
MAX_PAGES = 65536

#: What Python raises where there is no room. One of 32 bits counts to two gigabytes only, and
#: overflows beyond.
NO_ROOM = (MemoryError, OverflowError)


@contextmanager
def room_for(limit: str, requested: int) -> Iterator[None]:
    """Allocate inside of it.

    Args:
        limit, requested: what a `ResourceLimitError` says of it.

    Raises:
        ResourceLimitError: the machine has not so much.
        MemoryInUse: it was a memory that should grow, and the host holds a view of it.
    """
    try:
        yield
    except NO_ROOM:
        raise ResourceLimitError(limit, requested, None) from None
    except BufferError:
        raise MemoryInUse from None


class Memory:
    """A linear memory (core specification, 4.2.8), little-endian, in pages of 64 KiB.

    A host may look at `data` through a `memoryview`. While it keeps one, the memory cannot grow:
    release the view before control goes back to the module.

    A host may keep pages of its own behind those of the module (`host_region`): `pages` and
    `memory.size` do not count them, and `memory.grow` never reaches them. Loads and stores do: an
    engine checks them against `data`, and the pages in between are zeros that nobody owns.
    """

    __slots__ = ("_ceiling", "_limit", "_pages", "data", "refused", "type")

    def __init__(self, type: MemoryType, limits: ResourceLimits | None = None) -> None:
        """Allocate a memory of its minimal size.

        Raises:
            ResourceLimitError: the type's minimum is over `limits.memory_pages`, or more than the
                machine has.
        """
        limits = limits or ResourceLimits()
        limits.check("memory_pages", type.limits.minimum)
        self.type = type
        #: The bytes, the host's region included. Grown in place, never replaced.
        with room_for("memory_pages", type.limits.minimum):
            self.data = bytearray(type.limits.minimum * PAGE_SIZE)
        #: What refused the last `memory.grow` that the module's own maximum would have allowed:
        #: "limit", or "host region" where only that was in the way; None if nothing was.
        self.refused: str | None = None
        self._pages = type.limits.minimum
        self._limit = MAX_PAGES if limits.memory_pages is None else limits.memory_pages
        self._ceiling: int | None = None

    @property
    def pages(self) -> int:
        """The size in pages of 64 KiB."""
        return self._pages

    @property
    def size(self) -> int:
        """The size in bytes."""
        return self._pages * PAGE_SIZE

    @property
    def maximum(self) -> int:
        """Pages that the module's own declaration allows."""
        declared = self.type.limits.maximum
        return MAX_PAGES if declared is None else min(declared, MAX_PAGES)

    def read(self, offset: int, size: int) -> bytes:
        """`size` bytes from `offset` on.

        Raises:
            Trap: they do not all lie inside the memory.
        """
        return bytes(self.data[offset : self._end(offset, size)])

    def write(self, offset: int, data: bytes | bytearray | memoryview) -> None:
        """Put bytes at `offset`.

        Raises:
            Trap: they do not all fit inside the memory.
        """
        self.data[offset : self._end(offset, len(data))] = data

    def find(self, byte: int, start: int = 0) -> int:
        """The offset of the first byte of that value at `start` or after it; -1 if there is none.

        Raises:
            Trap: `start` lies past the end of the memory.
        """
        self._end(start, 0)
        return self.data.find(byte, start)

    def grow(self, pages: int) -> int:
        """Add pages of zeros.

        Returns:
            The size before, in pages.

        Raises:
            ResourceLimitError: the memory's maximum or the limit of its instance forbids it.
            MemoryInUse: the host holds a view of `data`.
        """
        before = self.try_grow(pages)
        if before < 0:
            allowed = min(self.maximum, self._limit if self._ceiling is None else self._ceiling)
            raise ResourceLimitError("memory_pages", self._pages + pages, allowed)
        return before

    def try_grow(self, pages: int, spend: Spend | None = None) -> int:
        """What `memory.grow` does (core specification, 4.4.7): the size before, or -1.

        Args:
            pages: how many to add.
            spend: pays for them, piece after piece; what it raises leaves the memory as it was.

        Raises:
            MemoryInUse: the host holds a view of `data`.
        """
        before, after = self._pages, self._pages + pages
        if pages < 0 or after > self.maximum:
            return -1
        if self._ceiling is None:
            if after > self._limit:
                self.refused = "limit"
                return -1
            if not self._extend(after, spend):
                self.refused = "limit"
                return -1
        elif after > self._ceiling:
            host_pages = len(self.data) // PAGE_SIZE - self._ceiling
            self.refused = "limit" if after + host_pages > self._limit else "host region"
            return -1
        else:
            # The pages are there already; a host region, or a stray write, may have used them.
            self._fill(self.size, 0, pages * PAGE_SIZE, spend)
        self._pages = after
        return before

    def _extend(self, pages: int, spend: Spend | None) -> bool:
        """Make `data` so many pages long, the new ones zeros, and tell whether there was room.

        In pieces: the zeros of all of them at once would take as much again.
        """
        data, before = self.data, len(self.data)
        complete = False
        try:
            for start, end in pieces(pages * PAGE_SIZE - before, BYTES_PER_UNIT, spend):
                data.extend(bytes(end - start))
            complete = True
        except NO_ROOM:
            pass
        except BufferError:
            raise MemoryInUse from None
        finally:
            if not complete:
                del data[before:]
        return complete

    def undo_grow(self, pages: int) -> None:
        """Take the number of pages that the memory had or will have at another moment, for a
        debugger that goes back and forth in time and sees to `data` itself."""
        self._pages = pages

    def host_region(self, size: int, reserve: int) -> int:
        """Provide bytes for the host behind the module's pages.

        The module may still grow by `reserve` pages without reaching them, or as far as its own
        maximum, the limit or the machine allow if that is less. An earlier region is given up; it
        stays where it is while at least half of the reserve is left.

        Args:
            size: bytes wanted.
            reserve: pages.

        Returns:
            The offset of the region, a multiple of the page size. It reaches at least `size` bytes
            up, to the end of `data`.

        Raises:
            ResourceLimitError: the region alone does not fit under the limit, or into the machine.
        """
        wanted = math.ceil(size / PAGE_SIZE)
        highest = self._limit - wanted
        if self._pages > highest:
            raise ResourceLimitError("memory_pages", self._pages + wanted, self._limit)
        start = self._ceiling
        least = min(self._pages + reserve // 2, self.maximum, highest)
        if start is None or not least <= start <= highest:
            start = min(self._pages + reserve, self.maximum, highest)
        hoped = start
        while True:
            try:
                self.extend_host_region(start * PAGE_SIZE + size)
                break
            except ResourceLimitError:
                if start == self._pages:
                    raise
                start = self._pages + (start - self._pages) // 2
        if start < hoped:
            # The machine has no room for more, and that is the limit from now on.
            self._limit = start + wanted
        self._ceiling = start
        return start * PAGE_SIZE

    def extend_host_region(self, end: int) -> None:
        """Make the host's region reach up to the offset `end`, or further; it does not move.

        Raises:
            ResourceLimitError: it does not fit under the limit, or into the machine.
            MemoryInUse: the host holds a view of `data`.
        """
        pages = math.ceil(end / PAGE_SIZE)
        if pages > self._limit:
            raise ResourceLimitError("memory_pages", pages, self._limit)
        if not self._extend(pages, None):
            raise ResourceLimitError("memory_pages", pages, None)

    def fill(self, offset: int, value: int, size: int, spend: Spend | None = None) -> None:
        """`memory.fill` (4.4.7).

        Args:
            offset, value, size: the operands.
            spend: pays for it, piece after piece; what it raises leaves the rest as it was. The
                same for `copy` and `init`.

        Raises:
            Trap: out of bounds; nothing was written.
        """
        end = self._end(offset, size)
        if size <= BYTES_PER_UNIT:
            # Most are small: an iterator would take as long as all the rest.
            if size and spend is not None:
                spend(1)
            self.data[offset:end] = bytes((value & 0xFF,)) * size
        else:
            self._fill(offset, value, size, spend)

    def _fill(self, offset: int, value: int, size: int, spend: Spend | None) -> None:
        data, filling = self.data, b""
        for start, end in pieces(size, BYTES_PER_UNIT, spend):
            if len(filling) != end - start:
                filling = bytes((value & 0xFF,)) * (end - start)
            data[offset + start : offset + end] = filling

    def copy(self, destination: int, source: int, size: int, spend: Spend | None = None) -> None:
        """`memory.copy` (4.4.7).

        Raises:
            Trap: out of bounds; nothing was written.
        """
        source_end = self._end(source, size)
        end = self._end(destination, size)
        if size <= BYTES_PER_UNIT:
            if size and spend is not None:
                spend(1)
            self.data[destination:end] = self.data[source:source_end]
            return
        # A slice of a bytearray is a copy; from view to view CPython moves, overlapping or not.
        with memoryview(self.data) as view:
            for start, end in pieces(size, BYTES_PER_UNIT, spend, backwards=source < destination):
                view[destination + start : destination + end] = view[source + start : source + end]

    def init(
        self,
        segment: bytes | memoryview,
        destination: int,
        source: int,
        size: int,
        spend: Spend | None = None,
    ) -> None:
        """`memory.init` (4.4.7) from the bytes of a data segment.

        Raises:
            Trap: out of bounds; nothing was written.
        """
        if source + size > len(segment):
            raise Trap(TrapReason.OUT_OF_BOUNDS_MEMORY_ACCESS)
        self._end(destination, size)
        data = self.data
        for start, end in pieces(size, BYTES_PER_UNIT, spend):
            data[destination + start : destination + end] = segment[source + start : source + end]

    def extent(self, offset: int) -> int:
        """The end of the stretch of memory that an offset lies in: the module's pages, or the
        host's region behind them; 0 where it lies in neither."""
        if 0 <= offset < self.size:
            return self.size
        if self._ceiling is not None and self._ceiling * PAGE_SIZE <= offset < len(self.data):
            return len(self.data)
        return 0

    def _end(self, offset: int, size: int) -> int:
        end = offset + size
        if offset < 0 or size < 0:
            raise Trap(TrapReason.OUT_OF_BOUNDS_MEMORY_ACCESS)
        if end > self._pages * PAGE_SIZE and not self._in_host_region(offset, end):
            raise Trap(TrapReason.OUT_OF_BOUNDS_MEMORY_ACCESS)
        return end

    def _in_host_region(self, start: int, end: int) -> bool:
        """Whether a stretch lies in the region; an empty one may lie at its very end."""
        ceiling = self._ceiling
        return ceiling is not None and start >= ceiling * PAGE_SIZE and end <= len(self.data)

    def __repr__(self) -> str:
        return f"<Memory of {self._pages} pages>"
