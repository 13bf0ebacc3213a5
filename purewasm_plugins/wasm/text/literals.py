"""The values of numbers and strings (core specification, sections 6.3.1 to 6.3.3).

A literal that is no number of the format is refused by `is_number`; the other functions take only
literals that it accepts, and strings as the lexer finds them.
"""

from __future__ import annotations

import re
import struct

__all__ = [
    "LiteralError",
    "float_bits",
    "integer",
    "is_integer",
    "is_number",
    "name_of",
    "string_bytes",
    "unsigned_integer",
]

_DIGITS = r"[0-9](?:_?[0-9])*+"
_HEX_DIGITS = r"[0-9a-fA-F](?:_?[0-9a-fA-F])*+"
_INTEGER = re.compile(rf"[+-]?(?:0x{_HEX_DIGITS}|{_DIGITS})")
_FLOAT = re.compile(
    rf"([+-]?)(?:0x({_HEX_DIGITS})(?:\.({_HEX_DIGITS})?)?(?:[pP]([+-]?{_DIGITS}))?"
    rf"|({_DIGITS}(?:\.(?:{_DIGITS})?)?(?:[eE][+-]?{_DIGITS})?)"
    rf"|inf|nan|nan:0x({_HEX_DIGITS}))"
)

#: By the bits of a float: those of its significand, without the one that is not stored.
_FRACTION_BITS = {32: 23, 64: 52}

#: Integers of more digits are out of every range. Python refuses to convert thousands of digits.
_MOST_DIGITS = 100


class LiteralError(ValueError):
    """A literal has no value of its type; the text is the reason."""


def is_integer(word: str) -> bool:
    """Return whether a word is an integer, with or without a sign."""
    return _INTEGER.fullmatch(word) is not None


def is_number(word: str) -> bool:
    """Return whether a word is an integer or a float."""
    return _FLOAT.fullmatch(word) is not None


# Integers


def _value(word: str) -> int:
    """Return the value of an integer; of one with very many digits, some value of its size."""
    sign = -1 if word[0] == "-" else 1
    digits = word.lstrip("+-").replace("_", "")
    if digits.startswith("0x"):
        return sign * int(digits, 16)
    digits = digits.lstrip("0")
    return sign * int(digits[:_MOST_DIGITS] or "0")


def integer(word: str, bits: int) -> int:
    """Return the value of an integer of so many bits, signed, from -2^(bits-1) to 2^bits - 1.

    Raises:
        LiteralError: it is out of range.
    """
    value = _value(word)
    if not -1 << bits - 1 <= value < 1 << bits:
        raise LiteralError(_OUT_OF_RANGE)
    return value - (1 << bits) if value >> bits - 1 > 0 else value


def unsigned_integer(word: str, bits: int) -> int:
    """Return the value of an integer of so many bits that has no sign.

    Raises:
        LiteralError: it is out of range.
    """
    value = _value(word)
    if value >> bits:
        raise LiteralError(f"i{bits} constant out of range")
    return value


_OUT_OF_RANGE = "constant out of range"


# Floats


def float_bits(word: str, bits: int) -> int:
    """Return a float, which may be written as an integer, as its bits.

    Args:
        word: the literal.
        bits: 32 or 64.

    Raises:
        LiteralError: it is out of range.
    """
    match = _FLOAT.fullmatch(word)
    if match is None:
        raise LiteralError("unknown operator")
    sign, whole, fraction, exponent, decimal, payload = match.groups()
    if whole is not None:
        significand = int((whole + (fraction or "")).replace("_", ""), 16)
        shift = 4 * len((fraction or "").replace("_", ""))
        magnitude = _rounded(significand, _exponent(exponent) - shift, bits)
    elif decimal is not None:
        magnitude = _decimal(decimal.replace("_", ""), bits)
    else:
        magnitude = _special(word, payload, bits)
    return magnitude | (sign == "-") << bits - 1


def _exponent(text: str | None) -> int:
    if text is None:
        return 0
    value = _value(text)
    return max(-(1 << 60), min(value, 1 << 60))


def _special(word: str, payload: str | None, bits: int) -> int:
    """Return the bits of an infinity or a NaN, without its sign."""
    fraction_bits = _FRACTION_BITS[bits]
    infinity = (1 << bits - 1) - (1 << fraction_bits)
    if payload is not None:
        value = int(payload.replace("_", ""), 16)
        if not 0 < value < 1 << fraction_bits:
            raise LiteralError(_OUT_OF_RANGE)
        return infinity | value
    return infinity | (1 << fraction_bits - 1 if word.endswith("nan") else 0)


def _rounded(significand: int, exponent: int, bits: int) -> int:
    """Return the bits of the float that is nearest to significand * 2^exponent; ties go to even."""
    fraction_bits = _FRACTION_BITS[bits]
    bias = (1 << bits - fraction_bits - 2) - 1
    if not significand:
        return 0
    # The exponent of its highest bit.
    highest = significand.bit_length() - 1 + exponent
    if highest > bias:
        raise LiteralError(_OUT_OF_RANGE)
    if highest < -bias - fraction_bits:
        return 0
    # The exponent of the lowest bit that the float has.
    lowest = max(highest, 1 - bias) - fraction_bits
    dropped = lowest - exponent
    if dropped > 0:
        half = 1 << dropped - 1
        rest = significand & (1 << dropped) - 1
        significand >>= dropped
        significand += rest > half or (rest == half and significand & 1)
    else:
        significand <<= -dropped
    # A carry out of the significand becomes part of the exponent.
    encoded = (lowest + fraction_bits + bias - 1 << fraction_bits) + significand
    if encoded >= (1 << bits - 1) - (1 << fraction_bits):
        raise LiteralError(_OUT_OF_RANGE)
    return encoded


def _decimal(text: str, bits: int) -> int:
    value = float(text)
    if value == float("inf"):
        raise LiteralError(_OUT_OF_RANGE)
    if bits == 64:
        return int.from_bytes(struct.pack("<d", value), "little")
    significand, exponent = value.as_integer_ratio()
    exponent = 1 - exponent.bit_length()
    # `value` was rounded once. Where it is halfway between two floats of 32 bits, the side on which
    # the number itself lies decides; a bit that is far below stands for that.
    if value and _is_halfway(value):
        from decimal import Decimal

        exact, nearest = Decimal(text), Decimal(value)
        significand = (significand << 60) + (exact > nearest) - (exact < nearest)
        exponent -= 60
    return _rounded(significand, exponent, bits)


def _is_halfway(value: float) -> bool:
    """Return whether a positive float of 64 bits may be between two neighbours of 32 bits."""
    bits = int.from_bytes(struct.pack("<d", value), "little")
    normal = bits >> 52 > 1023 - 127
    dropped = bits & 0x1FFF_FFFF
    return dropped == 0x1000_0000 if normal else not bits & 0xFFF_FFFF


# Strings

_ESCAPE = re.compile(
    rb"\\(?:u\{([0-9a-fA-F](?:_?[0-9a-fA-F])*+)\}|([0-9a-fA-F]{2})|([tnr\"'\\])|(?s:(.)))"
)
_ESCAPED = {b"t": b"\t", b"n": b"\n", b"r": b"\r", b'"': b'"', b"'": b"'", b"\\": b"\\"}
_BYTES = [bytes((value,)) for value in range(256)]


def _unescaped(match: re.Match[bytes]) -> bytes:
    scalar, byte, other, illegal = match.groups()
    if byte is not None:
        return _BYTES[int(byte, 16)]
    if other is not None:
        return _ESCAPED[other]
    if illegal is not None:
        raise LiteralError("illegal escape in a string")
    value = int(scalar.replace(b"_", b""), 16)
    if value >= 0x11_0000 or 0xD800 <= value < 0xE000:
        raise LiteralError("malformed UTF-8 encoding: no such character")
    return chr(value).encode()


def string_bytes(token: str) -> bytes:
    """Return the bytes that a string stands for.

    Args:
        token: the string with its quotation marks.

    Raises:
        LiteralError: an escape is wrong.
    """
    content = token[1:-1].encode()
    return _ESCAPE.sub(_unescaped, content) if b"\\" in content else content


def name_of(token: str) -> str:
    """Return the name that a string stands for.

    Raises:
        LiteralError: an escape is wrong, or the bytes are not UTF-8.
    """
    try:
        return string_bytes(token).decode()
    except UnicodeDecodeError:
        raise LiteralError("malformed UTF-8 encoding") from None
