"""Python expressions in the making, and the operand stack that holds them (section 4.2.13).

What enters are operands of WebAssembly instructions; what leaves is Python source text with the
fewest parentheses and masks. An `Expression` is text that has not been evaluated yet, with what is
known of its value and with what must not change before it is evaluated.

Integers are unsigned where anybody can see them, but an expression may stand for its value *modulo*
the width of its type: `low` and `high` bound what the text really evaluates to, and whoever needs
the value itself asks for `unsigned` or `signed`, which add a mask only where the bounds demand it.
"""

from __future__ import annotations

from purewasm_plugins.wasm.types import ValType

__all__ = [
    "ADD",
    "AND",
    "ATOM",
    "CALLS",
    "COMPARISON",
    "HIGHEST",
    "LARGEST",
    "MULTIPLY",
    "NOT",
    "OR",
    "READS",
    "SHIFT",
    "TERNARY",
    "TRAPS",
    "UNARY",
    "XOR",
    "Expression",
    "any_value",
    "as_value",
    "binary",
    "call",
    "compared",
    "condition",
    "constant",
    "integer_bits",
    "negated",
    "opaque",
    "signed",
    "spelled",
    "traced",
    "unsigned",
    "wide_enough",
]

#: How tightly Python's operators bind.
TERNARY, NOT, COMPARISON, OR, XOR, AND, SHIFT, ADD, MULTIPLY, UNARY, ATOM = range(11)

#: Expressions of more nodes than this are evaluated at once: CPython's parser and compiler recurse.
LARGEST = 24

#: The largest value of each integer type.
HIGHEST = {ValType.I32: (1 << 32) - 1, ValType.I64: (1 << 64) - 1}

#: Bounds of what may go unmasked: past three digits of a Python int arithmetic becomes slow.
_FAR = 1 << 68


# What an expression does when it is evaluated, beside giving a value: a bit for each. No
# enumeration, as arithmetic on the members of one is slow.
#: Evaluating it may trap.
TRAPS = 1
#: It reads memory, a table or a global, which may change.
READS = 2
#: It calls a function.
CALLS = 4


class Expression:
    """Text that evaluates to a value.

    Attributes:
        text: Python source.
        precedence: of its outermost operator.
        low, high: bounds of an integer that `text` evaluates to.
        effects: `TRAPS`, `READS` and `CALLS`, as far as they hold.
        reads: which variables it reads, a bit for each.
        size: how many nodes it has.
        step: where it is a variable of as many bits plus or minus a small constant: the width, and
            the condition under which the sum needs no mask, in small ints only, which CPython
            compares fastest.
        inverse: the text of its logical negation, at the precedence of a comparison, where there
            is one shorter than `not`.
    """

    __slots__ = (
        "effects",
        "high",
        "inverse",
        "low",
        "precedence",
        "reads",
        "size",
        "step",
        "text",
    )

    def __init__(
        self,
        text: str,
        precedence: int = ATOM,
        low: int = 0,
        high: int = 0,
        effects: int = 0,
        reads: int = 0,
        size: int = 1,
        inverse: str | None = None,
    ) -> None:
        self.text = text
        self.precedence = precedence
        self.low = low
        self.high = high
        self.effects = effects
        self.reads = reads
        self.size = size
        self.inverse = inverse
        self.step: tuple[int, str] | None = None

    @property
    def value(self) -> int | None:
        """The integer that it is, where that is known."""
        return self.low if self.low == self.high and self.size == 0 else None

    def __repr__(self) -> str:
        return f"<Expression {self.text}: {self.low}..{self.high}>"


_small = [Expression(str(value), ATOM, value, value, size=0) for value in range(1024)]


def constant(value: int) -> Expression:
    """An integer; `size` 0 marks it as known."""
    if 0 <= value < 1024:
        return _small[value]
    precedence = ATOM if value >= 0 else UNARY
    text = str(value) if -65536 < value < 65536 else hex(value)
    return Expression(text, precedence, value, value, size=0)


def opaque(
    text: str, *operands: Expression, effects: int = 0, precedence: int = ATOM
) -> Expression:
    """An expression of no integer, made of operands that its text already holds."""
    reads = 0
    size = 1
    for operand in operands:
        effects |= operand.effects
        reads |= operand.reads
        size += operand.size
    return Expression(text, precedence, 0, 0, effects, reads, size)


def spelled(operand: Expression, precedence: int) -> str:
    """Its text, in parentheses where the context binds as tightly as `precedence`."""
    return operand.text if operand.precedence >= precedence else f"({operand.text})"


def binary(
    a: Expression, operator: str, b: Expression, precedence: int, low: int, high: int
) -> Expression:
    """`a operator b`; the operators used group to the left."""
    left = a.text if a.precedence >= precedence else f"({a.text})"
    right = b.text if b.precedence > precedence else f"({b.text})"
    return Expression(
        f"{left} {operator} {right}",
        precedence,
        low,
        high,
        a.effects | b.effects,
        a.reads | b.reads,
        a.size + b.size + 1,
    )


def compared(a: Expression, operator: str, b: Expression, inverse: str) -> Expression:
    """A comparison of integers, which is also the number 0 or 1."""
    left = a.text if a.precedence > COMPARISON else f"({a.text})"
    right = b.text if b.precedence > COMPARISON else f"({b.text})"
    return Expression(
        f"{left} {operator} {right}",
        COMPARISON,
        0,
        1,
        a.effects | b.effects,
        a.reads | b.reads,
        a.size + b.size + 1,
        f"{left} {inverse} {right}",
    )


def call(
    name: str, *operands: Expression, low: int = 0, high: int = 0, effects: int = 0
) -> Expression:
    """A call of a function of the runtime."""
    text = f"{name}({', '.join([operand.text for operand in operands])})"
    result = opaque(text, *operands, effects=effects)
    result.low = low
    result.high = high
    return result


def unsigned(operand: Expression, bits: int) -> Expression:
    """The same value as an int from 0 up to 2 ** bits."""
    mask = (1 << bits) - 1
    if operand.low >= 0 and operand.high <= mask:
        return operand
    if operand.size == 0:
        return constant(operand.low & mask)
    text = operand.text if operand.precedence >= AND else f"({operand.text})"
    return Expression(
        f"{text} & {mask:#x}",
        AND,
        0,
        mask,
        operand.effects,
        operand.reads,
        operand.size + 1,
    )


def signed(operand: Expression, bits: int) -> Expression:
    """The same value as an int from -2 ** (bits - 1) up to 2 ** (bits - 1)."""
    sign = 1 << (bits - 1)
    if operand.low >= -sign and operand.high < sign:
        return operand
    operand = unsigned(operand, bits)
    if operand.size == 0:
        return constant(operand.low - 2 * sign if operand.low & sign else operand.low)
    text = operand.text if operand.precedence >= XOR else f"({operand.text})"
    return Expression(
        f"({text} ^ {sign:#x}) - {sign:#x}",
        ADD,
        -sign,
        sign - 1,
        operand.effects,
        operand.reads,
        operand.size + 2,
    )


def integer_bits(type: ValType) -> int:
    """Return the width of an integer type, 0 for others."""
    return 32 if type is ValType.I32 else 64 if type is ValType.I64 else 0


def as_value(operand: Expression, type: ValType) -> Expression:
    """Return the operand as a variable holds it: an integer unsigned and within its width."""
    return unsigned(operand, integer_bits(type)) if type in HIGHEST else operand


def any_value(type: ValType, text: str, effects: int = 0) -> Expression:
    """Make an expression that may have every value of a type."""
    return Expression(text, ATOM, 0, HIGHEST.get(type, 0), effects)


def wide_enough(operand: Expression, bits: int) -> Expression:
    """The same value modulo 2 ** bits, not so far from zero that arithmetic on it gets slow."""
    if operand.low >= -_FAR and operand.high <= _FAR:
        return operand
    return unsigned(operand, bits)


def condition(operand: Expression, bits: int = 32) -> Expression:
    """An expression that is true in Python where the value is not zero."""
    limit = 1 << bits
    if operand.low > -limit and operand.high < limit:
        return operand
    return unsigned(operand, bits)


def negated(operand: Expression, bits: int = 32) -> Expression:
    """An expression that is true in Python where the value is zero: 1 there, and 0 elsewhere."""
    operand = condition(operand, bits)
    if operand.inverse is not None:
        text, inverse = operand.inverse, operand.text
        precedence = NOT if text.startswith("not ") else COMPARISON
    else:
        text, precedence = f"not {spelled(operand, NOT)}", NOT
        inverse = None
        if operand.precedence >= COMPARISON and operand.low >= 0 and operand.high <= 1:
            inverse = operand.text
    return Expression(
        text, precedence, 0, 1, operand.effects, operand.reads, operand.size + 1, inverse
    )


#: Around the text of what may trap, where positions are wanted: see `backtraces`.
OPEN, MIDDLE, CLOSE = "\x01", "\x02", "\x03"


def traced(text: str, offset: int) -> str:
    """Text marked as coming from the instruction at `offset`."""
    return f"{OPEN}{offset}{MIDDLE}{text}{CLOSE}"
