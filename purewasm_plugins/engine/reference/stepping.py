"""The pywasm machine that a debugger drives: it can pause before any instruction.

`Machine.evaluate` keeps its whole state in `machine.stack` and fetches an instruction before it
changes anything. So a list of instructions that raises at a fetch leaves the machine in a state
of the specification, and the next call of `evaluate` continues.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import pywasm
import pywasm.opcode

from purewasm_plugins.engine.reference.bodies import Body, build_body, rebuild
from purewasm_plugins.engine.reference.engine import Interpreter
from purewasm_plugins.engine.reference.hooks import Hooks, Located
from purewasm_plugins.engine.reference.machine import ReferenceMachine
from purewasm_plugins.engine.reference.stacks import (
    SavedStack,
    frame_of,
    position_from,
    typed_value,
)
from purewasm_plugins.engine.reference.traps import TRAPPING, trap_of
from purewasm_plugins.engine.reference.values import raw_value
from purewasm_plugins.engine.stepping import (
    Clock,
    MachineFrame,
    Position,
    SteppableEntry,
    SteppedBudget,
    TypedValue,
)
from purewasm_plugins.runtime.instance import Function, Instance
from purewasm_plugins.wasm.binary.instructions import Instruction
from purewasm_plugins.wasm.module import Code

_at = list.__getitem__

#: The marks of instructions: a metering one is no step; the clock visits a visited one.
_METER, _STEP, _VISITED = 0, 1, 2


class PausingList(Body):
    """The instructions of a block; the clock may pause before each fetch.

    Attributes:
        clock: the machine's.
        opener: offset of the instruction that opens the block; None for a function's body.
        positions: for each instruction its position; None for one that only meters.
        marks: for each instruction its mark. The list keeps the marks because pywasm's
            instructions are not extended, and a byte is as quick to read as an attribute.
    """

    __slots__ = ("clock", "marks", "opener", "positions")

    clock: Clock
    opener: int | None
    positions: list[Position | None]
    marks: bytearray

    def __getitem__(self, index: Any) -> Any:
        """Fetch an instruction, after the clock's visitor, which may pause by raising."""
        mark = self.marks[index]
        if mark:
            clock = self.clock
            if (mark > 1 or clock.step >= clock.until) and clock.live:
                clock.visit(self.positions[index])
            clock.step += 1
        return _at(self, index)

    def visit_where(self, wanted: Callable[[Position], bool]) -> None:
        """Mark the instructions for which a condition is true."""
        for index, position in enumerate(self.positions):
            if position is not None:
                self.marks[index] = _VISITED if wanted(position) else _STEP


class SteppedInterpreter(Interpreter):
    """The pywasm engine, built so that a debugger can step what runs on it."""

    def link(self, instance: Instance) -> Sequence[Callable[..., Any]]:
        """Make the functions of an instance callable; see `Engine.link`."""
        return SteppedMachine(instance).entries


class SteppedMachine(ReferenceMachine):
    """A pywasm machine that implements `SteppableMachine`."""

    def __init__(self, instance: Instance) -> None:
        self.clock = Clock()
        self.perform_call: Callable[[Callable[[], Any]], Any] = _perform
        self.perform_grow: Callable[[Callable[[], int]], int] = _perform
        self._lists: dict[int, list[PausingList]] = {}
        self._wanted: Callable[[Position], bool] = _never
        self._budget = SteppedBudget(instance.limits)
        instance.budget = self._budget
        super().__init__(instance)

    # Reading

    @property
    def finished(self) -> bool:
        """Whether the call has returned: the operands are its results."""
        return not self._machine.stack.label

    @property
    def depth(self) -> int:
        """The number of active functions."""
        return len(self._machine.stack.frame) - 1

    @property
    def position(self) -> Position | None:
        """The next instruction; None where the call has finished."""
        labels = self._machine.stack.label
        return position_from(labels[-1], labels[-1].index) if labels else None

    def frame(self, depth: int) -> MachineFrame:
        """Describe an active function; the outermost one has the depth 0."""
        return frame_of(self._machine.stack, depth)

    def locals(self) -> tuple[TypedValue, ...]:
        """Return the parameters and locals of the innermost frame."""
        return tuple(map(typed_value, self._machine.stack.frame[-1].locals.data))

    def operands(self, base: int = 0) -> tuple[TypedValue, ...]:
        """Return the operand stack above so many operands, topmost last."""
        return tuple(map(typed_value, self._machine.stack.value[base:]))

    def top(self, count: int) -> list[Any]:
        """Return the raw values of the topmost operands, or of all where there are fewer."""
        return [raw_value(value) for value in self._machine.stack.value[-count:]]

    # Running

    def run(self) -> None:
        """Run until the call returns; see `SteppableMachine.run`."""
        clock, budget = self.clock, self._budget
        clock.live = budget.stepped = True
        budget.nesting += 1
        try:
            self._machine.evaluate()
        except TRAPPING as error:
            raise trap_of(error, self._machine.stack, self.instance) from None
        finally:
            clock.live = budget.stepped = False
            clock.until = math.inf
            budget.nesting -= 1

    def visit_where(self, wanted: Callable[[Position], bool], function: int | None = None) -> None:
        """Have the clock visit the instructions for which a condition is true."""
        self._wanted = wanted
        for index in self._lists if function is None else {function} & self._lists.keys():
            for block in self._lists[index]:
                block.visit_where(wanted)

    def save(self) -> SavedStack:
        """Save the stack of a machine that is paused."""
        return SavedStack(self._machine.stack)

    def restore(self, state: SavedStack) -> None:
        """Replace the stack by one that `save` returned."""
        self._machine.stack = state.stack()

    # Building

    def _entry(self, index: int) -> Callable[..., Any]:
        return SteppableEntry(self, super()._entry(index))

    def _make_hooks(self) -> Hooks:
        return _PerformedHooks(self, self._machine)

    def _build_body(self, index: int, code: Code) -> Body:
        """Make the body of a function out of pausing lists, when it is first called."""
        lists: list[PausingList] = []

        def pausing(plain: list[Any], opener: int | None) -> PausingList:
            block = PausingList(plain)
            block.clock, block.function, block.opener = self.clock, index, opener
            block.positions = [
                None if at.instruction is None else Position(index, at.instruction) for at in plain
            ]
            block.marks = bytearray(position is not None for position in block.positions)
            block.visit_where(self._wanted)
            lists.append(block)
            return block

        body = rebuild(build_body(self.instance, index, code, self._hooks), pausing)
        self._lists[index] = lists
        return body


def _perform(action: Callable[[], Any]) -> Any:
    return action()


def _never(position: Position) -> bool:
    return False


class EveryHook(Hooks):
    """The hooks of an instance, with instructions for `else` and `end`."""

    def closing(self, instruction: Instruction) -> Sequence[Any]:
        """Return the instruction that represents an `else` or `end`."""
        return (Located(instruction, int(pywasm.opcode.nop), []),)


class _PerformedHooks(EveryHook):
    """The hooks of a stepped machine: its `perform_call` and `perform_grow` run the actions."""

    def __init__(self, stepped: SteppedMachine, machine: pywasm.Machine) -> None:
        super().__init__(stepped.instance, machine)
        self._stepped = stepped

    def perform_call(self, function: Function, arguments: list[Any]) -> Any:
        """Call a function that the module does not define, by the machine's `perform_call`."""
        call = super().perform_call
        return self._stepped.perform_call(lambda: call(function, arguments))

    def perform_grow(self, memory: int, pages: int) -> int:
        """Grow a memory by the machine's `perform_grow`."""
        grow = super().perform_grow
        return self._stepped.perform_grow(lambda: grow(memory, pages))
