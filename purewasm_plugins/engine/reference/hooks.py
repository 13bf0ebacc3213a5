"""Hooks: instructions that run our Python code inside pywasm's loop.

`Machine.evaluate` reads the `opcode` of each instruction once, just before it runs the instruction.
A `Hook` does its work during that read, and returns the opcode of `nop`. A hook replaces

- what pywasm leaves out: fuel, deadlines and the call depth, at the start of every body;
- what reaches outside one module: calls of imported functions, tables, references, segments;
- what pywasm bounds wrongly: `memory.grow`, which it caps at 1 024 pages, and `memory.fill`, which
  it writes byte by byte without checking the limits;
- what pywasm computes wrongly: `i64.div_u`, which traps where the quotient is 2**63 or more;
- what pywasm leaves undefined: which of two NaNs a sum or a product keeps.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Callable, Sequence
from typing import Any

import pywasm
import pywasm.opcode

from purewasm_plugins.engine.reference.values import raw_value, value_instance
from purewasm_plugins.errors import Trap, TrapReason
from purewasm_plugins.runtime.instance import Function, Instance
from purewasm_plugins.wasm.binary.instructions import Instruction
from purewasm_plugins.wasm.opcodes import Opcode
from purewasm_plugins.wasm.types import ValType

#: The most operands, labels and locals of all active functions together when another function
#: begins. Each is an object of up to 250 bytes, and a function may add up to 150 000.
_MOST_HELD = 100_000


class Located(pywasm.Inst):
    """An instruction that pywasm runs, with the instruction of the module that it represents."""

    def __init__(self, instruction: Instruction, opcode: int, arguments: list[Any]) -> None:
        super().__init__(opcode, arguments)
        self.instruction = instruction


class Hook(pywasm.Inst):
    """An instruction that does its work when pywasm reads its opcode.

    Attributes:
        instruction: the instruction of the module that it replaces; None where it only meters.
        action: the work.
        rest: the opcode that pywasm runs after the work.
    """

    def __init__(
        self,
        instruction: Instruction | None,
        action: Callable[[], None],
        rest: int = pywasm.opcode.nop,
    ) -> None:
        # Not super().__init__: it would assign `opcode`.
        self.instruction = instruction
        self.action = action
        self.rest = rest
        self.args: list[Any] = []

    @property
    def opcode(self) -> int:
        """Do the work, and return the opcode that pywasm then runs."""
        self.action()
        return self.rest


def pywasm_code(opcode: Opcode) -> int:
    """Return pywasm's number of an opcode: after a prefix, the LEB128 bytes as they are encoded."""
    if opcode.code > 0xFFFF or opcode.code < 0x100:
        return opcode.code
    number = opcode.code & 0xFF
    return opcode.code if number < 0x80 else (opcode.code << 8) | 0x01


def held(stack: pywasm.core.Stack) -> int:
    """Count the operands, labels and locals on a stack."""
    return len(stack.value) + len(stack.label) + sum(len(at.locals.data) for at in stack.frame)


class Hooks:
    """The work of the hooks of one instance; each `_name` is a mnemonic with underscores.

    Attributes:
        held_outside: the number of operands, labels and locals of the calls around the active one.
    """

    def __init__(self, instance: Instance, machine: pywasm.Machine) -> None:
        self.instance = instance
        self.machine = machine
        self.held_outside = 0
        self.budget = instance.budget
        depth = instance.limits.call_depth
        # The outermost frame of the machine belongs to no function.
        self.frames = None if depth is None else depth + 1

    def enter_function(self) -> None:
        """Check the limits at the start of a function's body."""
        stack = self.machine.stack
        if self.frames is not None and len(stack.frame) > self.frames:
            raise Trap(TrapReason.CALL_STACK_EXHAUSTED)
        if self.held_outside + len(stack.value) + len(stack.label) > _MOST_HELD:
            raise Trap(TrapReason.CALL_STACK_EXHAUSTED)
        self.budget.spend()

    def enter_large_function(self) -> None:
        """Check the limits for a function of many locals; a few bytes declare 50 000."""
        if self.held_outside + held(self.machine.stack) > _MOST_HELD:
            raise Trap(TrapReason.CALL_STACK_EXHAUSTED)
        self.enter_function()

    def check_deadline(self) -> None:
        """Check the deadline, unless a body is built while no call runs."""
        if self.budget.nesting:
            self.budget.check_deadline()

    def start_loop(self) -> None:
        """Check the limits at the start of a loop's body."""
        self.budget.spend()

    def closing(self, instruction: Instruction) -> Sequence[pywasm.Inst]:
        """Return the instructions for an `else` or `end`: none, as the end of a list is enough."""
        return ()

    def hook(self, instruction: Instruction) -> Hook | None:
        """Return the hook that replaces an instruction; None where pywasm runs it."""
        mnemonic, immediates = instruction.opcode.mnemonic, instruction.immediates
        if mnemonic == "call":
            if immediates[0] >= self.instance.module.module.imported_functions:
                return None
            function = self.instance.functions[immediates[0]]
            return Hook(instruction, lambda: self._call_outside(function))
        if mnemonic in _COMMUTATIVE:
            lanes = _COMMUTATIVE[mnemonic]
            rest = pywasm_code(instruction.opcode)
            return Hook(instruction, lambda: self._keep_first_nans(lanes), rest)
        if mnemonic not in _HOOKED:
            return None
        method = getattr(self, "_" + mnemonic.replace(".", "_"))
        return Hook(instruction, lambda: method(*immediates))

    def perform_call(self, function: Function, arguments: list[Any]) -> Any:
        """Call a function that the module does not define, on raw values."""
        result = function.called_by(self.instance).entry(*arguments)
        # The function may have called back and caught the trap of that call, or taken long.
        self.budget.check()
        self.budget.check_limits()
        return result

    def perform_grow(self, memory: int, pages: int) -> int:
        """Grow a memory; return its former size in pages, or -1."""
        return self.instance.memories[memory].try_grow(pages, self.budget.spend)

    def _pop(self) -> Any:
        return raw_value(self.machine.stack.value.pop())

    def _pop_three(self) -> tuple[Any, Any, Any]:
        third, second, first = self._pop(), self._pop(), self._pop()
        return first, second, third

    def _push(self, type: ValType, raw: Any) -> None:
        self.machine.stack.value.append(value_instance(type, raw))

    def _call_outside(self, function: Function) -> None:
        params, results = function.type.params, function.type.results
        values = self.machine.stack.value
        first = len(values) - len(params)
        arguments = [raw_value(value) for value in values[first:]]
        del values[first:]
        result = self.perform_call(function, arguments)
        if len(results) == 1:
            self._push(results[0], result)
        elif results:
            values.extend(map(value_instance, results, result))

    def _keep_first_nans(self, lanes: struct.Struct) -> None:
        """Replace the second of two operands by the first where both are NaNs.

        CPython's `+` and `*` keep the bits of the first operand once they are specialised for
        floats, and the bits of the second one before. A debugger's replay would differ.
        """
        values = self.machine.stack.value
        second = lanes.unpack_from(values[-1].data)
        if not any(map(math.isnan, second)):
            return
        kept = bytearray(values[-1].data)
        size = lanes.size // len(second)
        first = lanes.unpack_from(values[-2].data)
        for start, a, b in zip(range(0, lanes.size, size), first, second, strict=True):
            if math.isnan(a) and math.isnan(b):
                kept[start : start + size] = values[-2].data[start : start + size]
        values[-1] = pywasm.ValInst(values[-1].type, kept)

    def _i64_div_u(self) -> None:
        divisor, dividend = self._pop(), self._pop()
        if divisor == 0:
            raise Trap(TrapReason.INTEGER_DIVIDE_BY_ZERO)
        self._push(ValType.I64, dividend // divisor)

    def _call_indirect(self, type: int, table: int) -> None:
        index = self._pop()
        elements = self.instance.tables[table].elements
        if index >= len(elements):
            raise Trap(TrapReason.UNDEFINED_ELEMENT)
        function = elements[index]
        if function is None:
            raise Trap(TrapReason.UNINITIALIZED_ELEMENT)
        if function.type != self.instance.module.module.types[type]:
            raise Trap(TrapReason.INDIRECT_CALL_TYPE_MISMATCH)
        if function.instance is self.instance:
            self.machine.evaluate_call(function.index)
        else:
            self._call_outside(function)

    def _ref_func(self, function: int) -> None:
        self._push(ValType.FUNCREF, self.instance.functions[function])

    def _table_get(self, table: int) -> None:
        found = self.instance.tables[table]
        self._push(found.type.element, found.get(self._pop()))

    def _table_set(self, table: int) -> None:
        value = self._pop()
        self.instance.tables[table].set(self._pop(), value)

    def _table_size(self, table: int) -> None:
        self._push(ValType.I32, len(self.instance.tables[table]))

    def _table_grow(self, table: int) -> None:
        count = self._pop()
        before = self.instance.tables[table].try_grow(count, self._pop(), self.budget.spend)
        self._push(ValType.I32, before & 0xFFFFFFFF)

    def _table_fill(self, table: int) -> None:
        self.instance.tables[table].fill(*self._pop_three(), self.budget.spend)

    def _table_copy(self, destination: int, source: int) -> None:
        tables = self.instance.tables
        tables[destination].copy(tables[source], *self._pop_three(), self.budget.spend)

    def _table_init(self, segment: int, table: int) -> None:
        references = self.instance.element_segments[segment]
        self.instance.tables[table].init(references, *self._pop_three(), self.budget.spend)

    def _elem_drop(self, segment: int) -> None:
        self.instance.element_segments[segment] = []

    def _memory_grow(self, memory: int) -> None:
        self._push(ValType.I32, self.perform_grow(memory, self._pop()) & 0xFFFFFFFF)

    def _memory_fill(self, memory: int) -> None:
        self.instance.memories[memory].fill(*self._pop_three(), self.budget.spend)

    def _memory_copy(self, destination: int, source: int) -> None:
        # Both are the same memory: core 2.0 has no second one.
        self.instance.memories[destination].copy(*self._pop_three(), self.budget.spend)

    def _memory_init(self, segment: int, memory: int) -> None:
        content = self.instance.data_segments[segment]
        self.instance.memories[memory].init(content, *self._pop_three(), self.budget.spend)

    def _data_drop(self, segment: int) -> None:
        self.instance.data_segments[segment] = b""


#: The instructions whose result may keep the bits of either NaN, and the lanes of an operand.
_COMMUTATIVE = {
    f"{shape}.{operation}": lanes
    for shape, lanes in (
        ("f32", struct.Struct("<f")),
        ("f64", struct.Struct("<d")),
        ("f32x4", struct.Struct("<4f")),
        ("f64x2", struct.Struct("<2d")),
    )
    for operation in ("add", "mul")
}

#: The instructions that hooks replace, beside `call` of an imported function.
_HOOKED = frozenset(
    (
        "call_indirect",
        "i64.div_u",
        "ref.func",
        "table.get",
        "table.set",
        "table.size",
        "table.grow",
        "table.fill",
        "table.copy",
        "table.init",
        "elem.drop",
        "memory.grow",
        "memory.fill",
        "memory.copy",
        "memory.init",
        "data.drop",
    )
)
