"""Vector instructions on integer lanes: mnemonic -> function (sections 4.3.2 and 4.3.6).

Most work on all lanes at once, with the bits masked that would carry into the next lane. Those with
a product or with lanes of two widths work lane by lane. Those on single bytes look each up in a
table, with `bytes.translate`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from purewasm_plugins.engine.translator.simd_builders import (
    Deferred,
    deferred,
    lanewise,
    lanewise_views,
    masks,
    whole,
)

__all__ = ["FUNCTIONS"]

#: Width of a lane -> name of the shape.
_SHAPES = {8: "i8x16", 16: "i16x8", 32: "i32x4", 64: "i64x2"}
_ALL = (8, 16, 32, 64)
_UP_TO_32 = (8, 16, 32)
_UP_TO_16 = (8, 16)
_FROM_16 = (16, 32, 64)

_SUM = "s = (x & rest) + (y & rest) ^ (x ^ y) & top"
_DIFFERENCE = "d = (x | top) - (y & rest) ^ (x ^ y) & top ^ top"
_UNEQUAL = "t = (((x ^ y) & rest) + rest | x ^ y) & top"
#: The limit of a lane: the largest number, or the smallest if x is negative.
_EXTREME = "e = rest + (x >> sign & low)"


def _less(x: str, y: str, signed: bool) -> str:
    """Return what sets the top bit of t in the lanes where x < y: where x - y borrows."""
    decides = f"{x} & ~{y}" if signed else f"{y} & ~{x}"
    return f"t = ({decides} | ~({x} ^ {y} | ({x} | top) - ({y} & rest))) & top"


def _fill(bits: str) -> str:
    """Return what sets all bits of the lanes whose top bit is set."""
    return f"(({bits}) >> sign) * lane"


#: Name -> the widths of lanes that have it, and its formula (see `simd_builders.whole`).
_WHOLE: dict[str, tuple[tuple[int, ...], tuple[str, ...]]] = {
    "add": (_ALL, (_SUM, "s")),
    "sub": (_ALL, (_DIFFERENCE, "d")),
    "neg": (_FROM_16, ("top - (x & rest) ^ x & top ^ top",)),
    "abs": (_FROM_16, ("n = x >> sign & low", "(x ^ n * lane) + n")),
    "eq": (_ALL, (_UNEQUAL, _fill("t ^ top"))),
    "ne": (_ALL, (_UNEQUAL, _fill("t"))),
    "lt_s": (_ALL, (_less("x", "y", True), _fill("t"))),
    "lt_u": (_UP_TO_32, (_less("x", "y", False), _fill("t"))),
    "gt_s": (_ALL, (_less("y", "x", True), _fill("t"))),
    "gt_u": (_UP_TO_32, (_less("y", "x", False), _fill("t"))),
    "le_s": (_ALL, (_less("y", "x", True), _fill("t ^ top"))),
    "le_u": (_UP_TO_32, (_less("y", "x", False), _fill("t ^ top"))),
    "ge_s": (_ALL, (_less("x", "y", True), _fill("t ^ top"))),
    "ge_u": (_UP_TO_32, (_less("x", "y", False), _fill("t ^ top"))),
    "min_s": (_UP_TO_32, (_less("x", "y", True), f"y ^ (x ^ y) & {_fill('t')}")),
    "min_u": (_UP_TO_32, (_less("x", "y", False), f"y ^ (x ^ y) & {_fill('t')}")),
    "max_s": (_UP_TO_32, (_less("x", "y", True), f"x ^ (x ^ y) & {_fill('t')}")),
    "max_u": (_UP_TO_32, (_less("x", "y", False), f"x ^ (x ^ y) & {_fill('t')}")),
    "add_sat_s": (
        _UP_TO_16,
        (_SUM, _EXTREME, f"s ^ (s ^ e) & {_fill('(x ^ s) & (y ^ s) & top')}"),
    ),
    "add_sat_u": (_UP_TO_16, (_SUM, f"s | {_fill('(x & y | (x | y) & ~s) & top')}")),
    "sub_sat_s": (
        _UP_TO_16,
        (_DIFFERENCE, _EXTREME, f"d ^ (d ^ e) & {_fill('(x ^ y) & (x ^ d) & top')}"),
    ),
    "sub_sat_u": (
        _UP_TO_16,
        (_DIFFERENCE, _less("x", "y", False), f"d & {_fill('t ^ top')}"),
    ),
    "avgr_u": (_UP_TO_16, ("(x | y) - ((x ^ y) >> 1 & rest)",)),
}

#: Formulas with a count of places to shift by; `left` and `right` have a mask for each count.
_SHIFTS: dict[str, str] = {
    "shl": "(x & right[k]) << k",
    "shr_s": "x >> k & right[k] | (x >> sign & low) * left[k]",
    "shr_u": "x >> k & right[k]",
}


def _shift(bits: int, formula: str) -> Deferred:
    low, lane = masks(bits)["low"], masks(bits)["lane"]
    right = [low * (lane >> count) for count in range(bits)]
    left = [lane - (lane >> count) for count in range(bits)]
    take = f"k = count & {bits - 1}"
    return whole(bits, take, formula, parameters=", count", right=right, left=left)


@deferred
def _all_true(bits: int) -> Callable[[bytes], int]:
    rest, top = masks(bits)["rest"], masks(bits)["top"]

    def all_true(a: bytes) -> int:
        x = int.from_bytes(a, "little")
        return 1 if ((x & rest) + rest | x) & top == top else 0

    return all_true


#: A byte's sign bit as a digit.
_SIGN_DIGIT = b"0" * 128 + b"1" * 128


def _bitmask(bits: int) -> Callable[[bytes], int]:
    step = -(bits // 8)

    def bitmask(a: bytes) -> int:
        # The bytes with the sign bits, that of the last lane first.
        return int(a[::step].translate(_SIGN_DIGIT), 2)

    return bitmask


@deferred
def _bytewise(function: Callable[[int], int]) -> Callable[[bytes], bytes]:
    table = bytes([function(byte) & 0xFF for byte in range(256)])
    return lambda a: a.translate(table)


@deferred
def _bytewise_shift(function: Callable[[int, int], int]) -> Callable[[bytes, int], bytes]:
    tables = [bytes([function(byte, count) & 0xFF for byte in range(256)]) for count in range(8)]
    return lambda a, count: a.translate(tables[count & 7])


def _signed(byte: int) -> int:
    return byte - ((byte & 0x80) << 1)


def _widening() -> dict[str, Deferred]:
    """Return the functions whose lanes are twice as wide: extend, extmul and extadd_pairwise."""
    functions: dict[str, Deferred] = {}
    for narrow, formats in ((8, ("b", "h")), (16, ("h", "i")), (32, ("i", "q"))):
        wide, count = _SHAPES[2 * narrow], 64 // narrow
        for sign in "su":
            n, w = formats if sign == "s" else (formats[0].upper(), formats[1].upper())
            result = f"{count}{w}"
            for half, source in (("low", f"{count}{n}8x"), ("high", f"8x{count}{n}")):
                suffix = f"{half}_{_SHAPES[narrow]}_{sign}"
                functions[f"{wide}.extend_{suffix}"] = lanewise("x", source, result)
                functions[f"{wide}.extmul_{suffix}"] = lanewise("x * y", source, result)
            if narrow < 32:
                gap = f"{narrow // 8}x"
                evens, odds = (n + gap) * count, (gap + n) * count
                name = f"{wide}.extadd_pairwise_{_SHAPES[narrow]}_{sign}"
                views = {"x": ("a", evens), "y": ("a", odds)}
                functions[name] = lanewise_views("x + y", views, result)
    return functions


def _narrow(low: int, high: int, source: str, result: str) -> Deferred:
    expression = f"x if {low} <= x <= {high} else {low} if x < 0 else {high}"
    return lanewise_views(expression, {"x": ("a + b", source)}, result)


_PAIRS_OF_I16 = {
    "w": ("a", "hxx" * 4),
    "x": ("b", "hxx" * 4),
    "y": ("a", "xxh" * 4),
    "z": ("b", "xxh" * 4),
}

FUNCTIONS: dict[str, Callable[..., Any] | Deferred] = {
    **{
        f"{_SHAPES[bits]}.{name}": whole(bits, *formula)
        for name, (widths, formula) in _WHOLE.items()
        for bits in widths
    },
    **{
        f"{_SHAPES[bits]}.{name}": _shift(bits, formula)
        for name, formula in _SHIFTS.items()
        for bits in _FROM_16
    },
    **{f"{shape}.all_true": _all_true(bits) for bits, shape in _SHAPES.items()},
    **{f"{shape}.bitmask": _bitmask(bits) for bits, shape in _SHAPES.items()},
    "i8x16.abs": _bytewise(lambda x: abs(_signed(x))),
    "i8x16.neg": _bytewise(lambda x: -x),
    "i8x16.popcnt": _bytewise(int.bit_count),
    "i8x16.all_true": lambda a: 0 if 0 in a else 1,
    "i8x16.shl": _bytewise_shift(lambda x, count: x << count),
    "i8x16.shr_s": _bytewise_shift(lambda x, count: _signed(x) >> count),
    "i8x16.shr_u": _bytewise_shift(lambda x, count: x >> count),
    "i16x8.mul": lanewise("x * y & 0xFFFF", "8H", "8H"),
    "i32x4.mul": lanewise("x * y & 0xFFFFFFFF", "4I", "4I"),
    "i64x2.mul": lanewise("x * y & 0xFFFFFFFFFFFFFFFF", "2Q", "2Q"),
    # Only the square of the smallest number does not fit.
    "i16x8.q15mulr_sat_s": lanewise("(x * y + 0x4000 >> 15) - (x == y == -0x8000)", "8h", "8h"),
    "i32x4.dot_i16x8_s": lanewise_views("w * x + y * z & 0xFFFFFFFF", _PAIRS_OF_I16, "4I"),
    "i8x16.narrow_i16x8_s": _narrow(-0x80, 0x7F, "16h", "16b"),
    "i8x16.narrow_i16x8_u": _narrow(0, 0xFF, "16h", "16B"),
    "i16x8.narrow_i32x4_s": _narrow(-0x8000, 0x7FFF, "8i", "8h"),
    "i16x8.narrow_i32x4_u": _narrow(0, 0xFFFF, "8i", "8H"),
    **_widening(),
}
