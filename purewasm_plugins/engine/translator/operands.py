"""The operand stack (section 4.2.13), which exists only while a function is translated.

An operand is an expression that has not been written yet. It is written, *spilled*, when something
would change what it reads, or when the order of traps and side effects demands that it be
evaluated: to the variable of its height, `s0`, `s1` and so on.
"""

from __future__ import annotations

from purewasm_plugins.engine.translator.control import LOCAL_BITS
from purewasm_plugins.engine.translator.expressions import (
    ATOM,
    CALLS,
    HIGHEST,
    LARGEST,
    READS,
    TRAPS,
    Expression,
    as_value,
    unsigned,
)
from purewasm_plugins.engine.translator.lines import Line, Lines
from purewasm_plugins.wasm.types import ValType

__all__ = ["COME_FIRST", "Operands"]

#: How many operands may be unevaluated: each assignment of a variable examines all of them.
_MOST_UNEVALUATED = 24

#: By the effects of a statement: the effects of operands that must be evaluated before it.
COME_FIRST = [0] * 8
for _effects in range(8):
    if _effects & CALLS:
        COME_FIRST[_effects] = TRAPS | READS | CALLS
    elif _effects & TRAPS:
        COME_FIRST[_effects] = TRAPS | CALLS
    elif _effects & READS:
        COME_FIRST[_effects] = CALLS


def _slot_bit(height: int) -> int:
    """Return the bit of the variable of a height, in a set of variables; see `local_bit`."""
    return 1 << LOCAL_BITS + height % LOCAL_BITS


class Operands:
    """The operand stack of one function.

    Attributes:
        stack: the operands, topmost last.
        last_spilled: the variable that was assigned last by spilling; see `rename_last`.
    """

    def __init__(self, lines: Lines) -> None:
        self.stack: list[Expression] = []
        self._lines = lines
        #: Operands below this height are variables or constants.
        self._evaluated = 0
        self.last_spilled = ""
        self._last_line: Line | None = None

    # Push and pop

    def push(self, operand: Expression) -> None:
        """Push an operand. It is spilled if it is large, or if too many are unevaluated."""
        stack = self.stack
        stack.append(operand)
        height = len(stack)
        if height <= self._evaluated:
            self._evaluated = height - 1
        elif height - self._evaluated > _MOST_UNEVALUATED:
            for index in range(self._evaluated, height):
                self.spill(index)
            self._evaluated = height
        if operand.size > LARGEST:
            self.spill(height - 1)

    def pop(self) -> Expression:
        """Pop the topmost operand."""
        return self.stack.pop()

    def pop_unsigned(self, bits: int = 32) -> Expression:
        """Pop the topmost operand, an integer, as an unsigned int."""
        return unsigned(self.stack.pop(), bits)

    def pop_many(self, count: int) -> list[Expression]:
        """Pop operands, and return them with the topmost last."""
        if not count:
            return []
        popped = self.stack[-count:]
        del self.stack[-count:]
        return popped

    def pop_typed(self, types: tuple[ValType, ...]) -> list[Expression]:
        """Pop operands of these types, integers as unsigned ints."""
        return [
            as_value(operand, type)
            for operand, type in zip(self.pop_many(len(types)), types, strict=True)
        ]

    def slot(self, height: int, type: ValType | None = None) -> Expression:
        """Return the variable that holds the operand at a height."""
        high = 0 if type is None else HIGHEST.get(type, 0)
        return Expression(f"s{height}", ATOM, 0, high, 0, _slot_bit(height))

    # Spilling

    def spill(self, index: int, type: ValType | None = None, force: bool = False) -> None:
        """Write the assignment of the operand at a height to its variable.

        Operands below it that must be evaluated before it are spilled first.

        Example::

            (module (memory 1)
              (func (param i32) (result i32)
                (i32.load8_u (local.get 0))
                (i32.store (local.get 0) (i32.const 7))))

            def f0(l0):
                for _ in budget: break
                s0 = memory[l0]
                store_u32(memory, l0, 7)
                return s0

        Args:
            index: the height.
            type: where given, an integer of that type is made unsigned.
            force: do so with a constant, too.
        """
        stack = self.stack
        operand = stack[index]
        if type in HIGHEST:
            operand = unsigned(operand, 32 if type is ValType.I32 else 64)
        if operand.size == 0 and not force:
            stack[index] = operand
            return
        name = f"s{index}"
        if operand.text == name:
            return
        bit = _slot_bit(index)
        come_first = COME_FIRST[operand.effects]
        for below in range(min(self._evaluated, index), index):
            other = stack[below]
            if other.effects & come_first or (other.reads & bit and other.text != f"s{below}"):
                self.spill(below)
        self._last_line = self._lines.write(f"{name} = {operand.text}")
        self.last_spilled = name
        stack[index] = Expression(name, ATOM, operand.low, operand.high, 0, bit)
        stack[index].zeros = operand.zeros

    def spill_conflicting(self, effects: int, variable: int = 0) -> None:
        """Spill the operands that must be evaluated before a statement.

        Args:
            effects: those of the statement.
            variable: the bit of the variable that it assigns.
        """
        come_first = COME_FIRST[effects]
        if not (come_first or variable):
            return
        stack = self.stack
        for index in range(min(self._evaluated, len(stack)), len(stack)):
            operand = stack[index]
            if operand.effects & come_first or operand.reads & variable:
                self.spill(index)

    def spill_topmost(self, count: int, effects: int) -> None:
        """Spill those of the topmost operands that must be evaluated before something else.

        Args:
            count: how many operands Python evaluates after it.
            effects: those of what Python evaluates first.
        """
        come_first = COME_FIRST[effects]
        for index in range(len(self.stack) - count, len(self.stack)):
            if self.stack[index].effects & come_first:
                self.spill(index)

    def spill_effects(self) -> None:
        """Spill what may trap or calls: a branch may leave it behind unevaluated."""
        self.spill_conflicting(TRAPS)

    def spill_all(self) -> None:
        """Spill every operand."""
        for index in range(min(self._evaluated, len(self.stack)), len(self.stack)):
            self.spill(index)
        self._evaluated = len(self.stack)

    def simplify(self, index: int) -> None:
        """Make the operand at `index` (negative, from the top) a variable or a constant."""
        operand = self.stack[index]
        if operand.precedence != ATOM or operand.effects or operand.size > 1:
            self.spill(len(self.stack) + index)

    # Statements

    def assign_slot(
        self,
        text: str,
        low: int = 0,
        high: int = 0,
        *,
        comma: bool = False,
        effects: int = TRAPS,
    ) -> None:
        """Write the assignment of a result to the variable of its height, and push that.

        Args:
            text: the result; its operands have been popped.
            low: the least integer that it can be.
            high: the largest.
            comma: whether `text` gives a tuple with the result as its only item.
            effects: those of `text`.
        """
        height = len(self.stack)
        bit = _slot_bit(height)
        self.spill_conflicting(effects, bit)
        name = f"s{height}"
        self._last_line = self._lines.write(f"{name}{', =' if comma else ' ='} {text}")
        self.last_spilled = name
        self.push(Expression(name, ATOM, low, high, 0, bit))

    def write_effect(self, text: str) -> None:
        """Write a statement that changes what other code can see."""
        self.spill_conflicting(CALLS)
        self._lines.write(text)

    def read_state(self, text: str, before: int = 0, effects: int = READS) -> str:
        """Return the text of state that an instruction reads when it has all of its operands.

        Python evaluates it before the operands whose texts stand behind it: those that may trap or
        change the state are spilled.

        Args:
            text: a segment, an element, a byte of memory, or an expression that reads such.
            before: how many of the topmost operands stand behind it.
            effects: those of `text`.
        """
        self.spill_topmost(before, effects)
        return text

    def rename_last(self, name: str, variable: int) -> bool:
        """Let the last line assign another variable than `last_spilled`, if that is all it does.

        The operand that it spilled has been popped.

        Args:
            name: the variable to assign instead.
            variable: its bit: no operand may read it.

        Returns:
            Whether it was possible.
        """
        line, lines = self._last_line, self._lines
        if line is None or line.text is None:
            return False
        if line is not lines.written[-1] or line.indent != lines.indent:
            return False
        if any(operand.reads & variable for operand in self.stack[self._evaluated :]):
            return False
        line.text = name + line.text[len(self.last_spilled) :]
        return True
