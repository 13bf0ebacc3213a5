"""The Python function that is being written: its lines, its operand stack and its locals."""

from __future__ import annotations

from purewasm_plugins.engine.translator.lines import Lines
from purewasm_plugins.engine.translator.locals import Locals
from purewasm_plugins.engine.translator.operands import Operands
from purewasm_plugins.engine.translator.translation import ANY_EFFORT, Effort
from purewasm_plugins.wasm.module import Module
from purewasm_plugins.wasm.types import ValType

__all__ = ["Naming", "Writer"]


class Naming:
    """The names of variables and functions in the source."""

    def function(self, index: int) -> str:
        """Name a function of the module."""
        return f"f{index}"

    def local(self, index: int) -> str:
        """Name a local of the function that is being written."""
        return f"l{index}"

    def variable(self, index: int) -> str:
        """Name a global of the module."""
        return f"g{index}"


class Writer:
    """The Python function that a WebAssembly function becomes.

    Attributes:
        module: the function's module.
        index: of the function, imported ones counted.
        type: its type.
        naming: what variables and functions are called.
        metered: whether it uses fuel.
        bounded: whether its memory ends at `MEMORY_END` at the latest.
        effort: what writing it may take.
        lines: its source.
        operands: its operand stack.
        locals: its locals.
        assigned_globals: the globals that it assigns, which Python needs declared.
    """

    def __init__(
        self,
        module: Module,
        index: int,
        naming: Naming,
        *,
        located: bool = False,
        metered: bool = True,
        bounded: bool = True,
        effort: Effort = ANY_EFFORT,
    ) -> None:
        """Begin a function.

        Args:
            module: a valid module.
            index: of a function that it defines, imported ones counted.
            naming: what variables and functions are called.
            located: whether to mark the text of what may trap with the offset of its instruction.
            metered: whether the function uses fuel.
            bounded: whether its memory ends at `MEMORY_END` at the latest.
            effort: what writing it may take.
        """
        code = module.functions[index - module.imported_functions]
        self.module = module
        self.index = index
        self.type = module.types[code.type_index]
        self.naming = naming
        self.metered = metered
        self.bounded = bounded
        self.effort = effort
        self.assigned_globals: set[int] = set()
        types = list(self.type.params)
        for count, type in code.locals:
            types += [type] * count
        self.lines = self._new_lines(located)
        self.lines.offset = code.body.start
        self.operands = self._new_operands()
        self.locals = self._new_locals(types, [naming.local(local) for local in range(len(types))])

    # The parts of an audited function are others.

    def _new_lines(self, located: bool) -> Lines:
        return Lines(located=located, effort=self.effort)

    def _new_operands(self) -> Operands:
        return Operands(self.lines)

    def _new_locals(self, types: list[ValType], names: list[str]) -> Locals:
        return Locals(types, len(self.type.params), names, self.lines, self.operands)
