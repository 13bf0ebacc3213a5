"""Python expressions for the operands of WebAssembly instructions.

An `Expression` is text that has not been written yet, with the bounds of its value, and with what
must not change before it is evaluated. Its text has the fewest parentheses and masks.

Variables hold integers unsigned, but an expression may stand for its value *modulo* the width of
its type: `low` and `high` bound what the text evaluates to. An instruction that needs the value
itself calls `unsigned` or `signed`, which add a mask only where the bounds demand it.
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
    "quotient",
    "signed",
    "spelled",
    "traced",
    "trailing_zeros",
    "unsigned",
    "wide_enough",
]

#: The precedence of Python's operators.
TERNARY, NOT, COMPARISON, OR, XOR, AND, SHIFT, ADD, MULTIPLY, UNARY, ATOM = range(11)

#: Expressions of more nodes than this are spilled: CPython's parser and compiler recurse.
LARGEST = 24

#: The largest value of each integer type.
HIGHEST = {ValType.I32: (1 << 32) - 1, ValType.I64: (1 << 64) - 1}

#: Bounds of what needs no mask yet: past three digits of a Python int arithmetic becomes slow.
_FAR = 1 << 68


# The effects of evaluating an expression, a bit for each. Not an enumeration: arithmetic on its
# members is slow.
#: Evaluating it may trap.
TRAPS = 1
#: It reads memory, a table or a global, which may change.
READS = 2
#: It calls a function.
CALLS = 4


class Expression:
    """A Python expression that evaluates to a value.

    Attributes:
        text: Python source.
        precedence: of its outermost operator.
        low, high: bounds of an integer that `text` evaluates to.
        effects: `TRAPS`, `READS` and `CALLS`, as far as they hold.
        reads: which variables it reads, a bit for each.
        size: how many nodes it has.
        step: of a variable plus or minus a small constant: the width of its type, the variable, the
            constant, and the condition under which the sum needs no mask. It compares small ints,
            as CPython does that fastest.
        origin: of a local plus or minus constants, modulo the width of its type: the local, and the
            sum of the constants.
        zeros: how many of the value's lowest bits are zero, as far as that is known.
        terms: of a sum, a difference, a product, a shift or a mask: the left operand, the operator,
            and the right operand; see `quotient`.
        inverse: the text of its logical negation, at the precedence of a comparison, if there is
            one shorter than `not`.
    """

    __slots__ = (
        "effects",
        "high",
        "inverse",
        "low",
        "origin",
        "precedence",
        "reads",
        "size",
        "step",
        "terms",
        "text",
        "zeros",
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
        self.step: tuple[int, str, int, str] | None = None
        self.origin: tuple[int, int] | None = None
        self.zeros = 0
        self.terms: tuple[Expression, str, Expression] | None = None

    @property
    def value(self) -> int | None:
        """The integer that it is, if that is known."""
        return self.low if self.low == self.high and self.size == 0 else None

    def __repr__(self) -> str:
        return f"<Expression {self.text}: {self.low}..{self.high}>"


def constant(value: int) -> Expression:
    """Make the expression of an integer; its `size` of 0 marks it as known."""
    if 0 <= value < 1024 and _small:
        return _small[value]
    precedence = ATOM if value >= 0 else UNARY
    text = str(value) if -65536 < value < 65536 else hex(value)
    result = Expression(text, precedence, value, value, size=0)
    result.zeros = trailing_zeros(value)
    return result


def trailing_zeros(value: int) -> int:
    """Return how many of the lowest bits of an integer are zero; 64 of zero itself."""
    return (value & -value).bit_length() - 1 if value else 64


_small: list[Expression] = []
_small = [constant(value) for value in range(1024)]


def opaque(
    text: str, *operands: Expression, effects: int = 0, precedence: int = ATOM
) -> Expression:
    """Make an expression of no known bounds, whose text already has the operands' texts."""
    reads = 0
    size = 1
    for operand in operands:
        effects |= operand.effects
        reads |= operand.reads
        size += operand.size
    return Expression(text, precedence, 0, 0, effects, reads, size)


def spelled(operand: Expression, precedence: int) -> str:
    """Return an operand's text, in parentheses where a context of that precedence needs them."""
    return operand.text if operand.precedence >= precedence else f"({operand.text})"


def binary(
    a: Expression, operator: str, b: Expression, precedence: int, low: int, high: int
) -> Expression:
    """Make `a operator b`, for an operator that groups to the left."""
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


def quotient(operand: Expression, shift: int, plus: int = 0) -> Expression:
    """Make `operand + plus >> shift`, of two multiples of 1 << shift, with the fewest operations.

    What a shift to the left or a product has multiplied is not multiplied, and the shift of a mask
    masks the quotient.
    """
    if operand.size == 0:
        return constant(operand.low + plus >> shift)
    result = None
    if operand.terms is not None:
        a, operator, b = operand.terms
        if operator in "+-" and a.zeros >= shift and b.zeros >= shift:
            if b.size == 0:
                return quotient(a, shift, plus + b.low if operator == "+" else plus - b.low)
            if _divides(a, shift) or _divides(b, shift):
                a, b = quotient(a, shift), quotient(b, shift)
                low, high = (a.low + b.low, a.high + b.high)
                if operator == "-":
                    low, high = a.low - b.high, a.high - b.low
                result = binary(a, operator, b, ADD, low, high)
        elif operator == "&":
            result, mask = quotient(a, shift), b.low >> shift
            if result.low < 0 or result.high & ~mask or mask & mask + 1:
                result = binary(result, "&", constant(mask), AND, 0, mask)
        elif operator == "<<" and b.low >= shift:
            count = b.low - shift
            result = a
            if count:
                b = constant(count)
                result = binary(a, "<<", b, SHIFT, a.low << count, a.high << count)
        elif operator == "*" and b.zeros >= shift:
            b = constant(b.low >> shift)
            bounds = sorted((a.low * b.low, a.high * b.low))
            result = a if b.low == 1 else binary(a, "*", b, MULTIPLY, *bounds)
    if result is None:
        low, high = operand.low >> shift, operand.high >> shift
        result = binary(operand, ">>", constant(shift), SHIFT, low, high)
    distance = plus >> shift
    if distance:
        sign = "+" if distance > 0 else "-"
        low, high = result.low + distance, result.high + distance
        result = binary(result, sign, constant(abs(distance)), ADD, low, high)
    return result


def _divides(operand: Expression, shift: int) -> bool:
    """Return whether a quotient takes no more operations than the operand."""
    if operand.size == 0:
        return True
    if operand.terms is None:
        return False
    a, operator, b = operand.terms
    match operator:
        case "<<":
            return b.low >= shift
        case "*":
            return b.zeros >= shift
        case "&":
            return _divides(a, shift)
        case _:
            return _divides(a, shift) and _divides(b, shift)


def compared(a: Expression, operator: str, b: Expression, inverse: str) -> Expression:
    """Make a comparison of integers, which is also the number 0 or 1."""
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
    """Make a call of a function of `namespace`."""
    text = f"{name}({', '.join([operand.text for operand in operands])})"
    result = opaque(text, *operands, effects=effects)
    result.low = low
    result.high = high
    return result


def unsigned(operand: Expression, bits: int) -> Expression:
    """Return the same value as an int from 0 up to 2 ** bits."""
    mask = (1 << bits) - 1
    if operand.low >= 0 and operand.high <= mask:
        return operand
    if operand.size == 0:
        return constant(operand.low & mask)
    text = operand.text if operand.precedence >= AND else f"({operand.text})"
    masked = Expression(
        f"{text} & {mask:#x}",
        AND,
        0,
        mask,
        operand.effects,
        operand.reads,
        operand.size + 1,
    )
    masked.origin = operand.origin
    masked.zeros = operand.zeros
    masked.terms = operand, "&", constant(mask)
    return masked


def signed(operand: Expression, bits: int) -> Expression:
    """Return the same value as an int from -2 ** (bits - 1) up to 2 ** (bits - 1)."""
    sign = 1 << (bits - 1)
    if operand.low >= -sign and operand.high < sign:
        return operand
    operand = unsigned(operand, bits)
    if operand.size == 0:
        return constant(operand.low - 2 * sign if operand.low & sign else operand.low)
    text = operand.text if operand.precedence >= XOR else f"({operand.text})"
    result = Expression(
        f"({text} ^ {sign:#x}) - {sign:#x}",
        ADD,
        -sign,
        sign - 1,
        operand.effects,
        operand.reads,
        operand.size + 2,
    )
    # The sign is the last bit but none of those that are known to be zero.
    result.zeros = min(operand.zeros, bits - 1)
    return result


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
    """Return the same value modulo 2 ** bits, so near to zero that arithmetic on it is fast."""
    if operand.low >= -_FAR and operand.high <= _FAR:
        return operand
    return unsigned(operand, bits)


def condition(operand: Expression, bits: int = 32) -> Expression:
    """Return an expression that is true in Python where the value is not zero."""
    limit = 1 << bits
    if operand.low > -limit and operand.high < limit:
        return operand
    return unsigned(operand, bits)


def negated(operand: Expression, bits: int = 32) -> Expression:
    """Return an expression that is 1 where the value is zero, and 0 elsewhere."""
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
    """Mark a text as coming from the instruction at an offset."""
    return f"{OPEN}{offset}{MIDDLE}{text}{CLOSE}"
