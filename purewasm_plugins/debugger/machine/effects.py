"""The effects of the next instruction on memory, from the operands that it will pop.

Nothing is checked: an instruction that traps instead writes nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from purewasm_plugins.wasm.binary.instructions import Instruction
from purewasm_plugins.wasm.module import Module
from purewasm_plugins.wasm.opcodes import Immediates, Opcode

#: The instructions that write many bytes at once.
_BULK_WRITES = frozenset(("memory.fill", "memory.copy", "memory.init"))


@dataclass(frozen=True, slots=True)
class MemoryAccess:
    """Bytes of memory 0 that an instruction reads or writes."""

    address: int
    size: int
    is_write: bool


@dataclass(frozen=True, slots=True)
class InPlay:
    """The operands and locals that the next instruction uses.

    Attributes:
        operands: how many operands it pops, from the top of the stack.
        locals: the indices of the locals that it reads or writes.
    """

    operands: int = 0
    locals: frozenset[int] = frozenset()


#: How many operands an instruction pops, where neither its row in the opcode table nor its type
#: tells.
_POPPED = {
    **dict.fromkeys(("if", "br_if", "br_table", "drop", "local.set", "local.tee"), 1),
    **dict.fromkeys(("global.set", "table.get", "ref.is_null"), 1),
    **dict.fromkeys(("table.set", "table.grow"), 2),
    **dict.fromkeys(("select", "table.fill", "table.copy", "table.init"), 3),
}


def in_play(instruction: Instruction, module: Module) -> InPlay:
    """Tell which operands and locals an instruction uses."""
    opcode, immediates = instruction.opcode, instruction.immediates
    locals_ = frozenset(immediates if opcode.immediates is Immediates.LOCAL else ())
    if opcode.mnemonic == "call":
        return InPlay(len(module.function_type(immediates[0]).params))
    if opcode.mnemonic == "call_indirect":
        return InPlay(len(module.types[immediates[0]].params) + 1)
    if opcode.params is not None:
        return InPlay(len(opcode.params), locals_)
    return InPlay(_POPPED.get(opcode.mnemonic, 0), locals_)


def is_access(opcode: Opcode) -> bool:
    """Tell whether an instruction is a load or a store."""
    return opcode.immediates in (Immediates.MEMARG, Immediates.MEMARG_LANE)


def writes_memory(opcode: Opcode) -> bool:
    """Tell whether an instruction is a store, or writes many bytes at once."""
    return opcode.mnemonic in _BULK_WRITES or (is_access(opcode) and not opcode.results)


def calls(opcode: Opcode) -> bool:
    """Tell whether an instruction calls a function."""
    return opcode.mnemonic in ("call", "call_indirect")


def memory_accesses(
    instruction: Instruction, top: Callable[[int], list[Any]]
) -> tuple[MemoryAccess, ...]:
    """Tell what an instruction, which is next, does to memory; growth and calls aside.

    Args:
        instruction: the instruction.
        top: `SteppableMachine.top`.
    """
    opcode = instruction.opcode
    if is_access(opcode):
        operands = top(len(opcode.params or ()))
        if not operands:
            return ()
        address = operands[0] + instruction.immediates[1]
        return (MemoryAccess(address, opcode.access_size, writes_memory(opcode)),)
    if opcode.mnemonic in _BULK_WRITES:
        destination, source, size = top(3)
        written = MemoryAccess(destination, size, True)
        if opcode.mnemonic == "memory.copy":
            return (MemoryAccess(source, size, False), written)
        return (written,)
    return ()
