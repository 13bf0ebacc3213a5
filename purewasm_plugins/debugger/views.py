"""What there is to see of a machine that stands still. Plain values, made when they are asked for.

Values are as users know them: signed integers, floats, 16 bytes, a `Function`, None.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from purewasm_plugins.debugger.expressions import Scope
from purewasm_plugins.debugger.machine import DebugLinked
from purewasm_plugins.debugger.program import Program
from purewasm_plugins.debugger.snapshot import PAGE, Snapshot
from purewasm_plugins.engine.reference.interpreter import raw_value
from purewasm_plugins.runtime.values import FROM_RAW
from purewasm_plugins.wasm import Block, Instruction, ValType


@dataclass(frozen=True, slots=True)
class Value:
    """A value and its type; `name` is that of the local or global that holds it, if it has one."""

    type: ValType
    value: Any
    name: str | None = None


@dataclass(frozen=True, slots=True)
class LabelView:
    """A label: a place that a branch may lead to.

    Attributes:
        kind: "block", "loop", "if" or "function".
        arity: how many operands a branch to it carries.
        height: how many operands of the frame lie below those.
        start: offset of the instruction that opened it; of a function's label, of its first.
        target: offset of the instruction that a branch to it goes on with.
    """

    kind: str
    arity: int
    height: int
    start: int
    target: int


@dataclass(frozen=True, slots=True)
class FrameView:
    """A function that is active.

    Attributes:
        depth: how many frames are below it.
        function: its index.
        name: what to call it.
        offset: offset of the instruction that is next, or, where it waits for another function,
            of the call.
        locals: parameters first.
        operands: its part of the operand stack, topmost last.
        labels: innermost last.
    """

    depth: int
    function: int
    name: str
    offset: int
    locals: tuple[Value, ...]
    operands: tuple[Value, ...]
    labels: tuple[LabelView, ...]


@dataclass(frozen=True, slots=True)
class GlobalView:
    """A global: its index, its value, and whether it can change."""

    index: int
    value: Value
    mutable: bool


@dataclass(frozen=True, slots=True)
class TableView:
    """A table: its index, and for each entry the name of the function there, or None."""

    index: int
    type: ValType
    entries: tuple[str | None, ...]


@dataclass(frozen=True, slots=True)
class Changes:
    """What differs from the place before the last move.

    Attributes:
        operands: positions in the operand stack of the current frame, from the bottom.
        locals: indices of the current frame's locals; empty where the frame is another one.
        labels: positions in the current frame's labels, innermost last; empty as for `locals`.
        globals: indices.
        memory: address and size of each stretch that differs.
        tables: table and index of each entry that differs.
        depth: how many frames there are more than before; negative for fewer.
    """

    operands: frozenset[int] = frozenset()
    locals: frozenset[int] = frozenset()
    labels: frozenset[int] = frozenset()
    globals: frozenset[int] = frozenset()
    memory: tuple[tuple[int, int], ...] = ()
    tables: tuple[tuple[int, int], ...] = ()
    depth: int = 0


def border(value: Any) -> Any:
    """A value of pywasm's as users know it."""
    return FROM_RAW[value.type.data](raw_value(value))


def typed(value: Any, name: str | None = None) -> Value:
    """A value of pywasm's as a view."""
    return Value(ValType(value.type.data), border(value), name)


def next_instruction(linked: DebugLinked) -> Any:
    """The instruction that the machine is about to run; None where the call has finished."""
    stack = linked.machine.stack
    return _standing(stack.label[-1], stack.label[-1].index) if stack.label else None


def _standing(label: Any, index: int) -> Any:
    """The first instruction of a label's list, from an index on, that is one of the text.

    There always is one: the machine is never left between an `end` and what follows it.
    """
    while True:
        instruction = list.__getitem__(label.instr, index)
        if instruction.weight:
            return instruction
        index += 1


def operands(linked: DebugLinked) -> tuple[Value, ...]:
    """The operands of the current function, topmost last."""
    stack = linked.machine.stack
    return tuple(map(typed, stack.value[stack.frame[-1].value :]))


def frames(linked: DebugLinked, program: Program) -> tuple[FrameView, ...]:
    """The active functions, innermost first."""
    return tuple(_frames(linked, program))


def _frames(linked: DebugLinked, program: Program) -> Iterator[FrameView]:
    stack = linked.machine.stack
    end_label, end_value = len(stack.label), len(stack.value)
    for depth in range(len(stack.frame) - 1, 0, -1):
        frame = stack.frame[depth]
        labels = stack.label[frame.label : end_label]
        function = labels[0].instr.function
        yield FrameView(
            depth - 1,
            function,
            program.function_name(function),
            _position(labels[-1], innermost=end_label == len(stack.label)),
            tuple(
                typed(value, program.local_name(function, index))
                for index, value in enumerate(frame.locals.data)
            ),
            tuple(typed(value) for value in stack.value[frame.value : end_value]),
            tuple(_label(label, program, function, frame.value) for label in labels),
        )
        end_label, end_value = frame.label, frame.value


def _position(label: Any, *, innermost: bool) -> int:
    """Offset of the instruction that a frame stands at."""
    standing = _standing(label, label.index if innermost else label.index - 1)
    offset: int = standing.instruction.offset
    return offset


def _label(label: Any, program: Program, function: int, base: int) -> LabelView:
    control = program.control(function)
    opener = label.instr.opener
    block: Block = control.body if opener is None else control.blocks[opener]
    return LabelView(block.kind, label.arity, label.value - base, block.start, block.target)


def globals_(linked: DebugLinked, program: Program) -> tuple[GlobalView, ...]:
    """The globals by index."""
    return tuple(
        GlobalView(
            index, Value(cell.type.value, cell.value, program.global_name(index)), cell.type.mutable
        )
        for index, cell in enumerate(linked.instance.globals)
    )


def tables(linked: DebugLinked, program: Program) -> tuple[TableView, ...]:
    """The tables by index."""
    return tuple(
        TableView(
            index,
            table.type.element,
            tuple(_entry(entry, linked, program) for entry in table.elements),
        )
        for index, table in enumerate(linked.instance.tables)
    )


def _entry(entry: Any, linked: DebugLinked, program: Program) -> str | None:
    if entry is None:
        return None
    if getattr(entry, "instance", None) is linked.instance:
        return program.function_name(entry.index)
    return str(getattr(entry, "name", None) or entry)


def scope(linked: DebugLinked, program: Program) -> Scope:
    """What an expression sees where the machine stands."""
    stack = linked.machine.stack
    locals_: dict[int | str, Any] = {}
    operands: list[Any] = [border(value) for value in stack.value]
    if len(stack.frame) > 1:
        frame = stack.frame[-1]
        function = stack.label[frame.label].instr.function
        operands = operands[frame.value :]
        _name_values(
            locals_,
            [border(value) for value in frame.locals.data],
            [program.local_name(function, index) for index in range(len(frame.locals.data))],
        )
    globals_: dict[int | str, Any] = {}
    cells = linked.instance.globals
    _name_values(
        globals_,
        [cell.value for cell in cells],
        [program.global_name(index) for index in range(len(cells))],
    )
    memories = linked.instance.memories
    return Scope(locals_, operands, globals_, memories[0].raw if memories else b"")


def _name_values(into: dict[int | str, Any], values: list[Any], names: list[str | None]) -> None:
    for index, (value, name) in enumerate(zip(values, names, strict=True)):
        into[index] = value
        if name is not None:
            into.setdefault(name, value)


def changes(before: Snapshot, after: Snapshot) -> Changes:
    """What differs between two snapshots of one machine."""
    operands: frozenset[int] = frozenset()
    locals_: frozenset[int] = frozenset()
    labels: frozenset[int] = frozenset()
    if len(after.frames) > 1:
        label, base = after.frames[-1][3:]
        operands = _differing(after.values[base:], before.values[base:])
        if len(before.frames) == len(after.frames):
            locals_ = _differing(after.frames[-1][1], before.frames[-1][1])
            labels = _other_labels(after.labels[label:], before.labels[label:])
    else:
        operands = _differing(after.values, before.values)
    memory: list[tuple[int, int]] = []
    for new, old in zip(after.memories, before.memories, strict=True):
        for number in new.changed_pages(old):
            memory += _stretches(number * PAGE, old.page(number), new.page(number))
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
        len(after.frames) - len(before.frames),
    )


def _differing(new: tuple[Any, ...], old: tuple[Any, ...]) -> frozenset[int]:
    """Positions of values that are not what was there; pywasm's values, compared by bits."""
    return frozenset(
        index
        for index, value in enumerate(new)
        if index >= len(old) or (value is not old[index] and not _same(value, old[index]))
    )


def _other_labels(
    new: tuple[tuple[Any, ...], ...], old: tuple[tuple[Any, ...], ...]
) -> frozenset[int]:
    """Positions of labels that are of another block than what was there."""
    return frozenset(
        index
        for index, label in enumerate(new)
        if index >= len(old) or label[4] is not old[index][4]
    )


def _same(one: Any, other: Any) -> bool:
    return bool(one.type == other.type and one.data == other.data) and (
        getattr(one, "referent", None) is getattr(other, "referent", None)
    )


def _stretches(address: int, old: bytes, new: bytes) -> Iterator[tuple[int, int]]:
    start: int | None = None
    for index, byte in enumerate(new):
        # Memory that has been grown is zeros, and that is no change to look at.
        differs = byte != (old[index] if index < len(old) else 0)
        if differs and start is None:
            start = index
        elif not differs and start is not None:
            yield address + start, index - start
            start = None
    if start is not None:
        yield address + start, len(new) - start


def _joined(stretches: list[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """The same stretches, with those made one that touch."""
    current: tuple[int, int] | None = None
    for start, size in stretches:
        if current is not None and current[0] + current[1] == start:
            current = (current[0], current[1] + size)
        else:
            if current is not None:
                yield current
            current = (start, size)
    if current is not None:
        yield current


def instruction_at(linked: DebugLinked) -> Instruction | None:
    """The instruction that is next, decoded."""
    instruction = next_instruction(linked)
    return None if instruction is None else instruction.instruction
