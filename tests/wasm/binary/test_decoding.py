"""Malformed modules, and the messages of their errors."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from purewasm_plugins.errors import DecodeError, WasmError
from purewasm_plugins.wasm import FuncType, Span, ValType, decode, load
from purewasm_plugins.wasm.binary.encoder import module, name, section, unsigned, vector
from tests.conftest import ROOT
from tests.wasm.modules import function_module

HEADER = b"\0asm\x01\0\0\0"
FIXTURES = sorted((ROOT / "fixtures").rglob("*.wasm"))

#: Bytes, the message they get, and the offset at which they are wrong.
MALFORMED = {
    "empty file": (b"", "unexpected end: the file is empty", 0),
    "part of the magic": (b"\0as", "unexpected end: this is not a module", 3),
    "text": (b"(module)", "magic header not detected: this is the text format; assemble it", 0),
    "text, commented": (b" ;; hello\n(module)", "magic header not detected: this is the text", 0),
    "something else": (b"\x7fELF\x02\x01\x01\0", "magic header not detected", 0),
    "part of the version": (b"\0asm\x01\0", "unexpected end", 6),
    "other version": (b"\0asm\x02\0\0\0", "unknown binary version", 4),
    "component": (
        b"\0asm\x0d\0\x01\0",
        "unknown binary version: this is a component, not a core module",
        4,
    ),
    "unknown section": (HEADER + b"\x0e\0", "malformed section id", 8),
    "tag section": (
        HEADER + section(13, b"\0"),
        "malformed section id: exception handling is not supported",
        8,
    ),
    "section past the end": (HEADER + b"\x01\x05\0", "length out of bounds", 9),
    "section too short": (HEADER + b"\x01\x01\x01\x60\0\0", "section size mismatch", 14),
    "section too long": (HEADER + section(1, b"\0\0"), "section size mismatch", 11),
    "section twice": (
        HEADER + section(1, b"\0") * 2,
        "unexpected content after last section",
        11,
    ),
    "sections out of order": (
        HEADER + section(3, b"\0") + section(1, b"\0"),
        "unexpected content after last section",
        11,
    ),
    "overlong count": (
        HEADER + section(1, b"\x80\x80\x80\x80\x80\0"),
        "integer representation too long",
        10,
    ),
    "count out of range": (HEADER + section(1, b"\xff\xff\xff\xff\x7f"), "integer too large", 10),
    "garbage collection": (
        HEADER + section(1, b"\x01\x5f\0"),
        "malformed function type: garbage collection is not supported",
        11,
    ),
    "typed references": (
        HEADER + section(1, b"\x01\x60\x01\x64\0"),
        "malformed value type: typed function references are not supported",
        13,
    ),
    "no such type": (HEADER + section(1, b"\x01\x60\x01\x01\0"), "malformed value type: 0x01", 13),
    "memory64": (
        HEADER + section(5, b"\x01\x04\x01"),
        "integer too large: memory64 is not supported",
        11,
    ),
    "shared memory": (
        HEADER + section(5, b"\x01\x03\x01\x01"),
        "integer too large: threads are not supported",
        11,
    ),
    "mutability": (HEADER + section(6, b"\x01\x7f\x02\x41\0\x0b"), "malformed mutability", 12),
    "import kind": (HEADER + section(2, b"\x01\0\0\x05\0"), "malformed import kind", 13),
    "imported tag": (
        HEADER + section(2, b"\x01\0\0\x04\0\0"),
        "malformed import kind: exception handling is not supported",
        13,
    ),
    "export kind": (HEADER + section(7, b"\x01\0\x09\0"), "malformed export kind", 12),
    "name that is no UTF-8": (
        HEADER + section(7, b"\x01\x02a\xff\0\0"),
        "malformed UTF-8 encoding",
        13,
    ),
    "surrogate in a name": (
        HEADER + section(0, b"\x03\xed\xa0\x80"),
        "malformed UTF-8 encoding",
        11,
    ),
    "custom section shorter than its name": (
        HEADER + b"\0\x02\x05abcdefgh",
        "unexpected end",
        12,
    ),
    "functions without code": (
        HEADER + section(1, b"\x01\x60\0\0") + section(3, b"\x01\0"),
        "function and code section have inconsistent lengths",
        18,
    ),
    "data count that is wrong": (
        HEADER + section(12, b"\x01"),
        "data count and data section have inconsistent lengths",
        11,
    ),
    "element segment": (HEADER + section(9, b"\x01\x08"), "malformed elements segment kind", 11),
    "data segment": (HEADER + section(11, b"\x01\x03"), "malformed data segment kind", 11),
}

#: Bodies that are no instructions: the message, and the offset in the body.
MALFORMED_BODIES = {
    "no end": (b"\x01", "END opcode expected", 1),
    "bytes after the end": (b"\x0b\x01", "section size mismatch: there are bytes after", 1),
    "block without end": (b"\x02\x40\x0b", "END opcode expected", 3),
    "else without if": (b"\x02\x40\x05\x0b\x0b", "END opcode expected: an else without if", 2),
    "else twice": (b"\x41\0\x04\x40\x05\x05\x0b\x0b", "END opcode expected: an else", 5),
    "unknown": (b"\xff\x0b", "illegal opcode ff", 0),
    "unknown prefix": (b"\xfc\x7f\x0b", "illegal opcode fc 7f", 0),
    "tail call": (b"\x12\0\x0b", "illegal opcode 12: tail calls are not supported", 0),
    "exceptions": (b"\x1f\x40\0\x0b\x0b", "illegal opcode 1f: exception handling is not", 0),
    "threads": (b"\xfe\x03\0\x0b", "illegal opcode fe: threads are not supported", 0),
    "relaxed SIMD": (b"\xfd\x80\x02\x0b", "illegal opcode fd 80 02: relaxed SIMD is not", 0),
    "reference calls": (b"\x14\0\x0b", "illegal opcode 14: typed function references are", 0),
    "structures": (b"\xfb\0\0\x0b", "illegal opcode fb: garbage collection is not", 0),
    "second memory": (b"\x3f\x01\x1a\x0b", "zero byte expected: multiple memories are not", 1),
    "memory in a memarg": (b"\x41\0\x28\x42\0\0\x1a\x0b", "malformed memop flags: multiple", 3),
    "overlong constant": (b"\x41\x80\x80\x80\x80\x80\0\x1a\x0b", "integer representation too", 1),
    "constant out of range": (b"\x41\xff\xff\xff\xff\x4f\x1a\x0b", "integer too large", 1),
    "overlong i64": (b"\x42" + b"\x80" * 10 + b"\0\x1a\x0b", "integer representation too", 1),
    "immediate that the end cuts off": (b"\x41", "END opcode expected", 1),
    "block type": (b"\x02\x7a\x0b\x0b", "malformed value type: 0x7a", 1),
    "too many labels": (b"\0\x0e\xf1\xff\x03", "too many labels: 65520 at most", 2),
}


@pytest.mark.parametrize(("data", "message", "offset"), MALFORMED.values(), ids=MALFORMED)
def test_malformed(data: bytes, message: str, offset: int) -> None:
    with pytest.raises(DecodeError) as raised:
        load(data)
    assert raised.value.message.startswith(message)
    assert raised.value.offset == offset
    assert str(raised.value) == f"{raised.value.message} (at byte {offset:#x})"


@pytest.mark.parametrize(
    ("body", "message", "offset"), MALFORMED_BODIES.values(), ids=MALFORMED_BODIES
)
def test_malformed_body(body: bytes, message: str, offset: int) -> None:
    data = function_module(FuncType(), body)
    start = decode(data).functions[0].body.start
    with pytest.raises(DecodeError) as raised:
        load(data)
    assert raised.value.message.startswith(message)
    assert raised.value.offset == start + offset


@pytest.mark.parametrize("path", FIXTURES, ids=lambda path: path.name)
def test_no_prefix_of_a_module_does_harm(path: Path) -> None:
    data = path.read_bytes()
    boundaries = {8, *(section.content.end for section in decode(data).sections)}
    for size in {*range(min(len(data), 200)), *range(0, len(data), 1 + len(data) // 100)}:
        try:
            load(data[:size])
        except WasmError:
            continue
        assert size in boundaries


def test_sections_and_spans() -> None:
    data = module(
        section(1, b"\x01\x60\x01\x7f\x01\x7c"),
        section(0, name("extra") + b"hello"),
        section(5, b"\x01\x01\x02\x03"),
        section(11, b"\x01\x01" + vector([b"a", b"b", b"c"])),
    )
    found = decode(data)
    assert [entry.name for entry in found.sections] == ["type", "custom", "memory", "data"]
    assert found.types == (FuncType((ValType.I32,), (ValType.F64,)),)
    (custom,) = found.custom_sections
    assert (custom.name, data[slice(*custom.content)]) == ("extra", b"hello")
    (segment,) = found.data_segments
    assert (segment.offset, data[slice(*segment.init)]) == (None, b"abc")
    assert found.sections[-1].content == Span(len(data) - 6, len(data))


@pytest.mark.parametrize("make", [bytes, bytearray, memoryview])
def test_any_bytes_will_do(make: Callable[[bytes], bytes]) -> None:
    assert decode(make(function_module(FuncType(), b"\x0b"))).functions


def test_long_indices_are_short_enough() -> None:
    # The largest LEB128 of an index takes five bytes, of which four are padding here.
    body = b"\x41\x00\x1a" + b"\xd2" + b"\x80\x80\x80\x80\x00" + b"\x1a\x0b"
    assert load(function_module(FuncType(), body)).module.functions
    assert unsigned(0x7FFFFFFF) == b"\xff\xff\xff\xff\x07"
