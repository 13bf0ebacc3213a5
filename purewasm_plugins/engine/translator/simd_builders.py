"""Builders of the functions of vector instructions, from formulas (section 4.3.6).

A formula is Python text, and the function works on vectors of 16 bytes. `lanewise` repeats the
formula of one lane for every lane, which takes half the time of a loop or of `map`. `whole` applies
a formula to all lanes at once, with the vector as one int. Building all 236 functions would take
40 ms, so each is built when it is first looked up.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterator, Mapping
from struct import Struct
from typing import Any, ParamSpec

from purewasm_plugins.runtime.values import f32_to_bits

__all__ = ["Deferred", "Functions", "deferred", "lanewise", "lanewise_views", "masks", "whole"]

P = ParamSpec("P")


class Deferred:
    """A function that has not been built yet."""

    __slots__ = ("build",)

    def __init__(self, build: Callable[[], Callable[..., Any]]) -> None:
        self.build = build


def deferred(builder: Callable[P, Callable[..., Any]]) -> Callable[P, Deferred]:
    """Decorate a builder of functions, so that it returns a `Deferred`."""

    def defer(*arguments: P.args, **options: P.kwargs) -> Deferred:
        return Deferred(functools.partial(builder, *arguments, **options))

    return functools.update_wrapper(defer, builder)


class Functions(Mapping[str, Callable[..., Any]]):
    """Functions by name, each built when it is first looked up."""

    def __init__(self, entries: Mapping[str, Callable[..., Any] | Deferred]) -> None:
        self._entries = dict(entries)

    def __getitem__(self, name: str) -> Callable[..., Any]:
        entry = self._entries[name]
        if isinstance(entry, Deferred):
            entry = self._entries[name] = entry.build()
        return entry

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)


_LANE_NAME = re.compile(r"\b[u-z]\b")
_BITS = str.maketrans("fd", "IQ")


@deferred
def lanewise(expression: str, source: str, result: str, **helpers: Any) -> Callable[..., bytes]:
    """Build a function of `a`, or of `a` and `b`, whose lanes are each the value of an expression.

    Args:
        expression: over `x`, the lane of `a`; `y`, the lane of `b`; `u` and `v`, their bits.
        source: the struct format of the operands' lanes; it may skip bytes with `x`.
        result: the struct format of the function's lanes. A number too large for an `f` becomes an
            infinity.
        helpers: other names that the expression uses.
    """
    bits = source.translate(_BITS)
    known = {"x": ("a", source), "y": ("b", source), "u": ("a", bits), "v": ("b", bits)}
    used = set(_LANE_NAME.findall(expression))
    views = {name: view for name, view in known.items() if name in used}
    return _lanewise(expression, views, result, helpers)


@deferred
def lanewise_views(
    expression: str, views: Mapping[str, tuple[str, str]], result: str
) -> Callable[..., bytes]:
    """Build a function whose lanes are each the value of an expression over other views.

    Args:
        expression: over the names in `views`.
        views: name of one letter from u to z -> (operand, struct format of its lanes). An operand
            is `a`, `b`, or `a + b`, which has the lanes of both.
        result: the struct format of the function's lanes.
    """
    return _lanewise(expression, views, result, {})


def _lanewise(
    expression: str,
    views: Mapping[str, tuple[str, str]],
    result: str,
    helpers: Mapping[str, Any],
) -> Callable[..., bytes]:
    operands = sorted({name for operand, _ in views.values() for name in operand.split(" + ")})
    namespace: dict[str, Any] = {**helpers, "pack": Struct("<" + result).pack}
    lines = []
    count = 0
    for name, (operand, format) in views.items():
        layout = Struct("<" + format)
        count = len(layout.unpack(bytes(layout.size)))
        namespace[f"unpack_{name}"] = layout.unpack
        lanes = ", ".join(f"{name}{lane}" for lane in range(count))
        lines.append(f"{lanes} = unpack_{name}({operand})")
    values = ", ".join(_LANE_NAME.sub(rf"\g<0>{lane}", expression) for lane in range(count))
    if "f" in result:
        namespace["pack_large"] = _pack_large(result)
        lines.append(f"try: return pack({values})")
        lines.append(f"except OverflowError: return pack_large({values})")
    else:
        lines.append(f"return pack({values})")
    return _function(", ".join(operands), lines, namespace)


def _pack_large(format: str) -> Callable[..., bytes]:
    pack = Struct("<" + format.translate(_BITS)).pack

    def pack_large(*lanes: float) -> bytes:
        return pack(*map(f32_to_bits, lanes))

    return pack_large


def masks(bits: int) -> dict[str, int]:
    """Return the constants of the formulas of `whole`, for lanes of a width.

    `low` and `top` have the lowest and the highest bit of every lane, `rest` all bits but the
    highest. `lane` has the bits of one lane; `sign` is the position of its highest bit.
    """
    low = sum(1 << position for position in range(0, 128, bits))
    top = low << bits - 1
    rest = top - low
    return {"low": low, "top": top, "rest": rest, "lane": (1 << bits) - 1, "sign": bits - 1}


@deferred
def whole(bits: int, *formula: str, parameters: str = "", **helpers: Any) -> Callable[..., bytes]:
    """Build a function of `a`, or of `a` and `b`, that works on the vector as one int.

    Args:
        bits: the width of a lane.
        formula: assignments and at last an expression, over `x`, the int of `a`; `y`, that of `b`;
            and the names in `masks(bits)`.
        parameters: other parameters that the formula uses.
        helpers: other names that it uses.
    """
    text = " ".join(formula)
    lines = ["x = integer(a, 'little')"]
    operands = ["a"]
    if re.search(r"\by\b", text):
        lines.append("y = integer(b, 'little')")
        operands.append("b")
    lines.extend(formula[:-1])
    lines.append(f"return ({formula[-1]}).to_bytes(16, 'little')")
    namespace = {**helpers, **masks(bits), "integer": int.from_bytes}
    return _function(", ".join(operands) + parameters, lines, namespace)


def _function(parameters: str, lines: list[str], namespace: dict[str, Any]) -> Callable[..., bytes]:
    exec(f"def function({parameters}):\n " + "\n ".join(lines), namespace)
    function: Callable[..., bytes] = namespace["function"]
    return function
