"""Values of WebAssembly as users write and read them, in the command and on the page."""

from __future__ import annotations

import math
import re
import struct

from purewasm_plugins.support.typed import Any, Callable, Mapping
from purewasm_plugins.wasm.types import FuncType, ValType

__all__ = ["parse_value", "result_text", "typed_results"]


def parse_value(kind: ValType, text: str) -> Any:
    """Read a value of a type.

    Args:
        kind: the type.
        text: an integer in decimal or in hexadecimal (0x…), signed or unsigned; a float as 1.5,
            1e9, 0x1.8p3, inf or nan; a vector as 32 hexadecimal digits, its first byte first; a
            reference as null.

    Returns:
        The value as a function takes it.

    Raises:
        ValueError: the text is no such value; the message says what is expected.

    Example:
        >>> parse_value(ValType.I32, "0xffffffff")
        -1
    """
    return _PARSERS[kind](text)


def _integer(bits: int) -> Callable[[str], int]:
    def parse(text: str) -> int:
        if not re.fullmatch(r"[+-]?(0[xX][0-9a-fA-F_]{1,100}|[0-9][0-9_]{0,100})", text):
            raise ValueError("it must be an integer, such as -1 or 0xff")
        digits = text.replace("_", "").lower()
        value = int(digits, 16 if "0x" in digits else 10)
        if not -(1 << bits - 1) <= value < 1 << bits:
            raise ValueError(f"it does not fit into {bits} bits")
        return value - (1 << bits) if value >= 1 << bits - 1 else value

    return parse


def _float(text: str) -> float:
    try:
        return float.fromhex(text) if "0x" in text.lower() else float(text)
    except (ValueError, OverflowError):
        raise ValueError("it must be a number, such as 1.5, 0x1.8p3, inf or nan") from None


def _vector(text: str) -> bytes:
    digits = text.removeprefix("0x").replace("_", "")
    if not re.fullmatch(r"[0-9a-fA-F]{32}", digits):
        raise ValueError("it must be 32 hexadecimal digits")
    return bytes.fromhex(digits)


def _reference(text: str) -> None:
    if text != "null":
        raise ValueError("the only reference that can be given is null")


_PARSERS: Mapping[ValType, Callable[[str], Any]] = {
    ValType.I32: _integer(32),
    ValType.I64: _integer(64),
    ValType.F32: _float,
    ValType.F64: _float,
    ValType.V128: _vector,
    ValType.FUNCREF: _reference,
    ValType.EXTERNREF: _reference,
}


def typed_results(type: FuncType, result: Any) -> list[tuple[ValType, Any]]:
    """Return the results of a call, which `Function` returned, with their types."""
    values = () if not type.results else (result,) if len(type.results) == 1 else result
    return [*zip(type.results, values, strict=True)]


def result_text(kind: ValType, value: Any) -> str:
    """Write a result; `parse_value` reads what is no reference again."""
    if isinstance(value, bytes):
        return value.hex()
    if kind is ValType.F32:
        return _shortest(value)
    return "null" if value is None else str(value)


def _shortest(value: float) -> str:
    """Return the shortest decimal text that stands for an f32."""
    for digits in range(6, 10):
        text = f"{value:.{digits}g}"
        if not math.isfinite(value) or struct.pack("<f", float(text)) == struct.pack("<f", value):
            break
    return repr(float(text))
