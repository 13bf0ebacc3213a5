"""The values that an expression can read where a machine is paused."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property
from typing import Any

from purewasm_plugins.debugger.errors import LocationError
from purewasm_plugins.debugger.machine.program import Program
from purewasm_plugins.debugger.memory import memory_bytes
from purewasm_plugins.engine.stepping import SteppableMachine, TypedValue
from purewasm_plugins.runtime.values import FROM_RAW


def border(value: TypedValue) -> Any:
    """Convert a value to its form for users: a signed integer, for example."""
    return FROM_RAW[value.type](value.raw)


class MachineScope:
    """The `Scope` of a machine at its current place.

    Each part is made when an expression first names it: a condition with locals alone takes half
    the time.
    """

    def __init__(self, machine: SteppableMachine, program: Program) -> None:
        self._machine = machine
        self._program = program

    @cached_property
    def local(self) -> dict[int | str, Any]:
        """The locals of the current function, by index and by name."""
        position = self._machine.position
        if position is None:
            return {}
        values = map(border, self._machine.locals())
        return _named(
            (value, self._program.local_name(position.function, index))
            for index, value in enumerate(values)
        )

    @cached_property
    def stack(self) -> list[Any]:
        """The operands of the current function, topmost last; the results at the end."""
        machine = self._machine
        if machine.finished:
            return [border(value) for value in machine.operands()]
        return [border(value) for value in machine.frame(machine.depth - 1).operands]

    @cached_property
    def global_(self) -> dict[int | str, Any]:
        """The globals, by index and by name."""
        return _named(
            (cell.value, self._program.global_name(index))
            for index, cell in enumerate(self._machine.instance.globals)
        )

    @property
    def memory(self) -> bytes | bytearray:
        """The bytes of memory 0; empty where there is none."""
        return memory_bytes(self._machine.instance)

    def function(self, name: str) -> Any:
        """Return the function of a name, or None."""
        try:
            return self._machine.instance.functions[self._program.function(name)]
        except LocationError:
            return None


def _named(values: Iterable[tuple[Any, str | None]]) -> dict[int | str, Any]:
    """Return values by index, and by name where they have one; of equal names, the first."""
    found: dict[int | str, Any] = {}
    for index, (value, name) in enumerate(values):
        found[index] = value
        if name is not None:
            found.setdefault(name, value)
    return found
