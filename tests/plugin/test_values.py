"""Values as users write and read them."""

from __future__ import annotations

import math
import struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from purewasm_plugins.plugin.values import parse_value, result_text, typed_results
from purewasm_plugins.wasm.types import FuncType, ValType


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        (ValType.I32, "-1", -1),
        (ValType.I32, "0xFFFF_FFFF", -1),
        (ValType.I64, "18446744073709551615", -1),
        (ValType.F32, "0x1.8p1", 3.0),
        (ValType.F64, "-inf", -math.inf),
        (ValType.V128, "0x" + "01" * 16, b"\1" * 16),
        (ValType.EXTERNREF, "null", None),
    ],
)
def test_values_that_are_read(kind: ValType, text: str, value: Any) -> None:
    assert parse_value(kind, text) == value


@pytest.mark.parametrize("kind", ValType)
@pytest.mark.parametrize("text", ["", "x", "1 2", "0x", "1e", "-", "0x" + "1" * 300])
def test_texts_that_are_refused(kind: ValType, text: str) -> None:
    with pytest.raises(ValueError, match=r"^(it|the only reference) "):
        parse_value(kind, text)


@given(st.integers(-(1 << 31), (1 << 31) - 1), st.floats(width=32, allow_nan=False))
def test_results_can_be_read_again(integer: int, number: float) -> None:
    assert parse_value(ValType.I32, result_text(ValType.I32, integer)) == integer
    again = parse_value(ValType.F32, result_text(ValType.F32, number))
    assert struct.pack("<f", again) == struct.pack("<f", number)


def test_results_have_types() -> None:
    assert typed_results(FuncType(), None) == []
    assert typed_results(FuncType((), (ValType.I32,)), 5) == [(ValType.I32, 5)]
    both = FuncType((), (ValType.I32, ValType.F32))
    assert typed_results(both, (5, 0.5)) == [(ValType.I32, 5), (ValType.F32, 0.5)]
    assert result_text(ValType.F32, 0.10000000149011612) == "0.1"
    assert result_text(ValType.EXTERNREF, None) == "null"
