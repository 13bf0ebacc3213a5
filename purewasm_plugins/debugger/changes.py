"""The differences between two steps of a session."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from purewasm_plugins.debugger.machine.snapshot import PAGE, Snapshot
from purewasm_plugins.engine.stepping import MachineFrame, TypedValue
from purewasm_plugins.runtime.values import f64_to_bits


@dataclass(frozen=True, slots=True)
class Changes:
    """The differences from the place before the last move.

    Attributes:
        operands: positions in the operand stack of the current frame, from the bottom.
        locals: indices of the current frame's locals; empty where the number of frames differs.
        labels: positions in the current frame's labels, innermost last; empty as for `locals`.
        globals: indices.
        memory: address and size of each range that differs.
        tables: table and index of each entry that differs.
        depth: the number of frames added; negative for removed ones.
    """

    operands: frozenset[int] = frozenset()
    locals: frozenset[int] = frozenset()
    labels: frozenset[int] = frozenset()
    globals: frozenset[int] = frozenset()
    memory: tuple[tuple[int, int], ...] = ()
    tables: tuple[tuple[int, int], ...] = ()
    depth: int = 0


def changes(before: Snapshot, after: Snapshot) -> Changes:
    """Compare two snapshots of one machine."""
    operands: frozenset[int] = frozenset()
    locals_: frozenset[int] = frozenset()
    labels: frozenset[int] = frozenset()
    frame = _innermost(after)
    former = _innermost(before)
    depth = after.stack.depth - before.stack.depth
    if frame is None:
        operands = _differing(after.stack.operands(), before.stack.operands())
    else:
        operands = _differing(frame.operands, before.stack.operands(frame.base))
        if former is not None and not depth:
            locals_ = _differing(frame.locals, former.locals)
            labels = _differing_labels(frame, former)
    memory: list[tuple[int, int]] = []
    for new, old in zip(after.memories, before.memories, strict=True):
        for number in new.changed_pages(old):
            memory += _ranges(number * PAGE, old.page(number), new.page(number))
    return Changes(
        operands,
        locals_,
        labels,
        frozenset(
            index
            for index, pair in enumerate(zip(after.globals, before.globals, strict=True))
            if pair[0] is not pair[1] and repr(pair[0]) != repr(pair[1])
        ),
        tuple(_joined(memory)),
        tuple(
            (table, index)
            for table, (new_entries, old_entries) in enumerate(
                zip(after.tables, before.tables, strict=True)
            )
            if new_entries is not old_entries
            for index, entry in enumerate(new_entries)
            if index >= len(old_entries) or entry is not old_entries[index]
        ),
        depth,
    )


def _innermost(snapshot: Snapshot) -> MachineFrame | None:
    depth = snapshot.stack.depth
    return snapshot.stack.frame(depth - 1) if depth else None


def _differing(new: Sequence[TypedValue], old: Sequence[TypedValue]) -> frozenset[int]:
    """Return the positions of values that differ, by their bits."""
    return frozenset(
        index
        for index, value in enumerate(new)
        if index >= len(old) or not _same(value, old[index])
    )


def _same(one: TypedValue, other: TypedValue) -> bool:
    """Tell whether two values have the same type and the same bits; references, one referent."""
    if one.type is not other.type:
        return False
    if one.type.is_reference:
        return one.raw is other.raw
    if isinstance(one.raw, float):
        return f64_to_bits(one.raw) == f64_to_bits(other.raw)
    return bool(one.raw == other.raw)


def _differing_labels(new: MachineFrame, old: MachineFrame) -> frozenset[int]:
    """Return the positions of labels that belong to another block."""
    same_function = new.position.function == old.position.function
    return frozenset(
        index
        for index, label in enumerate(new.labels)
        if index >= len(old.labels) or not same_function or label.opener != old.labels[index].opener
    )


def _ranges(address: int, old: bytes, new: bytes) -> Iterator[tuple[int, int]]:
    """Yield the address and the size of each range of a page that differs."""
    start: int | None = None
    for index, byte in enumerate(new):
        # The zeros of memory that was grown are not reported.
        differs = byte != (old[index] if index < len(old) else 0)
        if differs and start is None:
            start = index
        elif not differs and start is not None:
            yield address + start, index - start
            start = None
    if start is not None:
        yield address + start, len(new) - start


def _joined(ranges: list[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """Yield the same ranges, with those joined that touch."""
    current: tuple[int, int] | None = None
    for start, size in ranges:
        if current is not None and current[0] + current[1] == start:
            current = (current[0], current[1] + size)
        else:
            if current is not None:
                yield current
            current = (start, size)
    if current is not None:
        yield current
