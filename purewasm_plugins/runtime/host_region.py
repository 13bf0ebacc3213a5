"""Pages of a memory that belong to the host and lie behind the module's.

The plugin layer puts inputs there (`plugin/strings.py`, and `ABI.md` under "Where inputs go"). A
module does not see these pages: `memory.size` does not count them, and `memory.grow` is refused
before it reaches them. Its loads and stores do reach them, and the bytes in between: an engine
checks addresses against the length of `Memory.raw`.
"""

from __future__ import annotations

import math

from purewasm_plugins.errors import ResourceLimitError
from purewasm_plugins.runtime.memory import Memory
from purewasm_plugins.wasm.types import PAGE_SIZE


class HostRegion:
    """The host's pages of one memory, with a reserve before them for the module to grow into.

        module's pages | reserve | host's pages
        0              pages     ceiling        len(raw)

    Attributes:
        memory: the memory. Where the region begins is its `ceiling`, so that all regions of a
            memory that several instances share are one.
    """

    __slots__ = ("memory",)

    def __init__(self, memory: Memory) -> None:
        """Take a memory; `provide` makes the region."""
        self.memory = memory

    @property
    def end(self) -> int:
        """The offset behind the region's last byte."""
        return len(self.memory.raw)

    def provide(self, size: int, reserve: int) -> int:
        """Provide bytes for the host.

        The module may still grow by `reserve` pages without reaching them, or as far as its own
        maximum, the limit or the machine allow if that is less. The region stays where it is while
        at least half of the reserve is left; else it is given up for one that lies higher.

        Args:
            size: bytes wanted.
            reserve: pages.

        Returns:
            The offset of the region, a multiple of the page size. At least `size` bytes follow.

        Raises:
            ResourceLimitError: the region alone does not fit under the limit, or into the machine.
            MemoryInUse: the host holds a view of the memory.
        """
        memory = self.memory
        wanted = math.ceil(size / PAGE_SIZE)
        highest = memory.page_limit - wanted
        if memory.pages > highest:
            raise ResourceLimitError("memory_pages", memory.pages + wanted, memory.page_limit)
        start = memory.ceiling
        least = min(memory.pages + reserve // 2, memory.maximum, highest)
        if start is None or not least <= start <= highest:
            start = min(memory.pages + reserve, memory.maximum, highest)
        hoped = start
        while True:
            try:
                self.extend(start * PAGE_SIZE + size)
                break
            except ResourceLimitError:
                if start == memory.pages:
                    raise
                start = memory.pages + (start - memory.pages) // 2
        if start < hoped:
            # The machine has no room for more, and that is the limit from now on.
            memory.page_limit = start + wanted
        memory.ceiling = start
        return start * PAGE_SIZE

    def extend(self, end: int) -> None:
        """Make the region reach up to the offset `end`, or further; it does not move.

        Raises:
            ResourceLimitError: it does not fit under the limit, or into the machine.
            MemoryInUse: the host holds a view of the memory.
        """
        pages = math.ceil(end / PAGE_SIZE)
        if pages > self.memory.page_limit:
            raise ResourceLimitError("memory_pages", pages, self.memory.page_limit)
        if not self.memory.extend(pages):
            raise ResourceLimitError("memory_pages", pages, None)
