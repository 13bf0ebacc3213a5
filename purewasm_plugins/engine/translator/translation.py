"""The translation of one function: what it may take (`Effort`), and what it gives (`Compiled`).

The modules that translate are imported when a function has to be translated. Where a cache has the
functions, a process is done before that would have been.
"""

from __future__ import annotations

from bisect import bisect_left
from types import CodeType

from purewasm_plugins.errors import ResourceLimitError
from purewasm_plugins.support.records import Record
from purewasm_plugins.support.typed import Callable

__all__ = ["ANY_EFFORT", "MEMORY_END", "Compiled", "Effort", "offset_at"]

#: Facts about locals that accesses imply rely on a memory that ends here at the latest: a pointer
#: into it is a small int of CPython, and so is nearly each of its sums. Another memory has masks.
MEMORY_END = 1 << 30


def _no_limits(seconds: float) -> None:
    pass


class Effort(Record):
    """The limits on translating one function.

    Attributes:
        characters: of Python, without indentation; None for any number.
        check_limits: called every few hundred instructions with the seconds until its next call;
            it raises what ends the translation.
    """

    characters: int | None = None
    check_limits: Callable[[float], None] = _no_limits

    def check_characters(self, characters: int) -> None:
        """Refuse to write so many characters.

        Raises:
            ResourceLimitError: they are too many.
        """
        if self.characters is not None and characters > self.characters:
            raise ResourceLimitError("translated_characters", characters, self.characters)


ANY_EFFORT = Effort()


class Compiled(Record):
    """A translated function.

    Attributes:
        code: of the Python function.
        positions: where the instructions that may trap stand in its source; see `offset_at`.
    """

    code: CodeType
    positions: bytes


def offset_at(positions: bytes, line: int, columns: tuple[int, int] | None) -> int | None:
    """Return the offset of the innermost instruction that may trap at a place of the source.

    Args:
        positions: those of the function.
        line: from 1 on.
        columns: where the place begins and ends, if that is known.
    """
    # Imported here, as it imports `collections`, and only a trap needs it.
    from array import array

    table = array("I", positions)
    first = bisect_left(range(len(table) // 4), line, key=lambda row: table[4 * row])
    found: int | None = None
    # Inner ones end first.
    for row in range(first, len(table) // 4):
        number, start, end, offset = table[4 * row : 4 * row + 4]
        if number != line:
            break
        if columns is not None and start <= columns[0] and columns[1] <= end:
            return offset
        if found is None:
            found = offset
    return found
