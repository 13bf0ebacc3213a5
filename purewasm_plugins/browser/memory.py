"""The linear memory as the page shows it: pieces of bytes with marks.

The marks are the input and the output of the last call, and the bytes that the call changed.
"""

from __future__ import annotations

import bisect
import re
from typing import Any

from purewasm_plugins.browser.observe import Observer
from purewasm_plugins.runtime.instance import Instance
from purewasm_plugins.runtime.memory import Memory

Range = tuple[int, int]

#: The bytes that are compared at a time. Nearly all stretches are equal, which takes one
#: comparison; in a different one only the blocks that differ are examined byte by byte.
_STRETCH = 65536
_BLOCK = 2048

#: The most ranges that are kept of a call's changes; the rest counts as one range.
MOST_RANGES = 50_000

#: The cells of the overview of the whole memory.
CELLS = 240

#: The most bytes in one piece.
LARGEST_PIECE = 65536


class AsLeft:
    """The bytes of a memory as a call left them.

    The host erases the input after the call; `left` has the bytes that were there.
    """

    def __init__(self, data: bytearray, start: int = 0, left: bytes = b"") -> None:
        self._data = data
        self._start = start
        self._left = left

    def __len__(self) -> int:
        return len(self._data)

    def __getitem__(self, stretch: slice) -> bytearray:
        piece = self._data[stretch]
        first, end, _ = stretch.indices(len(self._data))
        low = max(first, self._start)
        high = min(end, self._start + len(self._left))
        if low < high:
            piece[low - first : high - first] = self._left[low - self._start : high - self._start]
        return piece

    def find(self, byte: int, start: int) -> int:
        """Find a byte as `bytes.find` does; a search that starts in the erased bytes sees them."""
        offset = start - self._start
        if 0 <= offset < len(self._left):
            end = self._left.find(byte, offset)
            if end >= 0:
                return self._start + end
            start = self._start + len(self._left)
        return self._data.find(byte, start)


class MemoryView:
    """The memory of an instance, before its first call or after its last one."""

    def __init__(self, memory: Memory | None = None) -> None:
        self._memory = memory
        self._data = AsLeft(bytearray() if memory is None else memory.raw)
        self._input: Range | None = None
        self._output: Range | None = None
        self._changed: list[Range] = []
        self._pages_before: int | None = None
        self._compared = True

    @classmethod
    def of(cls, instance: Instance) -> MemoryView:
        """Return the view of an instance before its first call."""
        memory = instance.exports.get("memory")
        return cls(memory if isinstance(memory, Memory) else None)

    @classmethod
    def after(cls, observer: Observer, output: str | None) -> MemoryView:
        """Return the view of the memory after a call.

        Args:
            observer: the record of the call.
            output: the output of the tool; None where the call failed.
        """
        shown = cls() if observer.instance is None else cls.of(observer.instance)
        if shown._memory is None:
            return shown
        if observer.input is not None:
            shown._data = AsLeft(shown._memory.raw, observer.input, observer.left)
        data = shown._data
        shown._pages_before = observer.pages
        shown._compared = observer.before is not None
        if observer.before is not None:
            shown._changed = changes(observer.before, data)
        if observer.input is not None:
            # The input as it was passed: the tool may have overwritten it.
            source: AsLeft | bytes = data if observer.before is None else observer.before
            shown._input = _string_at(source, observer.input)
        if output is not None and observer.output is not None:
            shown._output = _string_at(data, observer.output & 0xFFFFFFFF)
        return shown

    def summary(self) -> dict[str, Any] | None:
        """Return everything but the bytes; None for an instance without a memory."""
        memory = self._memory
        if memory is None:
            return None
        size = len(memory.raw)
        return {
            "pages": memory.pages,
            "pages_before": self._pages_before,
            "maximum": memory.type.limits.maximum,
            "size": memory.size,
            "total": size,
            "host": size - memory.size,
            "input": self._input,
            "output": self._output,
            "compared": self._compared,
            "changed_bytes": sum(end - start for start, end in self._changed),
            "changes": len(self._changed),
            "first_change": self._changed[0] if self._changed else None,
            "overview": self._overview(size),
        }

    def piece(self, start: int, size: int) -> dict[str, Any]:
        """Return some bytes and the marks in them.

        Returns:
            The bytes as hexadecimal digits, the marked ranges inside the piece, and the addresses
            of the nearest changes before and after the piece.
        """
        if self._memory is None:
            return {"start": 0, "hex": "", "marks": [], "previous": None, "next": None}
        data = self._data
        start = max(0, min(start, len(data)))
        end = min(start + max(0, min(size, LARGEST_PIECE)), len(data))
        first = bisect.bisect_left(self._changed, start, key=lambda change: change[1])
        last = bisect.bisect_left(self._changed, end, key=lambda change: change[0])
        marks = [("changed", *change) for change in self._changed[first:last]]
        named = (("input", self._input), ("output", self._output))
        marks += [(name, *place) for name, place in named if place is not None]
        earlier = bisect.bisect_left(self._changed, start, key=lambda change: change[0])
        return {
            "start": start,
            "hex": data[start:end].hex(),
            "marks": [
                (name, max(low, start) - start, min(high, end) - start)
                for name, low, high in marks
                if low < end and high > start
            ],
            "previous": self._changed[earlier - 1][0] if earlier else None,
            "next": self._changed[last][0] if last < len(self._changed) else None,
        }

    def _overview(self, size: int) -> list[str]:
        """Divide the memory into equal cells, and return the letters of what each one contains.

        `d` data other than zeros, `c` changes, `i` input, `o` output, `h` the host region.
        """
        memory = self._memory
        if memory is None or not size:
            return []
        count = min(CELLS, -(-size // 256))
        edges = [size * cell // count for cell in range(count + 1)]
        cells = [""] * count
        zeros = bytes(-(-size // count))
        for cell in range(count):
            low, high = edges[cell], edges[cell + 1]
            # A comparison is a hundred times as fast as a search, and nearly all bytes are zero.
            if self._data[low:high] != zeros[: high - low]:
                cells[cell] += "d"
            if low >= memory.size:
                cells[cell] += "h"
        marked = [("c", change) for change in self._changed]
        marked += [
            (letter, place)
            for letter, place in (("i", self._input), ("o", self._output))
            if place is not None
        ]
        for letter, (low, high) in marked:
            first = bisect.bisect_right(edges, low) - 1
            last = bisect.bisect_left(edges, max(high, low + 1))
            for cell in range(max(0, first), min(last, count)):
                if letter not in cells[cell]:
                    cells[cell] += letter
        return cells


_DIFFERENT = re.compile(rb"[^\0]+")


def _string_at(data: bytes | AsLeft, start: int) -> Range:
    return start, max(start, data.find(0, start))


def changes(before: bytes, after: bytes | bytearray | AsLeft) -> list[Range]:
    """Return the ranges of bytes that differ; bytes that `before` is too short for count as 0."""
    found: list[Range] = []
    for stretch in range(0, len(after), _STRETCH):
        end = min(stretch + _STRETCH, len(after))
        if after[stretch:end] == before[stretch:end]:
            continue
        for start in range(stretch, end, _BLOCK):
            new, old = after[start : start + _BLOCK], before[start : start + _BLOCK]
            if new != old:
                _add_differences(found, start, new, old)
        if len(found) > MOST_RANGES:
            found[MOST_RANGES:] = [(found[MOST_RANGES][0], len(after))]
            break
    return found


def _add_differences(found: list[Range], start: int, new: bytes | bytearray, old: bytes) -> None:
    # The difference of two long integers is a thousand times as fast as a loop over bytes.
    difference = int.from_bytes(new, "little") ^ int.from_bytes(old, "little")
    for match in _DIFFERENT.finditer(difference.to_bytes(len(new), "little")):
        low, high = match.start() + start, match.end() + start
        if found and found[-1][1] == low:
            found[-1] = (found[-1][0], high)
        else:
            found.append((low, high))
