"""Numbers and strings of the text format."""

from __future__ import annotations

import struct
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from purewasm_plugins.wasm.text.literals import (
    LiteralError,
    float_bits,
    integer,
    is_integer,
    is_number,
    name_of,
    string_bytes,
    unsigned_integer,
)

F32_BITS = st.integers(0, 0x7F7F_FFFF)


def f32(bits: int) -> float:
    (value,) = struct.unpack("<f", struct.pack("<I", bits))
    return float(value)


@pytest.mark.parametrize(
    "word", ["0", "1_000", "+5", "-0x_1".replace("_", ""), "0xAbC_d", "00", "1" * 5000]
)
def test_integers(word: str) -> None:
    assert is_integer(word)
    assert is_number(word)


@pytest.mark.parametrize(
    "word",
    ["", "-", "1_", "_1", "1__0", "0x", "0x_1", "0o7", "1x", "0xg", "++1", "1 ", "٣", "1L", "0b1"],
)
def test_no_integers(word: str) -> None:
    assert not is_integer(word)
    assert not is_number(word)


@pytest.mark.parametrize(
    "word",
    [
        *("1.", "1.5", "1e5", "1E+0_5", "1_0.0_1e1_0", "0x1.", "0x.8".replace("0x", "0x0")),
        *("0x1p1", "0xA.Bp-1_0", "inf", "-inf", "nan", "+nan:0x1"),
    ],
)
def test_floats(word: str) -> None:
    assert is_number(word)
    assert not is_integer(word)


@pytest.mark.parametrize(
    "word",
    [".5", "1e", "1e+", "1._5", "1_.5", "0x1p", "0x.8", "nan:", "nan:1", "nan:0x", "Inf", "0x1.p"],
)
def test_no_floats(word: str) -> None:
    assert not is_number(word)


@pytest.mark.parametrize(
    ("word", "bits", "value"),
    [
        ("0xffffffff", 32, -1),
        ("4294967295", 32, -1),
        ("-2147483648", 32, -(1 << 31)),
        ("0x8000_0000", 32, -(1 << 31)),
        ("2147483647", 32, (1 << 31) - 1),
        ("-0", 64, 0),
        ("255", 8, -1),
        ("0" * 9000 + "7", 32, 7),
    ],
)
def test_values_of_integers(word: str, bits: int, value: int) -> None:
    assert integer(word, bits) == value


@pytest.mark.parametrize("word", ["4294967296", "-2147483649", "0x100000000", "9" * 9000])
def test_integers_out_of_range(word: str) -> None:
    with pytest.raises(LiteralError, match="constant out of range"):
        integer(word, 32)
    with pytest.raises(LiteralError, match="i8 constant out of range"):
        unsigned_integer(word.lstrip("-"), 8)


@given(F32_BITS)
def test_every_f32(bits: int) -> None:
    value = f32(bits)
    for word in (repr(value), value.hex()):
        assert float_bits(word, 32) == bits
        assert float_bits(f"-{word}", 32) == bits | 1 << 31
        assert float_bits(word, 64) == int.from_bytes(struct.pack("<d", value), "little")


@given(st.floats(min_value=0, allow_infinity=False))
def test_every_f64(value: float) -> None:
    bits = int.from_bytes(struct.pack("<d", value), "little")
    assert float_bits(repr(value), 64) == float_bits(value.hex(), 64) == bits


def decimal_digits(value: Fraction) -> str:
    """The digits of a fraction whose denominator is a power of two."""
    places = value.denominator.bit_length() - 1
    digits = str(value.numerator * 5**places).rjust(places + 1, "0")
    return f"{digits[: len(digits) - places]}.{digits[len(digits) - places :]}"


@given(F32_BITS.filter(lambda bits: bits < 0x7F7F_FFFF))
def test_numbers_between_two_floats_are_rounded_once(bits: int) -> None:
    """Through a float of 64 bits, what is a little more than halfway would be exactly that."""
    halfway = (Fraction(f32(bits)) + Fraction(f32(bits + 1))) / 2
    little = Fraction(1, 1 << 400)
    assert float_bits(decimal_digits(halfway), 32) == bits + (bits & 1)
    assert float_bits(decimal_digits(halfway + little), 32) == bits + 1
    assert float_bits(decimal_digits(halfway - little), 32) == bits


@pytest.mark.parametrize(
    ("word", "bits"),
    [
        ("nan", 0x7FC0_0000),
        ("-nan", 0xFFC0_0000),
        ("nan:0x1", 0x7F80_0001),
        ("inf", 0x7F80_0000),
        ("0x1p-149", 1),
        ("0x1p-150", 0),
        ("0x1.000001p-150", 1),
        ("1e-999999999999", 0),
        ("0x1p-99999999999999999999", 0),
        ("0x0p99999999999999999999", 0),
        ("0x1.fffffefffffp127", 0x7F7F_FFFF),
        ("0e9", 0),
    ],
)
def test_special_floats(word: str, bits: int) -> None:
    assert float_bits(word, 32) == bits


@pytest.mark.parametrize(
    "word",
    ["0x1p128", "0x1.ffffffp127", "1e39", "1e999999999", "0x1p9999999999999", "nan:0x800000"],
)
def test_floats_out_of_range(word: str) -> None:
    with pytest.raises(LiteralError, match="constant out of range"):
        float_bits(word, 32)


@pytest.mark.parametrize("word", ["nan:0x0", "nan:0x10000000000000"])
def test_payloads_out_of_range(word: str) -> None:
    with pytest.raises(LiteralError, match="constant out of range"):
        float_bits(word, 64)


@pytest.mark.parametrize(
    ("token", "content"),
    [
        ('""', b""),
        (r'"\00\ff\7F"', b"\x00\xff\x7f"),
        (r'"\t\n\r\"\'\\"', b"\t\n\r\"'\\"),
        (r'"\u{e9}\u{1_F600}"', "é😀".encode()),
        ('"é"', "é".encode()),
        (r'"\\u{41}"', rb"\u{41}"),
    ],
)
def test_strings(token: str, content: bytes) -> None:
    assert string_bytes(token) == content


@pytest.mark.parametrize("token", [r'"\x41"', r'"\1"', r'"\u41"', r'"\u{}"', r'"\é"'])
def test_illegal_escapes(token: str) -> None:
    with pytest.raises(LiteralError, match="illegal escape"):
        string_bytes(token)


@pytest.mark.parametrize("token", [r'"\u{d800}"', r'"\u{110000}"', r'"\ff"', r'"\c0\80"'])
def test_names_are_utf8(token: str) -> None:
    with pytest.raises(LiteralError, match="malformed UTF-8 encoding"):
        name_of(token)
