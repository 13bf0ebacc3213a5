"""The suite's values: from the JSON to what a `Function` takes and returns, and back to compare.

Integers and floats come as the decimal value of their bits, a v128 as lanes, and a reference as a
number or `null`. An f32 crosses the border as a Python float, its NaN payload 29 bits higher.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Any

from purewasm_plugins.runtime.instance import Function

_LANE_BITS = {"i8": 8, "i16": 16, "i32": 32, "i64": 64, "f32": 32, "f64": 64}
#: The bits of the one canonical NaN but for its sign, and of the exponent, by float type.
_CANONICAL = {"f32": 0x7FC0_0000, "f64": 0x7FF8_0000_0000_0000}
_SIGN = {"f32": 1 << 31, "f64": 1 << 63}


@dataclass(frozen=True)
class HostReference:
    """An externref of the suite: an object of the host, identified by a number."""

    number: int


def argument(value: dict[str, Any]) -> Any:
    """A value to pass to a function."""
    match value["type"]:
        case "i32":
            return _signed(int(value["value"]), 32)
        case "i64":
            return _signed(int(value["value"]), 64)
        case "f32":
            return _f32_from_bits(int(value["value"]))
        case "f64":
            return _f64_from_bits(int(value["value"]))
        case "v128":
            bits = _LANE_BITS[value["lane_type"]]
            return b"".join(
                (int(lane) % (1 << bits)).to_bytes(bits // 8, "little") for lane in value["value"]
            )
        case "externref" | "funcref" if value["value"] == "null":
            return None
        case "externref":
            return HostReference(int(value["value"]))
        case other:
            raise NotImplementedError(f"an argument of type {other}")


def matches(expected: dict[str, Any], actual: Any) -> bool:
    """Whether a result is what the suite expects."""
    match expected["type"]:
        case "i32" | "i64":
            return type(actual) is int and actual == argument(expected)
        case "f32":
            return type(actual) is float and _lane_matches(
                "f32", expected["value"], f32_bits(actual)
            )
        case "f64":
            return type(actual) is float and _lane_matches(
                "f64", expected["value"], f64_bits(actual)
            )
        case "v128":
            lane_type = expected["lane_type"]
            size = _LANE_BITS[lane_type] // 8
            return len(actual) == 16 and all(
                _lane_matches(lane_type, lane, int.from_bytes(actual[at : at + size], "little"))
                for lane, at in zip(expected["value"], range(0, 16, size), strict=True)
            )
        case "funcref" if expected.get("value") != "null":
            return isinstance(actual, Function)
        case "externref" if "value" not in expected:
            return actual is not None
        case "funcref" | "externref":
            return bool(actual == argument(expected))
        case other:
            raise NotImplementedError(f"a result of type {other}")


def show(type_: str, actual: Any) -> str:
    """A result, for a message: a float with its bits."""
    if type_ == "f32" and type(actual) is float:
        return f"{actual!r} ({f32_bits(actual):#010x})"
    if type_ == "f64" and type(actual) is float:
        return f"{actual!r} ({f64_bits(actual):#018x})"
    return actual.hex() if isinstance(actual, bytes) else repr(actual)


def _lane_matches(type_: str, expected: str, bits: int) -> bool:
    if expected == "nan:canonical":
        return bits & ~_SIGN[type_] == _CANONICAL[type_]
    if expected == "nan:arithmetic":
        return bits & _CANONICAL[type_] == _CANONICAL[type_]
    return bits == int(expected) % (1 << _LANE_BITS[type_])


def _signed(bits: int, width: int) -> int:
    bits %= 1 << width
    return bits - (1 << width) if bits >> (width - 1) else bits


def _f64_from_bits(bits: int) -> float:
    (value,) = struct.unpack("<d", struct.pack("<Q", bits))
    return float(value)


def _f32_from_bits(bits: int) -> float:
    if bits & 0x7FFF_FFFF > 0x7F80_0000:
        sign, payload = bits >> 31, bits & 0x7F_FFFF
        return _f64_from_bits(sign << 63 | 0x7FF << 52 | payload << 29)
    (value,) = struct.unpack("<f", struct.pack("<I", bits))
    return float(value)


def f64_bits(value: float) -> int:
    """The bits of an f64."""
    return int.from_bytes(struct.pack("<d", value), "little")


def f32_bits(value: float) -> int:
    """The bits of an f32 that a float holds; -1 where it holds something that is no f32."""
    bits = f64_bits(value)
    if value != value:
        return -1 if bits & 0x1FFF_FFFF else bits >> 63 << 31 | 0xFF << 23 | bits >> 29 & 0x7F_FFFF
    try:
        narrow = struct.pack("<f", value)
    except OverflowError:
        return -1
    return int.from_bytes(narrow, "little") if struct.unpack("<f", narrow)[0] == value else -1
