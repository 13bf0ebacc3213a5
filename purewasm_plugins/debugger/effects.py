"""What the instruction that is about to run will write, read off the operands it will pop.

A machine that stands still in, places out. It is asked before the instruction runs, and nothing is
checked: an instruction that traps instead has written nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

import pywasm

from purewasm_plugins.wasm.binary.instructions import Instruction
from purewasm_plugins.wasm.opcodes import Immediates, Opcode
from purewasm_plugins.wasm.types import ValType


@dataclass(frozen=True, slots=True)
class MemoryAccess:
    """Bytes of memory 0 that an instruction reads or writes."""

    address: int
    size: int
    is_write: bool


def access_size(opcode: Opcode) -> int:
    """How many bytes a load or store reaches for."""
    operation = opcode.mnemonic.partition(".")[2]
    if any(shape in operation for shape in ("8x8", "16x4", "32x2")):
        return 8
    for bits in (8, 16, 32, 64):
        if operation.startswith((f"load{bits}", f"store{bits}")):
            return bits // 8
    return {ValType.I64: 8, ValType.F64: 8, ValType.V128: 16}.get(_type(opcode), 4)


def _type(opcode: Opcode) -> ValType:
    return ValType[opcode.mnemonic.partition(".")[0].upper()]


def writes_memory(opcode: Opcode) -> bool:
    """Whether an instruction is a store, or writes many bytes at once."""
    mnemonic = opcode.mnemonic
    if mnemonic in ("memory.fill", "memory.copy", "memory.init"):
        return True
    return is_access(opcode) and mnemonic.partition(".")[2].startswith("store")


def is_access(opcode: Opcode) -> bool:
    """Whether an instruction is a load or a store."""
    return opcode.immediates in (Immediates.MEMARG, Immediates.MEMARG_LANE)


def calls(opcode: Opcode) -> bool:
    """Whether an instruction calls a function."""
    return opcode.mnemonic in ("call", "call_indirect")


def memory_accesses(machine: pywasm.Machine, instruction: Instruction) -> tuple[MemoryAccess, ...]:
    """What an instruction, which is about to run, does to memory; growth and calls aside."""
    opcode = instruction.opcode
    values = machine.stack.value
    if is_access(opcode):
        is_write = writes_memory(opcode)
        below = 2 if is_write or opcode.immediates is Immediates.MEMARG_LANE else 1
        if len(values) < below:
            return ()
        address = values[-below].into_u32() + instruction.immediates[1]
        return (MemoryAccess(address, access_size(opcode), is_write),)
    if opcode.mnemonic in ("memory.fill", "memory.copy", "memory.init") and len(values) >= 3:
        first, second, size = (value.into_u32() for value in values[-3:])
        written = MemoryAccess(first, size, True)
        if opcode.mnemonic == "memory.copy":
            return (MemoryAccess(second, size, False), written)
        return (written,)
    return ()
