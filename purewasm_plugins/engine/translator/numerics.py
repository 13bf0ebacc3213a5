"""Numeric instructions (section 4.4.1): a table of how each becomes a Python expression.

A row has the function that builds the expression from those of the operands, and whether the
instruction may trap. What takes more than an expression is a call of a function of `namespace`. To
add an instruction, add its row here and its test.
"""

from __future__ import annotations

from purewasm_plugins.engine.translator.expressions import (
    ADD,
    AND,
    ATOM,
    COMPARISON,
    MULTIPLY,
    NOT,
    OR,
    SHIFT,
    TERNARY,
    UNARY,
    XOR,
    Expression,
    binary,
    call,
    compared,
    constant,
    negated,
    opaque,
    signed,
    spelled,
    unsigned,
    wide_enough,
)
from purewasm_plugins.support.light import NamedTuple
from purewasm_plugins.support.typed import Callable

__all__ = ["NUMERIC", "Row"]


class Row(NamedTuple):
    """The translation of one instruction.

    Attributes:
        build: makes the expression from those of the operands.
        operands: how many the instruction takes.
        simple: which of them `build` uses more than once, or not in order: those are variables or
            constants.
        traps: whether the instruction may trap.
        rounds: whether the value of the expression has to be rounded to the nearest f32.
    """

    build: Callable[..., Expression]
    operands: int
    simple: tuple[int, ...] = ()
    traps: bool = False
    rounds: bool = False


Unary = Callable[[Expression], Expression]
Binary = Callable[[Expression, Expression], Expression]


#: The ints of one digit of CPython's, and the constants whose sum with one is cheap to bound.
_SMALL, _SMALL_STEP = 1 << 30, 1 << 16


def _mask(bits: int) -> int:
    return (1 << bits) - 1


def _span(low: int, high: int) -> tuple[int, int]:
    """Return bounds of every int that has no more bits than these two."""
    bits = max(low.bit_length(), high.bit_length())
    return (-(1 << bits) if low < 0 else 0), (1 << bits) - 1


# Integers: instructions that need only the low bits of their operands.


def _add(bits: int) -> Binary:
    def build(a: Expression, b: Expression) -> Expression:
        if a.size == 0:
            if b.size == 0:
                return constant(a.low + b.low & _mask(bits))
            a, b = b, a
        a = wide_enough(a, bits)
        if b.size == 0:
            value = signed(b, bits).low
            if value == 0:
                return a
            operator, b = ("+", constant(value)) if value > 0 else ("-", constant(-value))
            result = binary(a, operator, b, ADD, a.low + value, a.high + value)
            result.zeros = min(a.zeros, b.zeros)
            result.terms = a, operator, b
            if a.origin is not None:
                result.origin = a.origin[0], a.origin[1] + value
            plain = a.size == 1 and not a.effects and a.low >= 0 and a.high <= _mask(bits)
            if plain and -_SMALL_STEP < value < _SMALL_STEP:
                least = f"< {_SMALL - _SMALL_STEP:#x}" if value > 0 else f">= {-value}"
                result.step = bits, a.text, value, f"{a.text} {least}"
            return result
        b = wide_enough(b, bits)
        result = binary(a, "+", b, ADD, a.low + b.low, a.high + b.high)
        result.zeros = min(a.zeros, b.zeros)
        result.terms = a, "+", b
        return result

    return build


def _subtract(bits: int) -> Binary:
    add = _add(bits)

    def build(a: Expression, b: Expression) -> Expression:
        if b.size == 0:
            return add(a, constant(-b.low & _mask(bits)))
        a, b = wide_enough(a, bits), wide_enough(b, bits)
        if a.size == 0 and a.low == 0 and b.size:
            result = Expression(
                f"-{spelled(b, UNARY)}", UNARY, -b.high, -b.low, b.effects, b.reads, b.size + 1
            )
            result.zeros = b.zeros
            return result
        result = binary(a, "-", b, ADD, a.low - b.high, a.high - b.low)
        result.zeros = min(a.zeros, b.zeros)
        result.terms = a, "-", b
        return result

    return build


def _multiply(bits: int) -> Binary:
    limit = 1 << 2 * bits

    def build(a: Expression, b: Expression) -> Expression:
        if a.size == 0:
            if b.size == 0:
                return constant(a.low * b.low & _mask(bits))
            # The operands change places only where one of them is a constant.
            a, b = b, a
        if b.size == 0:
            b = signed(b, bits)
        products = _products(a, b)
        if min(products) < -limit or max(products) > limit:
            a = unsigned(a, bits)
            b = b if b.size == 0 else unsigned(b, bits)
            products = _products(a, b)
        result = binary(a, "*", b, MULTIPLY, min(products), max(products))
        result.zeros = a.zeros + b.zeros
        if b.size == 0:
            result.terms = a, "*", b
        return result

    return build


def _products(a: Expression, b: Expression) -> tuple[int, int, int, int]:
    return a.low * b.low, a.low * b.high, a.high * b.low, a.high * b.high


def _and(bits: int) -> Binary:
    def build(a: Expression, b: Expression) -> Expression:
        if a.size == 0:
            if b.size == 0:
                return constant(a.low & b.low & _mask(bits))
            a, b = b, a
        b = b if b.size else unsigned(b, bits)
        tops = [operand.high for operand in (a, b) if operand.low >= 0]
        if b.size == 0 and a.low >= 0 and a.high & ~b.low == 0 and _is_mask(b.low):
            return a
        low, high = (0, min(tops)) if tops else _span(min(a.low, b.low), max(a.high, b.high))
        result = binary(a, "&", b, AND, low, high)
        result.zeros = max(a.zeros, b.zeros)
        if b.size == 0:
            result.terms = a, "&", b
        return result

    return build


def _is_mask(value: int) -> bool:
    return value & value + 1 == 0


def _bitwise(operator: str, precedence: int, bits: int) -> Binary:
    def build(a: Expression, b: Expression) -> Expression:
        if a.size == 0 and b.size == 0:
            value = a.low | b.low if operator == "|" else a.low ^ b.low
            return constant(value & _mask(bits))
        if a.size == 0:
            a, b = b, a
        if b.size == 0:
            if b.low == 0:
                return a
            if a.low < 0:
                b = signed(b, bits)
        low, high = _span(min(a.low, b.low), max(a.high, b.high))
        result = binary(a, operator, b, precedence, low, high)
        result.zeros = min(a.zeros, b.zeros)
        return result

    return build


def _shift_left(bits: int) -> Binary:
    def build(a: Expression, b: Expression) -> Expression:
        a = wide_enough(a, bits)
        if b.size == 0:
            count = b.low & bits - 1
            if count == 0:
                return a
            if a.size == 0:
                return constant(a.low << count & _mask(bits))
            b = constant(count)
            result = binary(a, "<<", b, SHIFT, a.low << count, a.high << count)
            result.zeros = a.zeros + count
            result.terms = a, "<<", b
            return result
        a = unsigned(a, bits)
        count_of = _count(b, bits)
        result = binary(a, "<<", count_of, SHIFT, 0, a.high << count_of.high)
        result.zeros = a.zeros
        return result

    return build


def _count(operand: Expression, bits: int) -> Expression:
    """Return a shift count, modulo the width."""
    if operand.low >= 0 and operand.high < bits:
        return operand
    return binary(operand, "&", constant(bits - 1), AND, 0, bits - 1)


def _shift_right(bits: int, view: Callable[[Expression, int], Expression]) -> Binary:
    def build(a: Expression, b: Expression) -> Expression:
        a = view(a, bits)
        if b.size == 0:
            count = b.low & bits - 1
            if count == 0:
                return a
            if a.size == 0:
                return constant(a.low >> count & _mask(bits))
            result = binary(a, ">>", constant(count), SHIFT, a.low >> count, a.high >> count)
            result.zeros = max(a.zeros - count, 0)
            return result
        return binary(a, ">>", _count(b, bits), SHIFT, min(a.low, 0), max(a.high, 0))

    return build


def _rotate(bits: int, left: bool) -> Binary:
    """Build a rotation that uses its operand once.

    A value times 2 ** bits + 1 has the value's bits twice, and a shift of that is a rotation.
    """

    def build(a: Expression, b: Expression) -> Expression:
        if b.size:
            return call(f"rot{'l' if left else 'r'}{bits}", unsigned(a, bits), b, high=_mask(bits))
        count = (bits - b.low if left else b.low) % bits
        if count == 0:
            return a
        doubled = binary(unsigned(a, bits), "*", constant(_mask(bits) + 2), MULTIPLY, 0, 1 << 130)
        return binary(doubled, ">>", constant(count), SHIFT, 0, (1 << 2 * bits - count) - 1)

    return build


# Integers: instructions that need the values of their operands.


def _equal(bits: int) -> Binary:
    def build(a: Expression, b: Expression) -> Expression:
        if b.size == 0 and b.low == 0:
            return negated(a, bits)
        return compared(unsigned(a, bits), "==", unsigned(b, bits), "!=")

    return build


def _differ(bits: int) -> Binary:
    def build(a: Expression, b: Expression) -> Expression:
        return compared(unsigned(a, bits), "!=", unsigned(b, bits), "==")

    return build


def _compare_unsigned(operator: str, inverse: str, bits: int) -> Binary:
    def build(a: Expression, b: Expression) -> Expression:
        return compared(unsigned(a, bits), operator, unsigned(b, bits), inverse)

    return build


def _compare_signed(operator: str, inverse: str, bits: int) -> Binary:
    sign = 1 << (bits - 1)
    top = sign - 1

    def build(a: Expression, b: Expression) -> Expression:
        if _fits_signed(a, sign) and (b.size == 0 or _fits_signed(b, sign)):
            return compared(a, operator, signed(b, bits), inverse)
        if b.size == 0 and a.size:
            return against(a, signed(b, bits).low)
        if (_fits_signed(a, sign) and a.size) or (_fits_signed(b, sign) and b.size):
            return compared(signed(a, bits), operator, signed(b, bits), inverse)
        if a.size == b.size == 1 and not a.effects | b.effects:
            return by_halves(unsigned(a, bits), unsigned(b, bits))
        return compared(biased(a), operator, biased(b), inverse)

    def by_halves(a: Expression, b: Expression) -> Expression:
        # If the signs differ, the unsigned order is the reverse. Comparing so takes half the time
        # of flipping two sign bits, which makes ints of two digits.
        alike = f"{spelled(a, XOR)} ^ {spelled(b, XOR + 1)} < {sign:#x}"
        left, right = spelled(a, COMPARISON + 1), spelled(b, COMPARISON + 1)
        positive, negative = (
            f"({left} {order} {right} if {alike} else {right} {order} {left})"
            for order in (operator, inverse)
        )
        return Expression(positive, ATOM, 0, 1, 0, a.reads | b.reads, 5, negative)

    def biased(operand: Expression) -> Expression:
        operand = unsigned(operand, bits)
        if operand.size == 0:
            return constant(operand.low ^ sign)
        return binary(operand, "^", constant(sign), XOR, 0, _mask(bits))

    def against(a: Expression, value: int) -> Expression:
        # As an unsigned int a negative number is a large one: the comparison is one with a range,
        # which CPython does faster than flipping a bit.
        a = unsigned(a, bits)
        less = operator in ("<", "<=")
        bound = value if operator in ("<", ">=") else value + 1
        # Now it is `a < bound` where `less`, else `a >= bound`.
        if bound == 0:
            return compared(
                a, *((">", constant(top), "<=") if less else ("<=", constant(top), ">"))
            )
        text = spelled(a, OR)
        if 0 < bound <= top:
            inside, outside = f"{bound} <= {text} <= {top:#x}", False
        elif -sign < bound < 0:
            inside, outside = f"{sign:#x} <= {text} < {bound & _mask(bits):#x}", True
        else:
            return compared(biased(a), operator, constant(value & _mask(bits) ^ sign), inverse)
        positive, negative = (inside, f"not {inside}")
        if less != outside:
            positive, negative = negative, positive
        precedence = NOT if positive.startswith("not ") else COMPARISON
        return Expression(positive, precedence, 0, 1, a.effects, a.reads, a.size + 2, negative)

    return build


def _fits_signed(operand: Expression, sign: int) -> bool:
    return operand.low >= -sign and operand.high < sign


def _divide(bits: int) -> Binary:
    def build(a: Expression, b: Expression) -> Expression:
        a = unsigned(a, bits)
        return binary(a, "//", unsigned(b, bits), MULTIPLY, 0, a.high)

    return build


def _remainder(bits: int) -> Binary:
    def build(a: Expression, b: Expression) -> Expression:
        b = unsigned(b, bits)
        return binary(unsigned(a, bits), "%", b, MULTIPLY, 0, max(b.high - 1, 0))

    return build


def _signed_division(name: str, operator: str, bits: int) -> Binary:
    sign = 1 << (bits - 1)

    def build(a: Expression, b: Expression) -> Expression:
        if a.low >= 0 and a.high < sign and b.low >= 0 and b.high < sign:
            return binary(a, operator, b, MULTIPLY, 0, a.high)
        return call(name, unsigned(a, bits), unsigned(b, bits), high=_mask(bits))

    return build


def _counted(name: str, bits: int) -> Unary:
    return lambda a: call(name, unsigned(a, bits), high=bits)


def _extend(from_bits: int) -> Unary:
    """Build the low bits as a signed value."""
    sign = 1 << (from_bits - 1)
    mask = _mask(from_bits)

    def build(a: Expression) -> Expression:
        if a.low >= -sign and a.high < sign:
            return a
        if a.low < 0 or a.high > mask:
            a = binary(a, "&", constant(mask), AND, 0, mask)
        flipped = binary(a, "^", constant(sign), XOR, 0, mask)
        return binary(flipped, "-", constant(sign), ADD, -sign, sign - 1)

    return build


# Floats.


def _float(operator: str, precedence: int) -> Binary:
    def build(a: Expression, b: Expression) -> Expression:
        return binary(a, operator, b, precedence, 0, 0)

    return build


def _float_divide(a: Expression, b: Expression) -> Expression:
    """Build a division; a zero needs a test, as Python raises an exception for it."""
    if b.size == 0 and float(b.text):
        return opaque(f"{spelled(a, MULTIPLY)} / {b.text}", a, b, precedence=MULTIPLY)
    text = f"{spelled(a, MULTIPLY)} / {b.text} if {b.text} else divide_by_zero({a.text}, {b.text})"
    return opaque(text, a, b, precedence=TERNARY)


def _float_compare(operator: str) -> Binary:
    def build(a: Expression, b: Expression) -> Expression:
        # With a NaN, both `<` and `>=` are false: only equality has an inverse.
        result = compared(a, operator, b, "!=" if operator == "==" else "==")
        if operator not in ("==", "!="):
            result.inverse = None
        return result

    return build


def _smaller(operator: str, name: str) -> Binary:
    """Build a minimum or maximum; a function handles equal operands and NaNs."""

    def build(a: Expression, b: Expression) -> Expression:
        text = f"{a.text} if {a.text} {operator} {b.text} else {name}({a.text}, {b.text})"
        return opaque(text, a, b, precedence=TERNARY)

    return build


def _float_function(name: str) -> Callable[..., Expression]:
    def build(*operands: Expression) -> Expression:
        return call(name, *operands)

    return build


def _square_root(a: Expression) -> Expression:
    return opaque(f"sqrt({a.text}) if {a.text} >= 0.0 else sqrt_of_negative({a.text})", a, a,
                  precedence=TERNARY)  # fmt: skip


def _negate_float(a: Expression) -> Expression:
    return opaque(f"-{spelled(a, UNARY)}", a, precedence=UNARY)


def _same(a: Expression) -> Expression:
    return a


def _promote(a: Expression) -> Expression:
    """Build `promote`: the product makes a signalling NaN quiet, and changes nothing else."""
    return opaque(f"{spelled(a, MULTIPLY)} * 1.0", a, precedence=MULTIPLY)


def _truncate(bits: int, low: str, high: str, view: bool) -> Unary:
    """Build `trunc` of a float; `low` and `high` are the floats just outside the range."""
    bounds = (-(1 << (bits - 1)), (1 << (bits - 1)) - 1) if view else (0, _mask(bits))

    def build(a: Expression) -> Expression:
        text = f"int({a.text}) if {low} {a.text} < {high} else not_an_integer({a.text})"
        result = opaque(text, a, precedence=TERNARY)
        result.low, result.high = bounds
        return result

    return build


def _truncate_saturating(name: str, bits: int) -> Unary:
    return lambda a: call(name, a, high=_mask(bits))


def _convert(bits: int, view: Callable[[Expression, int], Expression], name: str) -> Unary:
    return lambda a: opaque(f"{name}({view(a, bits).text})", view(a, bits))


def _reinterpret_to_integer(name: str, bits: int) -> Unary:
    return lambda a: call(name, a, high=_mask(bits))


def _reinterpret_to_float(name: str, bits: int) -> Unary:
    def build(a: Expression) -> Expression:
        result = call(name, unsigned(a, bits))
        result.high = 0
        return result

    return build


def _integer_rows(bits: int) -> dict[str, Row]:
    rows: dict[str, Row] = {
        "add": Row(_add(bits), 2),
        "sub": Row(_subtract(bits), 2),
        "mul": Row(_multiply(bits), 2),
        "div_s": Row(_signed_division(f"div_s{bits}", "//", bits), 2, traps=True),
        "div_u": Row(_divide(bits), 2, traps=True),
        "rem_s": Row(_signed_division(f"rem_s{bits}", "%", bits), 2, traps=True),
        "rem_u": Row(_remainder(bits), 2, traps=True),
        "and": Row(_and(bits), 2),
        "or": Row(_bitwise("|", OR, bits), 2),
        "xor": Row(_bitwise("^", XOR, bits), 2),
        "shl": Row(_shift_left(bits), 2),
        "shr_s": Row(_shift_right(bits, signed), 2),
        "shr_u": Row(_shift_right(bits, unsigned), 2),
        "rotl": Row(_rotate(bits, True), 2),
        "rotr": Row(_rotate(bits, False), 2),
        "eq": Row(_equal(bits), 2),
        "ne": Row(_differ(bits), 2),
        "eqz": Row(lambda a: negated(a, bits), 1),
        "clz": Row(_counted(f"clz{bits}", bits), 1),
        "ctz": Row(_counted(f"ctz{bits}", bits), 1),
        "popcnt": Row(_counted("popcnt", bits), 1),
        "extend8_s": Row(_extend(8), 1),
        "extend16_s": Row(_extend(16), 1),
    }
    for name, operator, inverse in (
        ("lt", "<", ">="),
        ("gt", ">", "<="),
        ("le", "<=", ">"),
        ("ge", ">=", "<"),
    ):
        rows[f"{name}_s"] = Row(_compare_signed(operator, inverse, bits), 2)
        rows[f"{name}_u"] = Row(_compare_unsigned(operator, inverse, bits), 2)
    return {f"i{bits}.{name}": row for name, row in rows.items()}


def _float_rows(type_: str, rounds: bool) -> dict[str, Row]:
    rows = {
        "eq": Row(_float_compare("=="), 2),
        "ne": Row(_float_compare("!="), 2),
        "lt": Row(_float_compare("<"), 2),
        "gt": Row(_float_compare(">"), 2),
        "le": Row(_float_compare("<="), 2),
        "ge": Row(_float_compare(">="), 2),
        "abs": Row(_float_function("abs"), 1),
        "neg": Row(_negate_float, 1),
        "ceil": Row(_float_function("float_ceil"), 1),
        "floor": Row(_float_function("float_floor"), 1),
        "trunc": Row(_float_function("float_trunc"), 1),
        "nearest": Row(_float_function("float_nearest"), 1),
        "sqrt": Row(_square_root, 1, simple=(0,), rounds=rounds),
        "add": Row(_float("+", ADD), 2, rounds=rounds),
        "sub": Row(_float("-", ADD), 2, rounds=rounds),
        "mul": Row(_float("*", MULTIPLY), 2, rounds=rounds),
        "div": Row(_float_divide, 2, simple=(0, 1), rounds=rounds),
        "min": Row(_smaller("<", "float_min"), 2, simple=(0, 1)),
        "max": Row(_smaller(">", "float_max"), 2, simple=(0, 1)),
        "copysign": Row(_float_function("copysign"), 2),
    }
    return {f"{type_}.{name}": row for name, row in rows.items()}


#: The bounds of truncations, as comparisons: the texts left and right of the operand.
_TRUNCATIONS = (
    ("i32.trunc_f32_s", 32, "-2147483648.0 <=", "2147483648.0", True),
    ("i32.trunc_f32_u", 32, "-1.0 <", "4294967296.0", False),
    ("i32.trunc_f64_s", 32, "-2147483649.0 <", "2147483648.0", True),
    ("i32.trunc_f64_u", 32, "-1.0 <", "4294967296.0", False),
    ("i64.trunc_f32_s", 64, "-9223372036854775808.0 <=", "9223372036854775808.0", True),
    ("i64.trunc_f32_u", 64, "-1.0 <", "18446744073709551616.0", False),
    ("i64.trunc_f64_s", 64, "-9223372036854775808.0 <=", "9223372036854775808.0", True),
    ("i64.trunc_f64_u", 64, "-1.0 <", "18446744073709551616.0", False),
)


def _conversion_rows() -> dict[str, Row]:
    rows = {
        "i32.wrap_i64": Row(_same, 1),
        "i64.extend_i32_s": Row(lambda a: signed(a, 32), 1),
        "i64.extend_i32_u": Row(lambda a: unsigned(a, 32), 1),
        "i64.extend32_s": Row(_extend(32), 1),
        "f32.convert_i32_s": Row(_convert(32, signed, "float"), 1, rounds=True),
        "f32.convert_i32_u": Row(_convert(32, unsigned, "float"), 1, rounds=True),
        "f32.convert_i64_s": Row(_convert(64, signed, "f32_from_integer"), 1),
        "f32.convert_i64_u": Row(_convert(64, unsigned, "f32_from_integer"), 1),
        "f32.demote_f64": Row(_same, 1, rounds=True),
        "f64.convert_i32_s": Row(_convert(32, signed, "float"), 1),
        "f64.convert_i32_u": Row(_convert(32, unsigned, "float"), 1),
        "f64.convert_i64_s": Row(_convert(64, signed, "float"), 1),
        "f64.convert_i64_u": Row(_convert(64, unsigned, "float"), 1),
        "f64.promote_f32": Row(_promote, 1),
        "i32.reinterpret_f32": Row(_reinterpret_to_integer("f32_to_bits", 32), 1),
        "i64.reinterpret_f64": Row(_reinterpret_to_integer("f64_to_bits", 64), 1),
        "f32.reinterpret_i32": Row(_reinterpret_to_float("f32_from_bits", 32), 1),
        "f64.reinterpret_i64": Row(_reinterpret_to_float("f64_from_bits", 64), 1),
    }
    for mnemonic, bits, low, high, view in _TRUNCATIONS:
        rows[mnemonic] = Row(_truncate(bits, low, high, view), 1, simple=(0,), traps=True)
        saturating = mnemonic.replace("trunc_", "trunc_sat_")
        name = f"truncate_{'s' if view else 'u'}{bits}"
        rows[saturating] = Row(_truncate_saturating(name, bits), 1)
    return rows


NUMERIC: dict[str, Row] = {
    **_integer_rows(32),
    **_integer_rows(64),
    **_float_rows("f32", rounds=True),
    **_float_rows("f64", rounds=False),
    **_conversion_rows(),
}
