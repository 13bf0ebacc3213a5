"""What an expression sees where a machine is paused."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from purewasm_plugins.debugger.expressions import Scope
from purewasm_plugins.debugger.machine.program import Program
from purewasm_plugins.debugger.memory import memory_bytes
from purewasm_plugins.engine.stepping import SteppableMachine, TypedValue
from purewasm_plugins.errors import LocationError
from purewasm_plugins.runtime.values import FROM_RAW


def border(value: TypedValue) -> Any:
    """Convert a value to its form for users: a signed integer, for example."""
    return FROM_RAW[value.type](value.raw)


def scope(machine: SteppableMachine, program: Program) -> Scope:
    """Collect what an expression sees: locals and operands of the current function, and the rest.

    It is called for each condition that is evaluated, so it makes nothing that depends on the size
    of the module.
    """
    locals_: dict[int | str, Any] = {}
    operands: list[Any] = []
    if machine.finished:
        operands = [border(value) for value in machine.operands()]
    else:
        frame = machine.frame(machine.depth - 1)
        function = frame.position.function
        operands = [border(value) for value in frame.operands]
        names = [program.local_name(function, index) for index in range(len(frame.locals))]
        _name_values(locals_, [border(value) for value in frame.locals], names)
    globals_: dict[int | str, Any] = {}
    cells = machine.instance.globals
    names = [program.global_name(index) for index in range(len(cells))]
    _name_values(globals_, [cell.value for cell in cells], names)

    def function_named(name: str) -> Any:
        try:
            return machine.instance.functions[program.function(name)]
        except LocationError:
            return None

    return Scope(locals_, operands, globals_, memory_bytes(machine.instance), function_named)


def _name_values(
    into: dict[int | str, Any], values: Sequence[Any], names: Sequence[str | None]
) -> None:
    """Add values by index, and by name where they have one; of equal names, the first."""
    for index, (value, name) in enumerate(zip(values, names, strict=True)):
        into[index] = value
        if name is not None:
            into.setdefault(name, value)
