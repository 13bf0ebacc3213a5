"""The view of a session: plain values, made when they are read.

Values are as users know them: signed integers, floats, 16 bytes, a `Function`, None.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from purewasm_plugins.debugger.changes import Changes, changes
from purewasm_plugins.debugger.errors import ExpressionError
from purewasm_plugins.debugger.expressions import Expression
from purewasm_plugins.debugger.machine import effects
from purewasm_plugins.debugger.machine.execution import Execution
from purewasm_plugins.debugger.machine.program import Line
from purewasm_plugins.debugger.machine.scope import MachineScope, border
from purewasm_plugins.debugger.memory import check_range, memory_bytes
from purewasm_plugins.engine.stepping import MachineFrame, MachineLabel, TypedValue
from purewasm_plugins.wasm import Block, ValType


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
        arity: the number of operands that a branch to it carries.
        height: the number of operands of the frame that lie below those.
        start: offset of the instruction that opened it; of a function's label, of its first one.
        target: offset of the instruction at which a branch to it continues.
    """

    kind: str
    arity: int
    height: int
    start: int
    target: int


@dataclass(frozen=True, slots=True)
class FrameView:
    """An active function.

    Attributes:
        depth: the number of frames below it.
        function: its index.
        name: its name; see `Program.function_name`.
        offset: offset of the next instruction or, where it waits for another function, of the call.
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
    """A table: its index, its type, and the name of each entry's function, or None."""

    index: int
    type: ValType
    entries: tuple[str | None, ...]


class View:
    """The state of a session at the current place: `session.view`.

    Everything is read when it is asked for, and nothing moves the machine.
    """

    def __init__(self, execution: Execution) -> None:
        self._execution = execution
        self._machine = execution.machine
        self._program = execution.program

    # Frames and values

    @property
    def depth(self) -> int:
        """The number of active functions."""
        return self._machine.depth

    def frames(self) -> tuple[FrameView, ...]:
        """Return the active functions, innermost first."""
        return tuple(self._frame(depth) for depth in reversed(range(self._machine.depth)))

    def frame(self) -> FrameView | None:
        """Return the innermost frame; None where the call has finished."""
        return self._frame(self._machine.depth - 1) if self._machine.depth else None

    def _frame(self, depth: int) -> FrameView:
        frame: MachineFrame = self._machine.frame(depth)
        function = frame.position.function
        return FrameView(
            depth,
            function,
            self._program.function_name(function),
            frame.position.instruction.offset,
            tuple(
                _value(value, self._program.local_name(function, index))
                for index, value in enumerate(frame.locals)
            ),
            tuple(map(_value, frame.operands)),
            tuple(self._label(label, function) for label in frame.labels),
        )

    def _label(self, label: MachineLabel, function: int) -> LabelView:
        control = self._program.control(function)
        block: Block = control.body if label.opener is None else control.blocks[label.opener]
        return LabelView(block.kind, label.arity, label.height, block.start, block.target)

    def operands(self) -> tuple[Value, ...]:
        """Return the operands of the current function, topmost last; the results at the end."""
        if self._machine.finished:
            return self.stack()
        return tuple(map(_value, self._machine.frame(self._machine.depth - 1).operands))

    def stack(self) -> tuple[Value, ...]:
        """Return the whole operand stack, topmost last."""
        return tuple(map(_value, self._machine.operands()))

    def globals(self) -> tuple[GlobalView, ...]:
        """Return the globals, by index."""
        return tuple(
            GlobalView(
                index,
                Value(cell.type.value, cell.value, self._program.global_name(index)),
                cell.type.mutable,
            )
            for index, cell in enumerate(self._machine.instance.globals)
        )

    def tables(self) -> tuple[TableView, ...]:
        """Return the tables, by index."""
        return tuple(
            TableView(index, table.type.element, tuple(map(self._entry, table.elements)))
            for index, table in enumerate(self._machine.instance.tables)
        )

    def _entry(self, entry: Any) -> str | None:
        if entry is None:
            return None
        if getattr(entry, "instance", None) is self._machine.instance:
            return self._program.function_name(entry.index)
        return str(getattr(entry, "name", None) or entry)

    # Memory

    def memory_size(self) -> int:
        """Return the size of memory 0 in bytes, those of the host included."""
        return len(memory_bytes(self._machine.instance))

    def read_memory(self, address: int, size: int) -> bytes:
        """Return bytes of memory 0.

        Raises:
            LocationError: they are not all in memory.
        """
        data = memory_bytes(self._machine.instance)
        check_range(len(data), address, size)
        return bytes(data[address : address + size])

    def memory_from(self, address: int, size: int) -> bytes:
        """Return bytes of memory 0, as many of them as there are."""
        return bytes(memory_bytes(self._machine.instance)[address : address + size])

    def accesses(self) -> tuple[effects.MemoryAccess, ...]:
        """Return the memory that the next instruction reads or writes."""
        instruction = self._execution.instruction
        if instruction is None:
            return ()
        return effects.memory_accesses(instruction, self._machine.top)

    # Code

    def lines(self, before: int = 8, after: int = 8) -> tuple[Line, ...]:
        """Return the disassembly around the next instruction.

        Args:
            before, after: how many lines on each side.
        """
        position = self._machine.position
        if position is None:
            return ()
        lines = self._program.lines(position.function)
        offset = position.instruction.offset
        here = next(index for index, line in enumerate(lines) if line.offset == offset)
        return lines[max(0, here - before) : here + after + 1]

    def in_play(self) -> effects.InPlay:
        """Tell which operands and locals the next instruction uses."""
        instruction = self._execution.instruction
        if instruction is None:
            return effects.InPlay()
        return effects.in_play(instruction, self._program.module)

    # The rest

    def changes(self) -> Changes:
        """Tell what the last move changed."""
        return changes(self._execution.before, self._execution.take())

    def evaluate(self, expression: str) -> Any:
        """Return the value of an expression at the current place; see `expressions`.

        Raises:
            ExpressionError: it is no expression, or has no value here.
        """
        return Expression(expression).evaluate(MachineScope(self._machine, self._program))

    def address(self, expression: str) -> int:
        """Return the address that an expression gives at the current place.

        Raises:
            ExpressionError: it is no expression, has no value here, or one that is no address.
        """
        value = self.evaluate(expression)
        if not isinstance(value, int):
            raise ExpressionError(expression, f"that is no address: it is {value!r}")
        return value & 0xFFFFFFFF


def _value(value: TypedValue, name: str | None = None) -> Value:
    return Value(value.type, border(value), name)
