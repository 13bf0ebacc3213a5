"""The Python function that is being written: its lines, its variables and its operand stack.

Instructions of one function push expressions and take them; what leaves is lines of source. The
operand stack (section 4.2.13) exists only here, while translating: an operand stays an expression
until something would change what it reads, or until the order of traps and side effects demands
that it be evaluated. Then it is put in the variable of its height, `s0`, `s1` and so on.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any, NamedTuple

from purewasm_plugins.engine.translator.control import LOCAL_BITS, Bounds, local_bit
from purewasm_plugins.engine.translator.expressions import (
    ATOM,
    CALLS,
    LARGEST,
    READS,
    TRAPS,
    Expression,
    traced,
    unsigned,
)
from purewasm_plugins.errors import ResourceLimitError
from purewasm_plugins.wasm.module import Module
from purewasm_plugins.wasm.types import FuncType, ValType

__all__ = [
    "AFTER",
    "ANY_EFFORT",
    "DEFAULTS",
    "Effort",
    "Naming",
    "TooDeep",
    "Writer",
    "as_value",
    "integer_bits",
]

#: What nesting needs a function to be written flattened.
MOST_INDENTED = 90
MOST_LOOPS = 18

#: How many operands may wait unevaluated: each change of a variable looks at all of them.
_MOST_WAITING = 24

#: The text of the default value of each type (section 4.2.1).
DEFAULTS: dict[ValType, str] = {
    ValType.I32: "0",
    ValType.I64: "0",
    ValType.F32: "0.0",
    ValType.F64: "0.0",
    ValType.V128: repr(bytes(16)),
    ValType.FUNCREF: "None",
    ValType.EXTERNREF: "None",
}

_HIGHEST = {ValType.I32: (1 << 32) - 1, ValType.I64: (1 << 64) - 1}

#: What each mask of effects must not overtake; see `Writer.make_way`.
AFTER = [0] * 8
for _effects in range(8):
    if _effects & CALLS:
        AFTER[_effects] = TRAPS | READS | CALLS
    elif _effects & TRAPS:
        AFTER[_effects] = TRAPS | CALLS
    elif _effects & READS:
        AFTER[_effects] = CALLS


def _slot_bit(height: int) -> int:
    """The bit of the variable of a height, in a set of variables; see `local_bit`."""
    return 1 << LOCAL_BITS + height % LOCAL_BITS


class TooDeep(Exception):
    """The function nests deeper than CPython allows."""


def integer_bits(type: ValType) -> int:
    """The width of an integer type, 0 for others."""
    return 32 if type is ValType.I32 else 64 if type is ValType.I64 else 0


def as_value(operand: Expression, type: ValType) -> Expression:
    """The operand as a variable holds it: an integer unsigned and within its width."""
    return unsigned(operand, integer_bits(type)) if type in _HIGHEST else operand


class Naming:
    """What variables and functions are called in the source."""

    def function(self, index: int) -> str:
        """A function of the module."""
        return f"f{index}"

    def local(self, index: int) -> str:
        """A local of the function that is being written."""
        return f"l{index}"

    def variable(self, index: int) -> str:
        """A global of the module."""
        return f"g{index}"


def _go_on(seconds: float) -> None:
    pass


class Effort(NamedTuple):
    """What translating a function may take.

    Attributes:
        characters: of Python, indentation aside; None for any number.
        look: called now and then with the seconds that will pass until the next time; raises what
            ends the call.
    """

    characters: int | None = None
    look: Callable[[float], None] = _go_on

    def check(self, characters: int) -> None:
        """Refuse to write so many characters.

        Raises:
            ResourceLimitError: they are too many.
        """
        if self.characters is not None and characters > self.characters:
            raise ResourceLimitError("translated_characters", characters, self.characters)


ANY_EFFORT = Effort()

_NOTHING: list[str] = []


class Line:
    """A line of source.

    Attributes:
        indent: levels of indentation.
        text: None where it turned out not to be needed.
        offset: of the instruction that it comes from.
        after: of an audited function, what is checked behind it; `{}` is the variable it assigns.
    """

    __slots__ = ("after", "indent", "offset", "text")

    def __init__(self, indent: int, text: str | None, offset: int) -> None:
        self.after: list[str] = _NOTHING
        self.indent = indent
        self.text = text
        self.offset = offset


class Writer:
    """Writes one function.

    Attributes:
        module, type: the function's module and its type.
        effort: what writing it may take.
        characters: how many have been written.
        lines: what has been written.
        indent: levels of indentation of the next line.
        stack: the operands.
        offset: of the instruction that is being translated.
        live: whether execution can reach this point.
    """

    def __init__(
        self,
        module: Module,
        type: FuncType,
        locals: list[ValType],
        naming: Naming,
        *,
        located: bool,
        metered: bool,
        effort: Effort,
    ) -> None:
        self.module = module
        self.type = type
        self.locals = locals
        self.naming = naming
        self.located = located
        self.metered = metered
        self.effort = effort
        self.characters = 0
        self._most_characters = sys.maxsize if effort.characters is None else effort.characters
        self.lines: list[Line] = []
        self.indent = 1
        self.stack: list[Expression] = []
        self.offset = 0
        self.live = True
        #: How many Python loops are open that may run more than once.
        self.repeats = 0
        #: How many statements with a body are open: code outside of all runs exactly once.
        self.nesting = 0
        #: Operands below this height are variables or constants.
        self._settled = 0
        #: The line that assigned the variable of a height, if it is the last one.
        self._fresh: tuple[int, int] = (-1, -1)
        self.names = [naming.local(index) for index in range(len(locals))]
        self._plain = [
            Expression(name, ATOM, 0, _HIGHEST.get(type, 0), 0, local_bit(index))
            for index, (name, type) in enumerate(zip(self.names, locals, strict=True))
        ]
        #: What a `local.get` pushes: with the bounds of the value that was set last.
        self._known = list(self._plain)
        #: The locals whose bounds are closer than those of their types, by their bits.
        self._narrowed: dict[int, set[int]] = {}
        self._narrowed_bits = 0
        #: Counters that are kept as signed ints while their loop runs.
        self._signed: set[int] = set()
        self._touched = bytearray(len(locals))
        self._set_first: set[int] = set()
        #: Globals that are assigned, which Python wants declared.
        self.assigned_globals: set[int] = set()

    # Lines

    def write(self, text: str) -> None:
        """A line of source at the present indentation.

        Raises:
            ResourceLimitError: the function is longer than `effort` allows.
        """
        self.characters += len(text)
        if self.characters > self._most_characters:
            self.effort.check(self.characters)
        self.lines.append(Line(self.indent, text, self.offset))

    def reserve(self) -> Line:
        """A line that may get a text later."""
        line = Line(self.indent, None, self.offset)
        self.lines.append(line)
        return line

    def deeper(self) -> None:
        """Indent what follows."""
        self.indent += 1
        self.nesting += 1
        if self.indent > MOST_INDENTED:
            raise TooDeep

    def shallower(self, levels: int = 1) -> None:
        """Back by some levels; a body that is empty gets its `pass`."""
        last = self.lines[-1]
        if last.text is None or last.text.endswith(":"):
            self.write("pass")
        self.indent -= levels
        self.nesting -= levels
        # The last line ran on one of the ways to here, not on each.
        self._fresh = (-1, -1)

    def trace(self, text: str) -> str:
        """The text of what may trap; marked, where positions are wanted."""
        return traced(text, self.offset) if self.located else text

    # Operands

    def push(self, operand: Expression) -> None:
        """Push an operand."""
        stack = self.stack
        stack.append(operand)
        height = len(stack)
        if height <= self._settled:
            self._settled = height - 1
        elif height - self._settled > _MOST_WAITING:
            for index in range(self._settled, height):
                self.spill(index)
            self._settled = height
        if operand.size > LARGEST:
            self.spill(height - 1)

    def pop(self) -> Expression:
        """Take the topmost operand."""
        return self.stack.pop()

    def pop_unsigned(self, bits: int = 32) -> Expression:
        """Take the topmost operand, an integer, as an unsigned int."""
        return unsigned(self.stack.pop(), bits)

    def take(self, count: int) -> list[Expression]:
        """Take the topmost operands, topmost last."""
        if not count:
            return []
        taken = self.stack[-count:]
        del self.stack[-count:]
        return taken

    def take_typed(self, types: tuple[ValType, ...]) -> list[Expression]:
        """Take operands of these types, integers as unsigned ints."""
        return [
            as_value(operand, type)
            for operand, type in zip(self.take(len(types)), types, strict=True)
        ]

    def slot(self, height: int, type: ValType | None = None) -> Expression:
        """The variable that holds the operand at a height."""
        high = 0 if type is None else _HIGHEST.get(type, 0)
        return Expression(f"s{height}", ATOM, 0, high, 0, _slot_bit(height))

    def make_way(self, effects: int, variable: int = 0) -> None:
        """Evaluate the operands that must come before a statement.

        Args:
            effects: those of the statement.
            variable: the bit of the variable that it assigns.
        """
        after = AFTER[effects]
        if not (after or variable):
            return
        stack = self.stack
        for index in range(min(self._settled, len(stack)), len(stack)):
            operand = stack[index]
            if operand.effects & after or operand.reads & variable:
                self.spill(index)

    def spill(self, index: int, type: ValType | None = None, force: bool = False) -> None:
        """Put the operand at a height into its variable.

        Args:
            index: the height.
            type: where given, an integer of that type is made unsigned.
            force: do so with a constant, too.
        """
        stack = self.stack
        operand = stack[index]
        if type in _HIGHEST:
            operand = unsigned(operand, 32 if type is ValType.I32 else 64)
        if operand.size == 0 and not force:
            stack[index] = operand
            return
        name = f"s{index}"
        if operand.text == name:
            return
        bit = _slot_bit(index)
        after = AFTER[operand.effects]
        for below in range(min(self._settled, index), index):
            other = stack[below]
            if other.effects & after or (other.reads & bit and other.text != f"s{below}"):
                self.spill(below)
        self._fresh = (len(self.lines), index)
        self.write(f"{name} = {operand.text}")
        stack[index] = Expression(name, ATOM, operand.low, operand.high, 0, bit)

    def simplify(self, index: int) -> None:
        """Make the operand at `index` (negative, from the top) a variable or a constant."""
        operand = self.stack[index]
        if operand.precedence != ATOM or operand.effects or operand.size > 1:
            self.spill(len(self.stack) + index)

    def spill_all(self) -> None:
        """Evaluate every operand."""
        for index in range(min(self._settled, len(self.stack)), len(self.stack)):
            self.spill(index)
        self._settled = len(self.stack)

    def assign_slot(
        self,
        text: str,
        low: int = 0,
        high: int = 0,
        *,
        comma: bool = False,
        effects: int = TRAPS,
    ) -> None:
        """Push what a statement gives: `text` is evaluated at once.

        The operands that it was made of have been taken.
        """
        height = len(self.stack)
        bit = _slot_bit(height)
        self.make_way(effects, bit)
        self._fresh = (len(self.lines), height)
        self.write(f"s{height}{', =' if comma else ' ='} {text}")
        self.push(Expression(f"s{height}", ATOM, low, high, 0, bit))

    def state(self, text: str, before: int = 0, effects: int = READS) -> str:
        """Name state that an instruction reads or writes when it has all of its operands.

        Python comes to the name before it evaluates operands whose texts stand behind it: those
        that may trap or change the state are evaluated now.

        Args:
            text: a segment, an element, a byte of memory, or an expression that reads such.
            before: how many of the topmost operands stand behind it.
            effects: those of `text`.
        """
        self.overtake(before, effects)
        return text

    def overtake(self, count: int, effects: int) -> None:
        """Python evaluates something before the topmost operands: those that come first go now."""
        after = AFTER[effects]
        for index in range(len(self.stack) - count, len(self.stack)):
            if self.stack[index].effects & after:
                self.spill(index)

    def statement(self, text: str) -> None:
        """A statement that changes what others can see."""
        self.make_way(CALLS)
        self.write(text)

    def settle_effects(self) -> None:
        """Evaluate what may trap or calls: a branch may leave it behind unevaluated."""
        self.make_way(TRAPS)

    # Locals

    def get_local(self, index: int) -> None:
        """`local.get`."""
        self._touched[index] = 1
        self.push(self._known[index])

    def set_local(self, index: int) -> None:
        """`local.set`."""
        if not self._touched[index]:
            self._touched[index] = 1
            if not self.nesting:
                self._set_first.add(index)
        type = self.locals[index]
        operand = self.stack.pop()
        if type in _HIGHEST and index not in self._signed:
            bare, step, bits = operand.text, operand.step, integer_bits(type)
            operand = unsigned(operand, bits)
            if self.repeats and step is not None and step[0] == bits and operand.text != bare:
                # A counter seldom leaves the small ints, where comparing is cheaper than masking.
                operand.text = f"{bare} if {step[1]} else {operand.text}"
        bit = local_bit(index)
        name = self.names[index]
        text = operand.text
        if text != name:
            line, height = self._fresh
            if line == len(self.lines) - 1 and text == f"s{height}" and not self._is_read(bit):
                last = self.lines[line]
                if last.text is not None:
                    last.text = name + last.text[len(text) :]
            else:
                self.make_way(operand.effects, bit)
                self.write(f"{name} = {text}")
        self._know(index, operand.low, operand.high)

    def _is_read(self, variable: int) -> bool:
        return any(operand.reads & variable for operand in self.stack[self._settled :])

    def tee_local(self, index: int) -> None:
        """`local.tee`."""
        operand = self.stack[-1]
        if operand.size == 0:
            self.set_local(index)
            self.push(operand)
        else:
            self.set_local(index)
            self.push(self._known[index])

    def _know(self, index: int, low: int, high: int) -> None:
        plain = self._plain[index]
        if low > plain.low or high < plain.high:
            self._known[index] = Expression(plain.text, ATOM, low, high, 0, plain.reads)
            bit = local_bit(index)
            self._narrowed_bits |= bit
            self._narrowed.setdefault(bit, set()).add(index)
        else:
            self._widen(index)

    def _widen(self, index: int) -> None:
        """Of a local, only what its type says is known."""
        if self._known[index] is self._plain[index]:
            return
        self._known[index] = self._plain[index]
        narrowed = self._narrowed.get(local_bit(index))
        if narrowed is not None:
            narrowed.discard(index)

    def bounds(self, index: int) -> tuple[int, int]:
        """Those of a local, here."""
        known = self._known[index]
        return known.low, known.high

    def narrowed(self, assigned: int) -> list[int]:
        """Which of some locals, by their bits, have bounds closer than those of their types."""
        found: list[int] = []
        bits = self._narrowed_bits & assigned
        while bits:
            bit = bits & -bits
            bits ^= bit
            found += self._narrowed[bit]
        return sorted(found)

    def count(self, bounds: list[Bounds]) -> list[tuple[Bounds, Expression]]:
        """Believe the bounds of locals until a loop ends; what is returned is for `discount`."""
        before = []
        for bound in bounds:
            index = bound.local
            plain = self._plain[index]
            before.append((bound, plain))
            if bound.least < 0:
                self._signed.add(index)
                self._count_from(index, bound.low)
            self._plain[index] = Expression(
                plain.text, ATOM, bound.least, bound.most, 0, plain.reads
            )
            self._know(index, bound.low, bound.high)
        return before

    def _count_from(self, index: int, start: int) -> None:
        """Write a constant below zero to a local, in place of the same without sign."""
        last = self.lines[-1]
        name = self.names[index]
        if last.indent == self.indent and last.text == f"{name} = {start & 0xFFFFFFFF:#x}":
            last.text = f"{name} = {start}"
        else:
            self.write(f"{name} = {start}")

    def discount(self, before: list[tuple[Bounds, Expression]]) -> None:
        """The loop has ended."""
        for bound, plain in before:
            self._plain[bound.local] = plain
            self._widen(bound.local)
            self._signed.discard(bound.local)

    def forget(self, assigned: int) -> None:
        """Forget the bounds of locals, by their bits: they may have been set on the way here."""
        for index in self.narrowed(assigned):
            self._widen(index)
        self._narrowed_bits &= ~assigned

    def forget_all(self) -> None:
        """Forget the bounds of all locals."""
        self.forget(-1)

    def initial_locals(self) -> list[str]:
        """The statements that give locals their default values, where anybody may see them."""
        groups: dict[str, list[str]] = {}
        for index in range(len(self.type.params), len(self.locals)):
            if self._touched[index] and index not in self._set_first:
                groups.setdefault(DEFAULTS[self.locals[index]], []).append(self.names[index])
        return [
            f"{' = '.join(names[start : start + 32])} = {default}"
            for default, names in groups.items()
            for start in range(0, len(names), 32)
        ]

    def value(self, type: ValType, text: str, effects: int = 0, precedence: int = ATOM) -> Any:
        """An expression of any value of a type."""
        return Expression(text, precedence, 0, _HIGHEST.get(type, 0), effects)
