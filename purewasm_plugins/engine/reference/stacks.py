"""The stack of a machine that is stepped: read as frames, saved, and made again.

pywasm makes a new `ValInst` for every value and never changes one, so a saved stack shares them.
"""

from __future__ import annotations

from typing import Any

import pywasm

from purewasm_plugins.engine.reference.values import raw_value
from purewasm_plugins.engine.stepping import MachineFrame, MachineLabel, Position, TypedValue
from purewasm_plugins.wasm.types import ValType

#: Estimated bytes of an operand or local, a label and a frame, as measured of Python's objects.
_VALUE_BYTES, _LABEL_BYTES, _FRAME_BYTES = 360, 120, 120


def typed_value(value: pywasm.ValInst) -> TypedValue:
    """Convert a value of pywasm's to a raw value with its type."""
    return TypedValue(ValType(value.type.data), raw_value(value))


def position_from(label: pywasm.core.Label, index: int) -> Position:
    """Return the first instruction of a label's list, from an index on, that is one of the module.

    There is one: a machine never pauses between an `end` and what follows it.
    """
    positions = label.instr.positions
    while True:
        position: Position | None = positions[index]
        if position is not None:
            return position
        index += 1


def frame_of(stack: pywasm.core.Stack, depth: int) -> MachineFrame:
    """Describe the frame of an active function; the outermost one has the depth 0."""
    # The first frame of the machine belongs to no function.
    frame = stack.frame[depth + 1]
    innermost = depth + 2 == len(stack.frame)
    if innermost:
        end_label, end_value = len(stack.label), len(stack.value)
    else:
        end_label, end_value = stack.frame[depth + 2].label, stack.frame[depth + 2].value
    labels = stack.label[frame.label : end_label]
    last = labels[-1]
    return MachineFrame(
        position_from(last, last.index if innermost else last.index - 1),
        tuple(map(typed_value, frame.locals.data)),
        tuple(map(typed_value, stack.value[frame.value : end_value])),
        tuple(
            MachineLabel(label.instr.opener, label.arity, label.value - frame.value)
            for label in labels
        ),
        frame.value,
    )


class SavedStack:
    """A copy of a stack, which never changes; see `MachineState`."""

    __slots__ = ("_frames", "_labels", "_values")

    def __init__(self, stack: pywasm.core.Stack) -> None:
        self._values = tuple(stack.value)
        self._labels: tuple[tuple[Any, ...], ...] = tuple(
            (at.arity, at.frame, at.value, at.carry, at.instr, at.index) for at in stack.label
        )
        self._frames: tuple[tuple[Any, ...], ...] = tuple(
            (at.module, tuple(at.locals.data), at.arity, at.label, at.value) for at in stack.frame
        )

    @property
    def size(self) -> int:
        """Estimated bytes that it takes."""
        values = len(self._values) + sum(len(frame[1]) for frame in self._frames)
        return (
            _VALUE_BYTES * values
            + _LABEL_BYTES * len(self._labels)
            + _FRAME_BYTES * len(self._frames)
        )

    @property
    def depth(self) -> int:
        """The number of active functions."""
        return len(self._frames) - 1

    def stack(self) -> pywasm.core.Stack:
        """Make the stack again."""
        stack = pywasm.core.Stack()
        stack.value = list(self._values)
        stack.label = [pywasm.core.Label(*label) for label in self._labels]
        stack.frame = [
            pywasm.core.Frame(module, pywasm.core.LocalsInst(list(values)), arity, label, value)
            for module, values, arity, label, value in self._frames
        ]
        return stack

    def frame(self, depth: int) -> MachineFrame:
        """Describe an active function; the outermost one has the depth 0."""
        return frame_of(self.stack(), depth)

    def operands(self, base: int = 0) -> tuple[TypedValue, ...]:
        """Return the operand stack above so many operands, topmost last."""
        return tuple(map(typed_value, self._values[base:]))
