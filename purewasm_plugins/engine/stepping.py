"""The interface between the debugger and a machine that runs one instruction at a time.

A debugger drives a `SteppableMachine` and sees nothing else of an engine: every type here is ours,
and values are raw (see `runtime.values`). An engine whose functions can be stepped makes each
`Function.entry` a `SteppableEntry`, which is how `machine_of` finds the machine.

Every instruction of the text counts as a step, `end` and `else` included: the operands that a block
leaves can be seen before its label is removed.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

from purewasm_plugins.errors import OutOfFuel
from purewasm_plugins.runtime.instance import Instance
from purewasm_plugins.runtime.limits import Budget
from purewasm_plugins.wasm.binary.instructions import Instruction
from purewasm_plugins.wasm.types import ValType


class Paused(Exception):
    """The visitor of the clock stopped the machine before the instruction that it was given."""


class TypedValue(NamedTuple):
    """A raw value and its type."""

    type: ValType
    raw: Any


@dataclass(frozen=True, slots=True)
class Position:
    """An instruction of a function.

    Attributes:
        function: the function's index.
        instruction: the instruction, whose `offset` is unique in the module.
    """

    function: int
    instruction: Instruction


@dataclass(frozen=True, slots=True)
class MachineLabel:
    """A label on the stack (core specification, section 4.2.13).

    Attributes:
        opener: offset of the `block`, `loop` or `if` that made it; None for a function's label.
        arity: the number of operands that a branch to it carries.
        height: the number of operands of the frame that lie below those.
    """

    opener: int | None
    arity: int
    height: int


@dataclass(frozen=True, slots=True)
class MachineFrame:
    """The activation of a function (core specification, section 4.2.14).

    Attributes:
        position: the next instruction of the innermost frame; the call that any other waits for.
        locals: the parameters and the locals.
        operands: its part of the operand stack, topmost last.
        labels: innermost last.
        base: the number of operands on the stack below those.
    """

    position: Position
    locals: tuple[TypedValue, ...]
    operands: tuple[TypedValue, ...]
    labels: tuple[MachineLabel, ...]
    base: int


class MachineState(Protocol):
    """The stack of a machine, saved: frames, labels and operands. It never changes."""

    @property
    def size(self) -> int:
        """The estimated size in bytes."""
        ...

    @property
    def depth(self) -> int:
        """The number of active functions."""
        ...

    def frame(self, depth: int) -> MachineFrame:
        """Describe an active function; the outermost one has the depth 0."""
        ...

    def operands(self, base: int = 0) -> tuple[TypedValue, ...]:
        """Return the operand stack above so many operands, topmost last."""
        ...


class Clock:
    """The count of the instructions that a machine has run, and the visitor of some of them.

    Attributes:
        step: instructions run since the call began.
        until: the step from which on every instruction is visited.
        live: whether the call that runs is the one that is debugged. It is not while the module is
            loaded, nor in a call that a host function makes back into the module.
        visit: called before an instruction runs; it may raise `Paused`.
    """

    __slots__ = ("live", "step", "until", "visit")

    def __init__(self) -> None:
        self.step = 0
        self.until: float = math.inf
        self.live = False
        self.visit: Callable[[Position], None] = _ignore


def _ignore(position: Position) -> None:
    pass


class SteppableMachine(Protocol):
    """A machine of one instance, which a debugger starts, runs and reads.

    Attributes:
        instance: its memories, globals, tables and segments are the debugger's to read and restore.
        clock: counts what the machine runs.
        perform_call: called for each call of a function outside the module, with a function that
            does the call and returns its raw result; it returns that result or another one.
        perform_grow: called for each `memory.grow`, with a function that does it and returns the
            former size in pages, or -1; it returns that or another number.
    """

    instance: Instance
    clock: Clock
    perform_call: Callable[[Callable[[], Any]], Any]
    perform_grow: Callable[[Callable[[], int]], int]

    @property
    def finished(self) -> bool:
        """Whether the call has returned: the operands are its results."""
        ...

    @property
    def depth(self) -> int:
        """The number of active functions."""
        ...

    @property
    def position(self) -> Position | None:
        """The next instruction; None where the call has finished."""
        ...

    def frame(self, depth: int) -> MachineFrame:
        """Describe an active function; the outermost one has the depth 0."""
        ...

    def locals(self) -> tuple[TypedValue, ...]:
        """Return the parameters and locals of the innermost frame."""
        ...

    def operands(self, base: int = 0) -> tuple[TypedValue, ...]:
        """Return the operand stack above so many operands, topmost last."""
        ...

    def top(self, count: int) -> list[Any]:
        """Return the raw values of the topmost operands, or of all where there are fewer."""
        ...

    def start(self, function: int, arguments: tuple[Any, ...]) -> None:
        """Put the machine before the first instruction of a function.

        Args:
            function: the index of one that the module defines.
            arguments: raw values.
        """
        ...

    def run(self) -> None:
        """Run until the call returns.

        Raises:
            Paused: the visitor of the clock stopped the machine; another `run` continues.
            Trap: an instruction traps. The state is undefined until `restore`.
            HostException: a host function raised; likewise.
        """
        ...

    def visit_where(self, wanted: Callable[[Position], bool], function: int | None = None) -> None:
        """Have the clock visit the instructions for which a condition is true.

        Args:
            wanted: replaces the former condition; it is asked once for each instruction.
            function: the one function for whose instructions the answer may have changed; None for
                all of them. The condition also holds for functions that are first called later.
        """
        ...

    def save(self) -> MachineState:
        """Save the stack of a machine that is paused."""
        ...

    def restore(self, state: Any) -> None:
        """Replace the stack by one that `save` returned."""
        ...


class SteppableEntry:
    """The raw entry of a function, with the machine behind it.

    A call through it runs without a stop and does not count: it is part of loading the module, or
    of a host function.
    """

    def __init__(self, machine: SteppableMachine, call: Callable[..., Any]) -> None:
        self.machine = machine
        self._call = call

    def __call__(self, *arguments: Any) -> Any:
        """Call the function without a stop, and without counting its instructions."""
        clock = self.machine.clock
        live, step = clock.live, clock.step
        clock.live = False
        try:
            return self._call(*arguments)
        finally:
            clock.live, clock.step = live, step


def machine_of(instance: Instance) -> SteppableMachine | None:
    """Return the machine of an instance that can be stepped; None for any other instance."""
    for function in instance.functions[instance.module.module.imported_functions :]:
        entry = function.entry
        return entry.machine if isinstance(entry, SteppableEntry) else None
    return None


class SteppedBudget(Budget):
    """The budget of an instance that is debugged: it spends fuel and has no deadline.

    Attributes:
        stepped: whether the call that runs is the one that is debugged.
    """

    stepped = False

    def spend(self, units: int = 1) -> None:
        """Use units of fuel; see `Budget.spend`."""
        if not self.stepped:
            super().spend(units)
            return
        fuel = self.limits.fuel
        if fuel is not None and self.fuel_used + units > fuel:
            self.fuel_used = fuel
            raise OutOfFuel
        self.fuel_used += units

    def check_deadline(self, seconds: float = 0.0) -> None:
        """Do nothing in the call that is debugged; see `Budget.check_deadline`."""
        if not self.stepped:
            super().check_deadline(seconds)
