"""Vector instructions on float lanes: mnemonic -> function (sections 4.3.3 and 4.3.4).

Lanes are computed as Python floats. A lane of f32 is rounded when it is packed: for one addition,
multiplication, division or square root, the rounding to f64 before changes nothing. Instructions
that must keep the bits of a NaN work on ints. The others must make it quiet, which arithmetic does,
and `struct` may not.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from purewasm_plugins.engine.translator.simd_builders import Deferred, lanewise, whole

__all__ = ["FUNCTIONS"]

#: From here on every f64 is an integer.
_INTEGERS = 2.0**52


def _divide(x: float, y: float) -> float:
    """Divide by a zero."""
    if x == 0 or x != x:
        return x * math.nan
    return math.copysign(math.inf, x) * math.copysign(1.0, y)


def _minimum(x: float, y: float) -> float:
    """Compute `fmin` of numbers of which neither is less: equal ones, zeros, or a NaN."""
    if x == y:
        return x if math.copysign(1.0, x) < 0 else y
    return x + y


def _maximum(x: float, y: float) -> float:
    """Compute `fmax` of numbers of which neither is less: equal ones, zeros, or a NaN."""
    if x == y:
        return y if math.copysign(1.0, x) < 0 else x
    return x + y


def _square_root(x: float) -> float:
    """Compute `fsqrt` of a number without a square root."""
    return x * math.nan


def _rounding(to_integer: Callable[[float], int]) -> Callable[[float], float]:
    """Make a function that rounds to an integral float; a zero keeps the sign."""

    def integral(x: float) -> float:
        if -_INTEGERS < x < _INTEGERS:
            return math.copysign(to_integer(x), x)
        return x * 1.0

    return integral


def _saturate(low: int, high: int) -> Callable[[float], int]:
    """Make the function that is `trunc_sat` of numbers out of range."""

    def saturate(x: float) -> int:
        if x != x:
            return 0
        return low if x < 0 else high

    return saturate


def _truncation(low: int, high: int, source: str, result: str) -> Deferred:
    expression = f"int(x) if {low - 1}.0 < x < {high + 1}.0 else saturate(x)"
    return lanewise(expression, source, result, saturate=_saturate(low, high))


#: The same number, with a NaN made quiet.
_QUIET = "x if x == x else x + x"


def _shape(bits: int, lanes: str) -> dict[str, Deferred]:
    """Return the functions that both shapes have, by names without the shape."""
    masks = {"4f": "4i", "2d": "2q"}[lanes]
    patterns = masks.upper()
    one_per_lane: dict[str, tuple[str, dict[str, Any]]] = {
        "add": ("x + y", {}),
        "sub": ("x - y", {}),
        "mul": ("x * y", {}),
        "div": ("x / y if y else divide(x, y)", {"divide": _divide}),
        "min": ("x if x < y else y if y < x else minimum(x, y)", {"minimum": _minimum}),
        "max": ("x if y < x else y if x < y else maximum(x, y)", {"maximum": _maximum}),
        "sqrt": ("sqrt(x) if x >= 0 else none(x)", {"sqrt": math.sqrt, "none": _square_root}),
        "ceil": ("integral(x)", {"integral": _rounding(math.ceil)}),
        "floor": ("integral(x)", {"integral": _rounding(math.floor)}),
        "trunc": ("integral(x)", {"integral": _rounding(math.trunc)}),
        "nearest": ("integral(x)", {"integral": _rounding(round)}),
    }
    relations = {"eq": "==", "ne": "!=", "lt": "<", "gt": ">", "le": "<=", "ge": ">="}
    return {
        **{
            name: lanewise(e, lanes, lanes, **helpers)
            for name, (e, helpers) in one_per_lane.items()
        },
        **{name: lanewise(f"-(x {r} y)", lanes, masks) for name, r in relations.items()},
        "abs": whole(bits, "x & rest"),
        "neg": whole(bits, "x ^ top"),
        "pmin": lanewise("v if y < x else u", lanes, patterns),
        "pmax": lanewise("v if x < y else u", lanes, patterns),
    }


FUNCTIONS: dict[str, Deferred] = {
    **{f"f32x4.{name}": function for name, function in _shape(32, "4f").items()},
    **{f"f64x2.{name}": function for name, function in _shape(64, "2d").items()},
    "f32x4.convert_i32x4_s": lanewise("x", "4i", "4f"),
    "f32x4.convert_i32x4_u": lanewise("x", "4I", "4f"),
    "f64x2.convert_low_i32x4_s": lanewise("x", "2i8x", "2d"),
    "f64x2.convert_low_i32x4_u": lanewise("x", "2I8x", "2d"),
    "f32x4.demote_f64x2_zero": lanewise(_QUIET, "2d", "2f8x"),
    "f64x2.promote_low_f32x4": lanewise(_QUIET, "2f8x", "2d"),
    "i32x4.trunc_sat_f32x4_s": _truncation(-0x80000000, 0x7FFFFFFF, "4f", "4i"),
    "i32x4.trunc_sat_f32x4_u": _truncation(0, 0xFFFFFFFF, "4f", "4I"),
    "i32x4.trunc_sat_f64x2_s_zero": _truncation(-0x80000000, 0x7FFFFFFF, "2d", "2i8x"),
    "i32x4.trunc_sat_f64x2_u_zero": _truncation(0, 0xFFFFFFFF, "2d", "2I8x"),
}
