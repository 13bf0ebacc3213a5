"""The decoder reads the output of the encoder."""

from __future__ import annotations

import struct
from pathlib import Path
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from purewasm_plugins.wasm import Module, Span, ValType, decode
from purewasm_plugins.wasm.binary.encoder import (
    code,
    data_segment,
    element_segment,
    encode,
    export,
    function_type,
    global_type,
    import_,
    memory_type,
    module,
    name,
    section,
    signed,
    table_type,
    unsigned,
    vector,
)
from purewasm_plugins.wasm.binary.instructions import instructions
from purewasm_plugins.wasm.binary.primitives import read_name, read_signed, read_unsigned
from purewasm_plugins.wasm.binary.sections import SECTION_IDS
from tests.conftest import ROOT
from tests.random_modules.modules import random_module
from tests.wasm.essence import essence

FIXTURES = sorted((ROOT / "fixtures").rglob("*.wasm"))


def encoded_again(original: Module) -> bytes:
    """Encode a module from its decoded parts alone."""

    def expression(span: Span) -> bytes:
        return b"".join(
            encode(instruction.opcode, *instruction.immediates)
            for instruction in instructions(original.data, span)
        )

    defined = original.functions
    sections = {
        "type": vector(map(function_type, original.types)),
        "import": vector(map(import_, original.imports)),
        "function": vector(unsigned(entry.type_index) for entry in defined),
        "table": vector(map(table_type, original.tables)),
        "memory": vector(map(memory_type, original.memories)),
        "global": vector(global_type(one.type) + expression(one.init) for one in original.globals),
        "export": vector(map(export, original.exports)),
        "element": vector(
            element_segment(
                segment.mode,
                [item if isinstance(item, int) else expression(item) for item in segment.items],
                type_=segment.type,
                table=segment.table,
                offset=expression(segment.offset) if segment.offset else b"",
            )
            for segment in original.elements
        ),
        "data count": unsigned(len(original.data_segments)),
        "code": vector(code(entry.locals, expression(entry.body)) for entry in defined),
        "data": vector(
            data_segment(
                original.data[slice(*segment.init)],
                expression(segment.offset) if segment.offset else None,
            )
            for segment in original.data_segments
        ),
    }
    if original.start is not None:
        sections["start"] = unsigned(original.start)
    custom = [
        section("custom", name(entry.name) + original.data[slice(*entry.content)])
        for entry in original.custom_sections
    ]
    empty = vector([])
    written = [
        section(kind, sections[kind])
        for kind in SECTION_IDS
        if kind in sections and (kind == "start" or sections[kind] != empty)
    ]
    return module(*written, *custom)


@pytest.mark.parametrize(
    "path", FIXTURES, ids=lambda path: path.relative_to(ROOT / "fixtures").as_posix()
)
def test_fixtures_encoded_again(path: Path) -> None:
    original = decode(path.read_bytes())
    again = decode(encoded_again(original))
    assert essence(again) == essence(original)
    assert [entry.name for entry in again.custom_sections] == [
        entry.name for entry in original.custom_sections
    ]


@pytest.mark.parametrize("seed", range(20))
def test_random_modules_encoded_again(seed: int) -> None:
    data = random_module(Random(seed))
    assert encoded_again(decode(data)) == data


@given(st.integers(min_value=0, max_value=(1 << 32) - 1))
def test_unsigned(value: int) -> None:
    assert read_unsigned(unsigned(value), 0) == (value, len(unsigned(value)))


@given(st.integers(min_value=-(1 << 63), max_value=(1 << 63) - 1))
def test_signed(value: int) -> None:
    assert read_signed(signed(value), 0, 64) == (value, len(signed(value)))


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_name(text: str) -> None:
    assert read_name(name(text), 0) == (text, len(name(text)))


@pytest.mark.parametrize(
    ("value", "encoded"),
    [(0, "00"), (127, "7f"), (128, "8001"), (624485, "e58e26"), ((1 << 32) - 1, "ffffffff0f")],
)
def test_unsigned_integers_are_short(value: int, encoded: str) -> None:
    assert unsigned(value).hex() == encoded


@pytest.mark.parametrize(
    ("value", "encoded"),
    [
        (0, "00"),
        (-1, "7f"),
        (63, "3f"),
        (64, "c000"),
        (-64, "40"),
        (-65, "bf7f"),
        (-123456, "c0bb78"),
    ],
)
def test_signed_integers_are_short(value: int, encoded: str) -> None:
    assert signed(value).hex() == encoded


@pytest.mark.parametrize(
    ("instruction", "encoded"),
    [
        (encode("block", None), "0240"),
        (encode("block", ValType.F64), "027c"),
        (encode("block", 200), "02c801"),
        (encode("br_table", (1, 2), 0), "0e02010200"),
        (encode("select"), "1b"),
        (encode("f32.const", struct.unpack("<I", struct.pack("<f", 1.5))[0]), "430000c03f"),
        (encode("memory.copy", 0, 0), "fc0a0000"),
        (encode("i32x4.dot_i16x8_s"), "fdba01"),
    ],
)
def test_instructions(instruction: bytes, encoded: str) -> None:
    assert instruction.hex() == encoded


def test_what_cannot_be_encoded() -> None:
    with pytest.raises(ValueError, match="an unsigned integer cannot be negative: -1"):
        unsigned(-1)
    with pytest.raises(KeyError, match="i33"):
        encode("i33.add")
    with pytest.raises(TypeError):
        encode("i32.const")
    with pytest.raises(UnicodeEncodeError):
        name("\ud800")
