"""WebAssembly values as Python objects: at the border, and raw, as the engines hold them.

| type      | at the border (what a user sees) | raw (what engines pass to each other)  |
|-----------|----------------------------------|----------------------------------------|
| i32, i64  | signed int                       | unsigned int                           |
| f32       | float                            | float, widened exactly, NaNs too       |
| f64       | float                            | the same                               |
| v128      | 16 bytes, little-endian          | the same                               |
| funcref   | `Function` or None               | the same                               |
| externref | any object; None is null         | the same                               |

The conversions follow the JavaScript API's ToJSValue and ToWebAssemblyValue, but refuse an integer
that does not fit instead of wrapping it.
"""

from __future__ import annotations

import struct

from purewasm_plugins.support.typed import Any, Callable
from purewasm_plugins.wasm.types import ValType

_F32 = struct.Struct("<f")
_F64 = struct.Struct("<d")
_U32 = struct.Struct("<I")
_U64 = struct.Struct("<Q")


class FunctionReference:
    """A function as a value: what a funcref that is not null holds. `Function` is one."""

    __slots__ = ()


def f32_from_bits(bits: int) -> float:
    """Return the f32 of these 32 bits, widened to a float.

    A NaN keeps its sign, payload and quiet bit: its bits are 29 places higher in the float's.
    `struct` alone would make a signalling NaN quiet on most machines.
    """
    if bits & 0x7FFFFFFF > 0x7F800000:
        wide = (bits & 0x80000000) << 32 | 0x7FF0000000000000 | (bits & 0x7FFFFF) << 29
        return float(_F64.unpack(_U64.pack(wide))[0])
    return float(_F32.unpack(_U32.pack(bits))[0])


def f32_to_bits(value: float) -> int:
    """Return the 32 bits of the f32 that a float holds; the inverse of `f32_from_bits`.

    A float that is not exactly an f32 is rounded to the nearest one, or to infinity past the
    largest.
    """
    if value != value:
        wide = f64_to_bits(value)
        return wide >> 32 & 0x80000000 | 0x7F800000 | (wide >> 29 & 0x7FFFFF or 0x400000)
    try:
        return int(_U32.unpack(_F32.pack(value))[0])
    except OverflowError:
        return 0x7F800000 if value > 0 else 0xFF800000


def f64_from_bits(bits: int) -> float:
    """Return the f64 of these 64 bits."""
    return float(_F64.unpack(_U64.pack(bits))[0])


def f64_to_bits(value: float) -> int:
    """Return the 64 bits of an f64."""
    return int(_U64.unpack(_F64.pack(value))[0])


def _integer(bits: int) -> Callable[[Any], int]:
    low, high = -1 << (bits - 1), 1 << bits

    def to_raw(value: Any) -> int:
        if not isinstance(value, int):
            raise TypeError(f"expected an int for i{bits}, got {type(value).__name__}")
        if not low <= value < high:
            raise ValueError(f"{value} does not fit in i{bits}")
        # Of a subclass, such as `IntFlag`, an int, too.
        return int.__and__(value, high - 1)

    return to_raw


def _f32_to_raw(value: Any) -> float:
    return f32_from_bits(f32_to_bits(_f64_to_raw(value)))


def _f64_to_raw(value: Any) -> float:
    if not isinstance(value, (int, float)):
        raise TypeError(f"expected a float, got {type(value).__name__}")
    try:
        return float(value)
    except OverflowError:
        raise ValueError("the int does not fit in a float") from None


def _v128_to_raw(value: Any) -> bytes:
    if not isinstance(value, (bytes, bytearray, memoryview)):
        raise TypeError(f"expected 16 bytes for v128, got {type(value).__name__}")
    # The length of a view is in its own items.
    data = bytes(value)
    if len(data) != 16:
        raise ValueError(f"expected 16 bytes for v128, got {len(data)}")
    return data


def _funcref_to_raw(value: Any) -> FunctionReference | None:
    if not (value is None or isinstance(value, FunctionReference)):
        raise TypeError(f"expected a Function or None for funcref, got {value.__class__.__name__}")
    return value


def _same(value: Any) -> Any:
    return value


#: From a border value to a raw value; each raises TypeError or ValueError for what is none.
TO_RAW: dict[ValType, Callable[[Any], Any]] = {
    ValType.I32: _integer(32),
    ValType.I64: _integer(64),
    ValType.F32: _f32_to_raw,
    ValType.F64: _f64_to_raw,
    ValType.V128: _v128_to_raw,
    ValType.FUNCREF: _funcref_to_raw,
    ValType.EXTERNREF: _same,
}


def to_raw(type: ValType, value: Any) -> Any:
    """Return a border value as the raw value of that type.

    Raises:
        TypeError, ValueError: it is no value of that type.
    """
    return TO_RAW[type](value)


#: From a raw value to a border value.
FROM_RAW: dict[ValType, Callable[[Any], Any]] = {
    ValType.I32: lambda value: value - ((value & 0x80000000) << 1),
    ValType.I64: lambda value: value - ((value & 0x8000000000000000) << 1),
    ValType.F32: _same,
    ValType.F64: _same,
    ValType.V128: _same,
    ValType.FUNCREF: _same,
    ValType.EXTERNREF: _same,
}

#: The raw default value of each type (core specification, 4.2.1).
DEFAULT: dict[ValType, Any] = {
    ValType.I32: 0,
    ValType.I64: 0,
    ValType.F32: 0.0,
    ValType.F64: 0.0,
    ValType.V128: bytes(16),
    ValType.FUNCREF: None,
    ValType.EXTERNREF: None,
}
