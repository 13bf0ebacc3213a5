"""Audited translation, for tests: the same source, and every claim in it checked.

The translator leaves out masks, tests and assignments where the bounds of a value or the order of
evaluation make them redundant. Such a fact is a claim. The parts of an `AuditedWriter` write each
claim into the source, where it is checked while the function runs:

- `audit(name, low, high, type, value)`: a value lies within the bounds of its expression, and in
  its type;
- `at(name, effects, value)`: what has these effects is evaluated in the order of the instructions.

Two claims concern translation alone, and are checked then. An operand that reads a variable must be
evaluated before the variable is assigned. At each `end` and `else` the operand stack has the height
that validation finds. A false claim raises `FalseClaim`, which names the instruction.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterable
from typing import Any

from purewasm_plugins.engine.translator.control import Analysis, Bounds, Construct
from purewasm_plugins.engine.translator.expressions import CALLS, READS, TRAPS, Expression
from purewasm_plugins.engine.translator.lines import Lines
from purewasm_plugins.engine.translator.locals import Locals
from purewasm_plugins.engine.translator.operands import COME_FIRST, Operands
from purewasm_plugins.engine.translator.translation import Effort
from purewasm_plugins.engine.translator.writer import Writer
from purewasm_plugins.runtime.instance import Function
from purewasm_plugins.wasm import ValidModule
from purewasm_plugins.wasm.binary.instructions import Instruction, instructions, read_opcode
from purewasm_plugins.wasm.module import Module
from purewasm_plugins.wasm.opcodes import Opcode
from purewasm_plugins.wasm.types import ValType
from purewasm_plugins.wasm.validation.control import Block

__all__ = ["NAMES", "AuditedWriter", "FalseClaim"]

_VARIABLE = re.compile(r"\b[ls][0-9]+\b")


class FalseClaim(AssertionError):
    """A claim of the translator's about a value, an order, or the operand stack is false."""


class AuditedWriter(Writer):
    """A function that is written with its claims."""

    lines: _AuditedLines

    def _new_lines(self, located: bool) -> Lines:
        return _AuditedLines(self.module, self.index, located=located, effort=self.effort)

    def _new_operands(self) -> Operands:
        operands = _AuditedOperands(self.lines)
        self.lines.operands = operands
        return operands

    def _new_locals(self, types: list[ValType], names: list[str]) -> Locals:
        return _AuditedLocals(types, self.type.params, names, self.lines, self.operands)


class _AuditedLines(Lines):
    """The lines of a function, in which claims are written.

    Attributes:
        operands: the operand stack, whose height is checked.
        counters: of a loop that is about to be opened, what is claimed of each: a text.
    """

    def __init__(self, module: Module, index: int, *, located: bool, effort: Effort) -> None:
        self._data = module.data
        control = ValidModule(module).control(index)
        self._blocks = control.blocks
        self._open = [control.body]
        body = module.functions[index - module.imported_functions].body
        self._falls, self._left = _reached(instructions(module.data, body))
        self._offset = 0
        self.operands: Operands | None = None
        self.counters: list[str] = []
        super().__init__(located=located, effort=effort)

    # Names

    @property
    def opcode(self) -> Opcode:
        """The instruction that is being translated."""
        return read_opcode(self._data, self._offset)[0]

    @property
    def instruction(self) -> str:
        """The instruction's name and place."""
        return f"{self.opcode.mnemonic} at byte {self._offset:#x}"

    @property
    def result_type(self) -> ValType | None:
        """The type of its result, if its opcode has one."""
        results = self.opcode.results
        return results[0] if results else None

    # The height of the operand stack

    @property
    def offset(self) -> int:
        """The offset of the instruction that is being translated."""
        return self._offset

    @offset.setter
    def offset(self, offset: int) -> None:
        operands = self.operands
        if operands is None:
            # No instruction is being translated yet.
            self._offset = offset
            return
        if self._offset in self._left and self._offset < offset:
            # An `end` has been translated, while a body that begins with one is still to be.
            block = self._open.pop()
            if self._left[self._offset]:
                self._check_height(block, len(operands.stack))
        self._offset = offset
        if offset in self._blocks:
            self._open.append(self._blocks[offset])
        elif offset in self._falls:
            self._check_height(self._open[-1], len(operands.stack))

    def _check_height(self, block: Block, height: int) -> None:
        """Check the height of the stack where a block leaves its results on it.

        Raises:
            FalseClaim: it is another than validation finds.
        """
        expected = block.height + len(block.type.results)
        if height != expected:
            raise FalseClaim(
                f"{self.instruction}: the operand stack has the height {height}, not {expected}"
            )

    # Claims

    def claim(self, low: int, high: int, type: ValType | None, text: str, zeros: int = 0) -> str:
        """Return the text of a value, which is checked."""
        aligned = f", {zeros}" if zeros else ""
        return f"audit({self.instruction!r}, {low}, {high}, {str(type)!r}, {text}{aligned})"

    def in_order(self, effects: int, text: str) -> str:
        """Return the text of what has effects, which is checked to happen in order."""
        return f"at({self.instruction!r}, {self._offset}, {effects}, {text})"

    def open(self, header: str) -> None:
        """Write the header of a compound statement; if it is a loop, its turns begin in order."""
        super().open(header)
        if header.startswith(("for ", "while ")):
            self.write("at.restart()")
            self.write_all(self.counters)
            self.counters = []

    def write_skip(self, test: str, done: str, values: dict[str, str], many: int) -> None:
        """Write what foretells iterations of a loop, which runs all of them."""
        name = f"foretold{len(self.written)}"
        self.write(f"{name} = None")
        super().open(f"if {test}:")
        self.write(f"{name} = Foretold(memory)")
        done = done.replace("memory, grant", f"{name}.memory, grant")
        self.write(f"count = {done.replace('grant', f'{name}.grant')}")
        self.write(f"{name}.expect(count, {', '.join(values.values())})")
        self.close()
        self.counters.append(f"{name} and {name}.turn(memory, {', '.join(values)})")

    def trace(self, text: str) -> str:
        """Mark the text of what may trap; that it does so in order is checked."""
        marked = super().trace(text)
        mnemonic = self.opcode.mnemonic
        # Neither a statement nor the left side of one can stand in a call.
        assigned = text.endswith("]") and ("store" in mnemonic or mnemonic == "table.set")
        if text in ("budget", "unreachable()") or assigned:
            return marked
        return self.in_order(_effects(mnemonic), marked)


class _AuditedOperands(Operands):
    """An operand stack whose operands are checked when they are evaluated."""

    _lines: _AuditedLines

    def _checked(self, operand: Expression, type: ValType | None) -> Expression:
        """Return the operand with its claim."""
        if operand.size <= 1 and not operand.effects:
            return operand
        text = self._lines.claim(operand.low, operand.high, type, operand.text, operand.zeros)
        checked = Expression(
            text,
            operand.precedence,
            operand.low,
            operand.high,
            operand.effects,
            operand.reads,
            operand.size,
            operand.inverse,
        )
        checked.step = operand.step
        checked.origin = operand.origin
        checked.zeros = operand.zeros
        checked.terms = operand.terms
        return checked

    def push(self, operand: Expression) -> None:
        """Push an operand, which is checked."""
        super().push(self._checked(operand, self._lines.result_type))

    def pop_unsigned(self, bits: int = 32) -> Expression:
        """Pop the topmost operand, an integer, which is checked."""
        return self._checked(super().pop_unsigned(bits), None)

    def pop_typed(self, types: tuple[ValType, ...]) -> list[Expression]:
        """Pop operands of these types, which are checked."""
        operands = super().pop_typed(types)
        return [self._checked(o, type) for o, type in zip(operands, types, strict=True)]

    def slot(self, height: int, type: ValType | None = None) -> Expression:
        """Return the variable of a height; where it is said to hold a value, this is checked."""
        variable = super().slot(height, type)
        if type is not None and self._lines.live:
            self._lines.write(self._lines.claim(0, variable.high, type, variable.text))
        return variable

    def spill(self, index: int, type: ValType | None = None, force: bool = False) -> None:
        """Spill an operand, and check what its variable holds."""
        written = len(self._lines.written)
        super().spill(index, type, force)
        if len(self._lines.written) > written:
            self.check_assigned(f"s{index}", self.stack[index], type, index)

    def assign_slot(
        self,
        text: str,
        low: int = 0,
        high: int = 0,
        *,
        comma: bool = False,
        effects: int = TRAPS,
    ) -> None:
        """Write the assignment of a result, which is checked."""
        height = len(self.stack)
        super().assign_slot(text, low, high, comma=comma, effects=effects)
        self.check_assigned(f"s{height}", self.stack[height], self._lines.result_type, height)

    def check_assigned(
        self, name: str, held: Expression, type: ValType | None, height: int | None = None
    ) -> None:
        """Check a variable that the last lines have assigned.

        Args:
            name: the variable.
            held: the expression that it has become.
            type: of its value.
            height: of the operand that it is.

        Raises:
            FalseClaim: an operand reads what it held before, or nothing assigns it.
        """
        instruction = self._lines.instruction
        for below, operand in enumerate(self.stack):
            if below != height and name in _VARIABLE.findall(operand.text):
                raise FalseClaim(f"{instruction}: the operand {operand!r} reads an older {name}")
        for line in reversed(self._lines.written):
            if line.text is not None and line.text.startswith((f"{name} =", f"{name}, =")):
                line.checks = [self._lines.claim(held.low, held.high, type, "{}", held.zeros)]
                return
        raise FalseClaim(f"{instruction}: {name} is nowhere assigned")

    def read_state(self, text: str, before: int = 0, effects: int = READS) -> str:
        """Return the text of state; that it is read in order is checked."""
        return self._lines.in_order(READS, super().read_state(text, before, effects))

    def write_effect(self, text: str) -> None:
        """Write a statement with effects; that it is executed in order is checked."""
        super().write_effect(text)
        self._lines.written[-1].checks = [self._lines.in_order(CALLS, "None")]


class _AuditedLocals(Locals):
    """Locals whose values are checked when they are set."""

    _lines: _AuditedLines
    _operands: _AuditedOperands

    def __init__(
        self,
        types: list[ValType],
        params: tuple[ValType, ...],
        names: list[str],
        lines: Lines,
        operands: Operands,
    ) -> None:
        super().__init__(types, len(params), names, lines, operands)
        self._param_types = params

    def set(self, index: int) -> None:
        """Translate `local.set`; what it sets is checked."""
        lines = self._lines.written
        before = len(lines), lines[-1].text if lines else None
        super().set(index)
        if before != (len(lines), lines[-1].text if lines else None):
            self._operands.check_assigned(self.names[index], self._known[index], self.types[index])

    def defaults(self) -> list[str]:
        """Return the statements that a function begins with: its arguments are checked."""
        params = zip(self.names, self._param_types, self._plain, strict=False)
        checks = [self._lines.claim(0, plain.high, type, name) for name, type, plain in params]
        return ["at = Order()", *checks, *super().defaults()]

    def begin_counters(self, bounds: list[Bounds]) -> list[tuple[Bounds, Expression]]:
        """Rely on the bounds of a loop's counters, and check them at each turn."""
        self._lines.counters += [
            self._lines.claim(
                bound.low, bound.high, self.types[bound.local], self.names[bound.local]
            )
            for bound in bounds
        ]
        return super().begin_counters(bounds)

    def align_loop(self, analysis: Analysis, loop: Construct) -> list[tuple[int, Expression]]:
        """Rely on the alignment of locals in a loop, and check it at each turn."""
        replaced = super().align_loop(analysis, loop)
        self._lines.counters = [
            self._lines.claim(
                0,
                self._plain[index].high,
                self.types[index],
                self.names[index],
                self._plain[index].zeros,
            )
            for index, _ in replaced
        ]
        return replaced

    def _write_start(self, index: int, start: int) -> None:
        """Write the start of a signed counter; it is checked at each turn of the loop."""
        super()._write_start(index, start)
        self._lines.written[-1].checks = []


class _OpenBlock:
    """A block, and how execution comes through it.

    Attributes:
        kind: the mnemonic of the instruction that opens it, or "else".
        entered: whether execution enters it.
        left: whether execution comes to the instruction behind it, as far as is known.
    """

    __slots__ = ("entered", "kind", "left")

    def __init__(self, kind: str, entered: bool) -> None:
        self.kind = kind
        self.entered = entered
        self.left = False


def _reached(body: Iterable[Instruction]) -> tuple[set[int], dict[int, bool]]:
    """Find where execution comes to the end of a block.

    Returns:
        The offsets of the `else`s and `end`s that execution reaches without a branch; and of each
        `end`, whether execution comes to the instruction behind it.
    """
    falls: set[int] = set()
    left: dict[int, bool] = {}
    live = True
    open_ = [_OpenBlock("function", live)]
    for offset, opcode, immediates in body:
        mnemonic = opcode.mnemonic
        block = open_[-1]
        if mnemonic in ("else", "end") and live:
            falls.add(offset)
            block.left = True
        if mnemonic in ("block", "loop", "if"):
            open_.append(_OpenBlock(mnemonic, live))
        elif mnemonic == "else":
            block.kind, live = mnemonic, block.entered
        elif mnemonic == "end":
            live = left[offset] = block.left or (block.kind == "if" and block.entered)
            open_.pop()
        elif mnemonic.startswith("br") and live:
            labels = immediates if mnemonic != "br_table" else (*immediates[0], immediates[1])
            for label in labels:
                target = open_[~label]
                target.left = target.left or target.kind != "loop"
        if mnemonic in ("br", "br_table", "return", "unreachable"):
            live = False
    return falls, left


def _effects(mnemonic: str) -> int:
    """Return the effects of an instruction that may trap, as the specification has them."""
    if "load" in mnemonic or mnemonic == "table.get":
        return TRAPS | READS
    numeric = mnemonic.partition(".")[2].startswith(("div", "rem", "trunc"))
    return TRAPS if numeric else TRAPS | READS | CALLS


# What the source calls.


def _audit(name: str, low: int, high: int, type: str, value: Any, zeros: int = 0) -> Any:
    """Return the value, if it is what its expression claims.

    Raises:
        FalseClaim: it is not.
    """
    right = True
    if type in ("i32", "i64") or (low, high) != (0, 0):
        right = isinstance(value, int) and low <= value <= high and not value & (1 << zeros) - 1
    elif type == "f64":
        right = value.__class__ is float
    elif type == "f32":
        right = value.__class__ is float and (value != value or _is_single(value))
    elif type == "v128":
        right = value.__class__ is bytes and len(value) == 16
    elif type == "funcref":
        right = value is None or isinstance(value, Function)
    if not right:
        aligned = f", {zeros} zero bits" if zeros else ""
        raise FalseClaim(f"{name}: {value!r} is not {type} from {low} to {high}{aligned}")
    return value


def _is_single(value: float) -> bool:
    try:
        return bool(struct.unpack("f", struct.pack("f", value))[0] == value)
    except OverflowError:
        return False


class _Order:
    """The order in which one activation of a function evaluates what has effects."""

    __slots__ = ("_last",)

    def __init__(self) -> None:
        self._last: dict[int, tuple[int, str]] = {}

    def restart(self) -> None:
        """Begin a turn of a loop: earlier instructions come again."""
        self._last.clear()

    def __call__(self, name: str, offset: int, effects: int, value: Any) -> Any:
        """Return the value of the instruction at an offset, if nothing was evaluated too early.

        Raises:
            FalseClaim: something was that must come later.
        """
        for effect in (TRAPS, READS, CALLS):
            last, other = self._last.get(effect, (-1, ""))
            if COME_FIRST[effects] & effect and last > offset:
                raise FalseClaim(f"{name} is evaluated after {other}")
            if effects & effect and last < offset:
                self._last[effect] = offset, name
        return value


class _Foretold:
    """The state after iterations of a loop, as it would be if they were skipped.

    Attributes:
        memory: a copy, in which they are done.
    """

    def __init__(self, memory: bytearray) -> None:
        self.memory = memory[:]
        self._left = 0
        self._values: tuple[Any, ...] = ()

    def grant(self, wanted: int) -> int:
        """Pay for all iterations."""
        return max(wanted, 0)

    def expect(self, count: int, *values: Any) -> None:
        """Expect these values of variables after `count` iterations."""
        self._left = count or -1
        self._values = values

    def turn(self, memory: bytearray, *values: Any) -> None:
        """Begin an iteration.

        Raises:
            FalseClaim: after the iterations that would have been skipped, the state is another.
        """
        if not self._left and (values != self._values or memory != self.memory):
            raise FalseClaim(
                f"iterations lead to {values}, not to {self._values}, or to other bytes"
            )
        self._left -= 1


#: What the source of audited functions calls its audits.
NAMES = {"audit": _audit, "Order": _Order, "Foretold": _Foretold}
