"""Audited translation, for tests: the same source, and every claim in it checked while it runs.

The translator leaves out masks, tests and assignments where it knows enough of a value or of the
order of evaluation. What it knows is a claim. `AuditedWriter` writes each claim into the source:

- `audit(name, low, high, type, value)`: a value lies within the bounds of its expression, and in
  its type;
- `at(name, effects, value)`: what has these effects is evaluated in the order of the instructions.

What a variable holds is a matter of translating alone: an operand that reads it must be evaluated
before the variable is assigned. A claim that is false raises `FalseClaim`, which names the
instruction.
"""

from __future__ import annotations

import re
import struct
from typing import Any

from purewasm_plugins.engine.translator.control import Bounds
from purewasm_plugins.engine.translator.expressions import CALLS, READS, TRAPS, Expression
from purewasm_plugins.engine.translator.writer import AFTER, Writer
from purewasm_plugins.runtime.instance import Function
from purewasm_plugins.wasm.binary.instructions import read_opcode
from purewasm_plugins.wasm.types import ValType

__all__ = ["NAMES", "AuditedWriter", "FalseClaim"]

#: What is written as an assignment.
_ASSIGNS = {"i32.store8", "i64.store8", "table.set"}

_VARIABLE = re.compile(r"\b[ls][0-9]+\b")


class FalseClaim(AssertionError):
    """What the translator said of a value, or of an order, does not hold."""


class AuditedWriter(Writer):
    """Writes one function with its claims."""

    _believed: tuple[Bounds, ...] = ()

    # Values

    def _audited(self, low: int, high: int, type: ValType | None, text: str) -> str:
        return f"audit({self._name()!r}, {low}, {high}, {str(type)!r}, {text})"

    def _name(self) -> str:
        return f"{self._mnemonic()} at byte {self.offset:#x}"

    def _mnemonic(self) -> str:
        opcode = read_opcode(self.module.data, self.offset)[0]
        return opcode.mnemonic

    def _result_type(self) -> ValType | None:
        results = read_opcode(self.module.data, self.offset)[0].results
        return results[0] if results else None

    def _checked(self, operand: Expression, type: ValType | None) -> Expression:
        """The operand, whose value is checked when it is evaluated."""
        if operand.size <= 1 and not operand.effects:
            return operand
        text = self._audited(operand.low, operand.high, type, operand.text)
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
        return checked

    def push(self, operand: Expression) -> None:
        """Push an operand; what it evaluates to is checked."""
        super().push(self._checked(operand, self._result_type()))

    def pop_unsigned(self, bits: int = 32) -> Expression:
        """Take the topmost operand, an integer; its value is checked."""
        return self._checked(super().pop_unsigned(bits), None)

    def take_typed(self, types: tuple[ValType, ...]) -> list[Expression]:
        """Take operands of these types; their values are checked."""
        operands = super().take_typed(types)
        return [self._checked(o, type) for o, type in zip(operands, types, strict=True)]

    def slot(self, height: int, type: ValType | None = None) -> Expression:
        """The variable of a height; where it is said to hold a value, this is checked."""
        variable = super().slot(height, type)
        if type is not None and self.live:
            self.write(self._audited(0, variable.high, type, variable.text))
        return variable

    # Variables

    def spill(self, index: int, type: ValType | None = None, force: bool = False) -> None:
        """Put the operand at a height into its variable, and check that."""
        written = len(self.lines)
        super().spill(index, type, force)
        if len(self.lines) > written:
            self._assigned(f"s{index}", self.stack[index], type, index)

    def assign_slot(
        self,
        text: str,
        low: int = 0,
        high: int = 0,
        *,
        comma: bool = False,
        effects: int = TRAPS,
    ) -> None:
        """Push what a statement gives, and check it."""
        height = len(self.stack)
        super().assign_slot(text, low, high, comma=comma, effects=effects)
        self._assigned(f"s{height}", self.stack[height], self._result_type(), height)

    def set_local(self, index: int) -> None:
        """`local.set`; what it sets is checked."""
        before = len(self.lines), self.lines[-1].text if self.lines else None
        super().set_local(index)
        if before != (len(self.lines), self.lines[-1].text if self.lines else None):
            self._assigned(self.names[index], self._known[index], self.locals[index], None)

    def _assigned(
        self, name: str, held: Expression, type: ValType | None, height: int | None
    ) -> None:
        """A line has assigned a variable: who still reads what it held before?"""
        for below, operand in enumerate(self.stack):
            if below != height and name in _VARIABLE.findall(operand.text):
                raise FalseClaim(f"{self._name()}: the operand {operand!r} reads an older {name}")
        for line in reversed(self.lines):
            if line.text is not None and line.text.startswith((f"{name} =", f"{name}, =")):
                line.after = [self._audited(held.low, held.high, type, "{}")]
                return
        raise FalseClaim(f"{self._name()}: {name} is nowhere assigned")

    def initial_locals(self) -> list[str]:
        """The statements that a function begins with: its arguments are checked."""
        params = zip(self.names, self.type.params, self._plain, strict=False)
        checks = [self._audited(0, plain.high, type, name) for name, type, plain in params]
        return ["at = Order()", *checks, *super().initial_locals()]

    def count(self, bounds: list[Bounds]) -> list[tuple[Bounds, Expression]]:
        """Believe the bounds of locals until a loop ends, and check them at each turn."""
        self._believed = tuple(bounds)
        return super().count(bounds)

    def _count_from(self, index: int, start: int) -> None:
        """Write a constant below zero to a local; `deeper` checks it."""
        super()._count_from(index, start)
        self.lines[-1].after = []

    def deeper(self) -> None:
        """Indent what follows; if that is a loop, its turns begin in order."""
        super().deeper()
        if (self.lines[-1].text or "").startswith(("for ", "while ")):
            self.write("at.restart()")
            for bound in self._believed:
                local = bound.local
                text = self._audited(bound.low, bound.high, self.locals[local], self.names[local])
                self.write(text)
            self._believed = ()

    # Order

    def trace(self, text: str) -> str:
        """The text of what may trap; that it does so in order is checked."""
        marked = super().trace(text)
        mnemonic = self._mnemonic()
        # Neither a statement nor the left side of one can stand in a call.
        if text in ("budget", "unreachable()") or mnemonic in _ASSIGNS:
            return marked
        return self._at(_effects(mnemonic), marked)

    def state(self, text: str, before: int = 0, effects: int = READS) -> str:
        """Name state; that it is read in order is checked."""
        return self._at(READS, super().state(text, before, effects))

    def statement(self, text: str) -> None:
        """A statement that changes what others can see; that it does so in order is checked."""
        super().statement(text)
        self.lines[-1].after = [self._at(CALLS, "None")]

    def _at(self, effects: int, text: str) -> str:
        return f"at({self._name()!r}, {self.offset}, {effects}, {text})"


def _effects(mnemonic: str) -> int:
    """What an instruction that may trap does, as the specification has it."""
    if "load" in mnemonic or mnemonic == "table.get":
        return TRAPS | READS
    numeric = mnemonic.partition(".")[2].startswith(("div", "rem", "trunc"))
    return TRAPS if numeric else TRAPS | READS | CALLS


# What the source calls.


def _audit(name: str, low: int, high: int, type: str, value: Any) -> Any:
    """The value, if it is what its expression claims.

    Raises:
        FalseClaim: it is not.
    """
    right = True
    if type in ("i32", "i64") or (low, high) != (0, 0):
        right = isinstance(value, int) and low <= value <= high
    elif type == "f64":
        right = value.__class__ is float
    elif type == "f32":
        right = value.__class__ is float and (value != value or _is_single(value))
    elif type == "v128":
        right = value.__class__ is bytes and len(value) == 16
    elif type == "funcref":
        right = value is None or isinstance(value, Function)
    if not right:
        raise FalseClaim(f"{name}: {value!r} is not {type} from {low} to {high}")
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
        """A turn of a loop begins: nothing waits, and earlier instructions come again."""
        self._last.clear()

    def __call__(self, name: str, offset: int, effects: int, value: Any) -> Any:
        """The value of the instruction at an offset, if nothing that must come later came first.

        Raises:
            FalseClaim: it has.
        """
        for effect in (TRAPS, READS, CALLS):
            last, other = self._last.get(effect, (-1, ""))
            if AFTER[effects] & effect and last > offset:
                raise FalseClaim(f"{name} is evaluated after {other}")
            if effects & effect and last < offset:
                self._last[effect] = offset, name
        return value


#: What the source of audited functions calls its audits.
NAMES = {"audit": _audit, "Order": _Order}
