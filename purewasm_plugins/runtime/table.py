"""Tables of references (core specification, 4.2.7), the same for every engine."""

from __future__ import annotations

from purewasm_plugins.errors import ResourceLimitError, Trap, TrapReason
from purewasm_plugins.runtime.limits import ELEMENTS_PER_UNIT, ResourceLimits, Spend, pieces
from purewasm_plugins.runtime.memory import NO_ROOM, room_for
from purewasm_plugins.runtime.values import to_raw
from purewasm_plugins.support.typed import Any, Sequence
from purewasm_plugins.wasm.types import TableType


class Table:
    """A table of references (core specification, 4.2.7).

        >>> from purewasm_plugins import Limits, Table, TableType, ValType
        >>> table = Table(TableType(ValType.EXTERNREF, Limits(2)), "empty")
        >>> table.set(1, {"any": "object"})
        >>> table.get(0), table.get(1), len(table)
        ('empty', {'any': 'object'}, 2)

    Attributes:
        type: its declaration.
        elements: for engines only: its references, as a list that is changed in place.
        own_limit: entries that this table may have, whatever others have; None for no such limit.
    """

    __slots__ = ("_limit", "_sharing", "elements", "own_limit", "type")

    def __init__(
        self,
        type: TableType,
        initial: Any = None,
        limits: ResourceLimits | None = None,
        *,
        beside: Sequence[Table] = (),
    ) -> None:
        """Allocate a table of its minimal size, every entry `initial`.

        Args:
            type: its declaration.
            initial: None, or a border value of its element type.
            limits: of which it takes `table_elements`; None for the defaults.
            beside: tables that share the limit with it.

        Raises:
            ResourceLimitError: with those beside it, the type's minimum is over
                `limits.table_elements`, or more than the machine has room for.
            TypeError: `initial` is no value of its element type.
        """
        limits = limits or ResourceLimits()
        #: The elements of all tables that share the limit.
        self._sharing: list[list[Any]] = beside[0]._sharing if beside else []
        minimum = type.limits.minimum
        limits.check("table_elements", sum(map(len, self._sharing)) + minimum)
        self.type = type
        with room_for("table_elements", minimum):
            self.elements: list[Any] = [to_raw(type.element, initial)] * minimum
        self._sharing.append(self.elements)
        self._limit = limits.table_elements
        self.own_limit: int | None = None

    def __len__(self) -> int:
        return len(self.elements)

    def get(self, index: int) -> Any:
        """Return the reference at an index.

        Raises:
            Trap: the index is out of bounds.
        """
        self._end(index, 1)
        return self.elements[index]

    def set(self, index: int, value: Any) -> None:
        """Replace the reference at an index.

        Raises:
            Trap: the index is out of bounds.
            TypeError: it is no value of the table's element type.
        """
        self._end(index, 1)
        self.elements[index] = to_raw(self.type.element, value)

    def grow(self, count: int, value: Any = None) -> int:
        """Add entries.

        Args:
            count: how many.
            value: a border value for each.

        Returns:
            The number of entries before.

        Raises:
            ResourceLimitError: the table's maximum or the limit of its instance forbids it.
            TypeError: `value` is no value of the table's element type.
        """
        before = self.try_grow(count, to_raw(self.type.element, value))
        if before < 0:
            raise ResourceLimitError("table_elements", len(self) + count, self._allowed)
        return before

    def try_grow(self, count: int, value: Any, spend: Spend | None = None) -> int:
        """Do what `table.grow` does (4.4.6).

        Args:
            count, value: the operands.
            spend: pays for it, piece after piece; what it raises leaves the table as it was.

        Returns:
            The number of entries before; -1 where the growth is refused.
        """
        elements, before = self.elements, len(self.elements)
        if count == 0:
            # It may have more than a limit that was set later.
            return before
        if count < 0 or before + count > self._allowed:
            return -1
        complete = False
        try:
            for start, end in pieces(count, ELEMENTS_PER_UNIT, spend):
                elements.extend([value] * (end - start))
            complete = True
        except NO_ROOM:
            return -1
        finally:
            while not complete and len(elements) > before:
                # Few at a time: a list copies what is deleted from it.
                del elements[max(before, len(elements) - ELEMENTS_PER_UNIT) :]
        return before

    def fill(self, start: int, value: Any, count: int, spend: Spend | None = None) -> None:
        """Do what `table.fill` does (4.4.6).

        Args:
            start, value, count: the operands.
            spend: pays for it, piece after piece; what it raises leaves the rest as it was. The
                same for `copy` and `init`.

        Raises:
            Trap: out of bounds; nothing was written.
        """
        self._end(start, count)
        for first, end in pieces(count, ELEMENTS_PER_UNIT, spend):
            self.elements[start + first : start + end] = [value] * (end - first)

    def copy(
        self,
        source: Table,
        destination: int,
        start: int,
        count: int,
        spend: Spend | None = None,
    ) -> None:
        """Do what `table.copy` does (4.4.6), from `source`, which may be this table.

        Raises:
            Trap: out of bounds; nothing was written.
        """
        source._end(start, count)
        self._end(destination, count)
        self._move(source.elements, destination, start, count, spend)

    def init(
        self,
        segment: Sequence[Any],
        destination: int,
        start: int,
        count: int,
        spend: Spend | None = None,
    ) -> None:
        """Do what `table.init` does (4.4.6), from the references of an element segment.

        Raises:
            Trap: out of bounds; nothing was written.
        """
        if start + count > len(segment):
            raise Trap(TrapReason.OUT_OF_BOUNDS_TABLE_ACCESS)
        self._end(destination, count)
        self._move(segment, destination, start, count, spend)

    def _move(
        self,
        source: Sequence[Any],
        destination: int,
        start: int,
        count: int,
        spend: Spend | None,
    ) -> None:
        # Source and destination may overlap.
        backwards = start < destination
        for first, end in pieces(count, ELEMENTS_PER_UNIT, spend, backwards=backwards):
            moved = source[start + first : start + end]
            self.elements[destination + first : destination + end] = moved

    @property
    def _allowed(self) -> int:
        """Entries that this table may have."""
        bounds = [0xFFFFFFFF]
        if self.type.limits.maximum is not None:
            bounds.append(self.type.limits.maximum)
        if self.own_limit is not None:
            bounds.append(self.own_limit)
        if self._limit is not None:
            others = sum(map(len, self._sharing)) - len(self.elements)
            bounds.append(self._limit - others)
        return min(bounds)

    def _end(self, start: int, count: int) -> None:
        if start < 0 or start + count > len(self.elements):
            raise Trap(TrapReason.OUT_OF_BOUNDS_TABLE_ACCESS)

    def __repr__(self) -> str:
        return f"<Table of {len(self)} {self.type.element}>"
