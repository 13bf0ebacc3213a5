"""A pywasm machine that can stand still before any instruction.

`Machine.evaluate` keeps its whole state in `machine.stack` and fetches an instruction before it
changes anything. So an instruction list that raises when it is asked for an instruction leaves the
machine in a state of the specification's, and calling `evaluate` again goes on. Here are those
lists, the clock that they ask, and the engine that builds bodies out of them; whether to stand
still is for whoever sets `Clock.visit`.

Every instruction of the text counts as a step, `end` and `else` included: one sees the values that
a block leaves before its label is gone.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import pywasm
import pywasm.opcode

from purewasm_plugins.engine.reference.interpreter import (
    Body,
    Interpreter,
    Linked,
    Located,
    Steps,
    build_body,
)
from purewasm_plugins.errors import OutOfFuel
from purewasm_plugins.runtime.instance import Function, Instance
from purewasm_plugins.runtime.limits import Budget
from purewasm_plugins.wasm.binary.instructions import Instruction
from purewasm_plugins.wasm.module import Code

_at = list.__getitem__


class Paused(Exception):
    """The machine stands before the instruction that it was about to fetch."""


class Clock:
    """Counts the instructions that a machine runs, and lets somebody look at some of them.

    Attributes:
        step: instructions run since the call began.
        until: the step from which on every instruction is visited.
        live: whether this is the call that is being debugged. It is not while the module is
            loaded, nor in calls that a host function makes back into it.
        visit: called before an instruction runs; it may raise `Paused`.
    """

    __slots__ = ("live", "step", "until", "visit")

    def __init__(self) -> None:
        self.step = 0
        self.until: float = math.inf
        self.live = False
        self.visit: Callable[[Any], None] = _nobody

    def arrive(self, instruction: Any) -> None:
        """The machine is about to fetch an instruction that may be of interest."""
        if self.live and instruction.weight:
            self.visit(instruction)


def _nobody(instruction: Any) -> None:
    pass


class PausingList(Body):
    """Instructions that ask the clock before they are handed out.

    Attributes:
        clock: that of the machine.
        function: the index of the function they belong to.
        opener: offset of the instruction whose block they are; None for a function's body.
    """

    clock: Clock
    opener: int | None

    def __getitem__(self, index: Any) -> Any:
        instruction = _at(self, index)
        clock = self.clock
        if instruction.watched or clock.step >= clock.until:
            clock.arrive(instruction)
        clock.step += instruction.weight
        return instruction


class Meter(Budget):
    """The budget of an instance that is debugged: fuel, but no clock while somebody thinks.

    Attributes:
        stepped: whether the call that runs is the one that is being debugged.
    """

    stepped = False

    def spend(self, units: int = 1) -> None:
        """See `Budget.spend`."""
        if not self.stepped:
            super().spend(units)
            return
        fuel = self.limits.fuel
        if fuel is not None and self.fuel_used + units > fuel:
            self.fuel_used = fuel
            raise OutOfFuel
        self.fuel_used += units

    def check_deadline(self, seconds: float = 0.0) -> None:
        """See `Budget.check_deadline`."""
        if not self.stepped:
            super().check_deadline(seconds)


class DebugEngine(Interpreter):
    """The pywasm engine, built so that a `DebugSession` can step what runs on it.

    A session makes an instance of its own, unless it is given one that runs on this engine.
    """

    def link(self, instance: Instance) -> Sequence[Callable[..., Any]]:
        """See `Engine.link`."""
        return DebugLinked(instance).entries


class Entry:
    """The raw entry of a function, which knows the machine behind it.

    A call through it runs without a stop, and does not count: it is part of loading the module, or
    of a host function.
    """

    def __init__(self, linked: DebugLinked, run: Callable[..., Any]) -> None:
        self.linked = linked
        self._run = run

    def __call__(self, *arguments: Any) -> Any:
        clock = self.linked.clock
        live, step = clock.live, clock.step
        clock.live = False
        try:
            return self._run(*arguments)
        finally:
            clock.live, clock.step = live, step


class DebugLinked(Linked):
    """An instance's machine, its bodies made of pausing lists.

    Attributes:
        clock: counts what it runs.
        bodies: the instructions of each function that has been called, in the order of the text.
        call_outside: what a call of a function outside the module does.
        grow: what `memory.grow` does; both take what would be done without them.
        built: called with the instructions of a function when its body has been made.
    """

    def __init__(self, instance: Instance) -> None:
        self.clock = Clock()
        self.bodies: dict[int, tuple[Any, ...]] = {}
        self.call_outside: Callable[[Function, Callable[[Function], None]], None] = _simply
        self.grow: Callable[[int, Callable[[int], None]], None] = _simply
        self.built: Callable[[tuple[Any, ...]], None] = _nobody
        self.meter = Meter(instance.limits)
        instance.budget = self.meter
        super().__init__(instance)

    def _entry(self, index: int) -> Callable[..., Any]:
        return Entry(self, super()._entry(index))

    def build_body(self, index: int, code: Code) -> Body:
        """See `Linked.build_body`."""
        plain = build_body(self, index, code, _DebugSteps(self))
        body, contents = rebuilt(plain, lambda inner, opener: self._list(inner, index, opener))
        for instruction in contents:
            instruction.watched = False
            instruction.breakpoints = ()
            instruction.function = index
            # What only meters is no step.
            instruction.weight = 0 if instruction.instruction is None else 1
        instructions = tuple(
            sorted(
                (instruction for instruction in contents if instruction.weight),
                key=lambda instruction: instruction.instruction.offset,
            )
        )
        self.bodies[index] = instructions
        self.built(instructions)
        return body

    def body(self, index: int) -> tuple[Any, ...]:
        """The instructions of a function that the module defines, `end`s included."""
        if index not in self.bodies:
            _ = self.machine.store.func[index].code.expr.data
        return self.bodies[index]

    def _list(self, plain: list[Any], function: int, opener: int | None) -> PausingList:
        pausing = PausingList(plain)
        pausing.clock = self.clock
        pausing.function = function
        pausing.opener = opener
        return pausing


def _simply(what: Any, do: Callable[[Any], None]) -> None:
    do(what)


def rebuilt(plain: Body, make: Callable[[list[Any], int | None], Body]) -> tuple[Body, list[Any]]:
    """A body with every list in it replaced.

    Args:
        plain: as `build_body` makes it.
        make: makes a list anew, given the offset of the instruction whose block it is; None for
            the body itself.

    Returns:
        The body, and the contents of all lists, in no order.
    """
    body = make(plain, None)
    contents: list[Any] = []
    open_lists = [body]
    while open_lists:
        for instruction in list.__iter__(open_lists.pop()):
            contents.append(instruction)
            source = instruction.instruction
            if source is not None and source.opcode.mnemonic in ("block", "loop", "if"):
                for number, inner in enumerate(instruction.args[1:], 1):
                    instruction.args[number] = make(inner, source.offset)
                    open_lists.append(instruction.args[number])
    return body, contents


class EveryStep(Steps):
    """The steps of an instance, and instructions for `else` and `end` beside them."""

    def closing(self, instruction: Instruction) -> Sequence[Any]:
        """See `Steps.closing`."""
        return (Located(instruction, int(pywasm.opcode.nop), []),)


class _DebugSteps(EveryStep):
    """The steps of an instance, those of which somebody may want to know more passed on."""

    def __init__(self, linked: DebugLinked) -> None:
        super().__init__(linked)
        self._linked = linked

    def call_outside(self, function: Function) -> None:
        self._linked.call_outside(function, super().call_outside)

    def _memory_grow(self, memory: int) -> None:
        self._linked.grow(memory, super()._memory_grow)


def debug_linked(instance: Instance) -> DebugLinked | None:
    """The machine behind an instance that runs on a `DebugEngine`, or None for any other."""
    for function in instance.functions[instance.module.module.imported_functions :]:
        return function.entry.linked if isinstance(function.entry, Entry) else None
    return None
