"""Modules, sections, types and instructions as bytes: the inverse of the decoder (section 5).

Each function returns the encoding of its argument, so a module is written from the inside out:

    >>> from purewasm_plugins.wasm import FuncType, ValType
    >>> body = encode("local.get", 0) + encode("i32.const", 1) + encode("i32.add") + encode("end")
    >>> data = module(
    ...     section("type", vector([function_type(FuncType((ValType.I32,), (ValType.I32,)))])),
    ...     section("function", vector([unsigned(0)])),
    ...     section("code", vector([code([], body)])),
    ... )
    >>> len(data)
    31

Arguments have the form in which the decoder returns them. Integers are as short as they can be.
Nothing checks that the result is a valid module: that is what `purewasm_plugins.wasm.load` does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from purewasm_plugins.wasm.binary.sections import FORM_FUNCTION, MAGIC, SECTION_IDS, VERSION
from purewasm_plugins.wasm.module import Export, Import
from purewasm_plugins.wasm.opcodes import BY_MNEMONIC, Immediates, Opcode
from purewasm_plugins.wasm.types import (
    ExternKind,
    FuncType,
    GlobalType,
    Limits,
    MemoryType,
    TableType,
    ValType,
)

__all__ = [
    "code",
    "data_segment",
    "element_segment",
    "encode",
    "export",
    "function_type",
    "global_type",
    "import_",
    "limits",
    "memory_type",
    "module",
    "name",
    "section",
    "signed",
    "table_type",
    "unsigned",
    "vector",
]


# Values (section 5.2) and vectors (section 5.1.3)


def unsigned(value: int) -> bytes:
    """Encode an unsigned integer as LEB128 (section 5.2.2).

    Raises:
        ValueError: the integer is negative.
    """
    if value < 0:
        raise ValueError(f"an unsigned integer cannot be negative: {value}")
    encoded = bytearray()
    while value > 0x7F:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)


def signed(value: int) -> bytes:
    """Encode a signed integer as LEB128 (section 5.2.2)."""
    encoded = bytearray()
    while not -0x40 <= value < 0x40:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    encoded.append(value & 0x7F)
    return bytes(encoded)


def vector(items: Iterable[bytes]) -> bytes:
    """Encode a vector: the number of its items, then the items (section 5.1.3)."""
    listed = list(items)
    return unsigned(len(listed)) + b"".join(listed)


def name(text: str) -> bytes:
    """Encode a name: its length in bytes, then its UTF-8 (section 5.2.4).

    Raises:
        UnicodeEncodeError: the text has a lone surrogate.
    """
    encoded = text.encode("utf-8")
    return unsigned(len(encoded)) + encoded


# Types (section 5.3)


def _value_types(types: Iterable[ValType]) -> bytes:
    encoded = bytes(types)
    return unsigned(len(encoded)) + encoded


def function_type(type_: FuncType) -> bytes:
    """Encode a function type (section 5.3.6)."""
    return signed(FORM_FUNCTION) + _value_types(type_.params) + _value_types(type_.results)


def limits(value: Limits) -> bytes:
    """Encode limits (section 5.3.7)."""
    if value.maximum is None:
        return b"\x00" + unsigned(value.minimum)
    return b"\x01" + unsigned(value.minimum) + unsigned(value.maximum)


def memory_type(type_: MemoryType) -> bytes:
    """Encode a memory type (section 5.3.8)."""
    return limits(type_.limits)


def table_type(type_: TableType) -> bytes:
    """Encode a table type (section 5.3.9)."""
    return bytes((type_.element,)) + limits(type_.limits)


def global_type(type_: GlobalType) -> bytes:
    """Encode a global type (section 5.3.10)."""
    return bytes((type_.value, type_.mutable))


# Instructions (section 5.4)


def _index(index: int) -> bytes:
    # Most indices are below 128, and then the encoding is the byte itself.
    return bytes((index,)) if 0 <= index < 0x80 else unsigned(index)


def _indices(*indices: int) -> bytes:
    return b"".join(map(_index, indices))


def _block_type(type_: ValType | int | None) -> bytes:
    if type_ is None:
        return b"\x40"
    return bytes((type_,)) if isinstance(type_, ValType) else signed(type_)


def _label_table(labels: Iterable[int], default: int) -> bytes:
    return vector(map(_index, labels)) + _index(default)


def _memory_argument(alignment: int, offset: int) -> bytes:
    return _index(alignment) + _index(offset)


def _memory_argument_and_lane(alignment: int, offset: int, lane: int) -> bytes:
    return _index(alignment) + _index(offset) + bytes((lane,))


def _nothing() -> bytes:
    return b""


def _byte(value: int) -> bytes:
    return bytes((value,))


def _bytes(*values: int) -> bytes:
    return bytes(values)


_WRITERS: dict[Immediates, Callable[..., bytes]] = {
    Immediates.NONE: _nothing,
    Immediates.BLOCK_TYPE: _block_type,
    Immediates.LABEL: _index,
    Immediates.LABEL_TABLE: _label_table,
    Immediates.FUNCTION: _index,
    Immediates.CALL_INDIRECT: _indices,
    Immediates.LOCAL: _index,
    Immediates.GLOBAL: _index,
    Immediates.TABLE: _index,
    Immediates.TABLE_TABLE: _indices,
    Immediates.ELEMENT: _index,
    Immediates.ELEMENT_TABLE: _indices,
    Immediates.DATA: _index,
    Immediates.DATA_MEMORY: _indices,
    Immediates.MEMORY: _byte,
    Immediates.MEMORY_MEMORY: _bytes,
    Immediates.MEMARG: _memory_argument,
    Immediates.MEMARG_LANE: _memory_argument_and_lane,
    Immediates.LANE: _byte,
    Immediates.LANES16: bytes,
    Immediates.REF_TYPE: _byte,
    Immediates.SELECT_TYPES: _value_types,
    Immediates.I32: signed,
    Immediates.I64: signed,
    Immediates.F32: lambda bits: bits.to_bytes(4, "little"),
    Immediates.F64: lambda bits: bits.to_bytes(8, "little"),
    Immediates.V128: bytes,
}


def encode(opcode: Opcode | str, *immediates: Any) -> bytes:
    """Encode an instruction (section 5.4).

    Args:
        opcode: its row of the opcode table, or its mnemonic. The mnemonic `select` is the form
            without types; the other form is `BY_CODE[0x1C]`.
        immediates: as `Immediates` says for the opcode.

    Raises:
        KeyError: no instruction has this mnemonic.
        TypeError: the number of immediates is wrong.

    Example:
        >>> encode("i32.load", 2, 16).hex()
        '280210'
    """
    if isinstance(opcode, str):
        opcode = BY_MNEMONIC[opcode]
    code = opcode.code
    prefix, number = divmod(code, 0x100)
    start = bytes((prefix,)) + unsigned(number) if prefix else bytes((code,))
    return start + _WRITERS[opcode.immediates](*immediates)


# Modules (section 5.5)


def import_(entry: Import) -> bytes:
    """Encode an import (section 5.5.5)."""
    match entry.type:
        case int():
            kind, type_ = ExternKind.FUNCTION, unsigned(entry.type)
        case TableType():
            kind, type_ = ExternKind.TABLE, table_type(entry.type)
        case MemoryType():
            kind, type_ = ExternKind.MEMORY, memory_type(entry.type)
        case GlobalType():
            kind, type_ = ExternKind.GLOBAL, global_type(entry.type)
    return name(entry.module) + name(entry.name) + bytes((kind,)) + type_


def export(entry: Export) -> bytes:
    """Encode an export (section 5.5.10)."""
    return name(entry.name) + bytes((entry.kind,)) + unsigned(entry.index)


#: The lowest two bits of an element segment's flags, by its mode.
_ELEMENT_MODES = {"active": 2, "passive": 1, "declarative": 3}


def element_segment(
    mode: str,
    items: Iterable[int | bytes],
    *,
    type_: ValType = ValType.FUNCREF,
    table: int | None = 0,
    offset: bytes = b"",
    expressions: bool | None = None,
) -> bytes:
    """Encode an element segment (section 5.5.12).

    Args:
        mode: "active", "passive" or "declarative".
        items: indices of functions, or constant expressions with their `end`.
        type_: the type of the items.
        table: the table that an active segment initialises; None for table 0 in the short form,
            which only references to functions have.
        offset: the constant expression of an active segment's offset, with its `end`.
        expressions: whether the items are expressions, for a segment that may have none; None finds
            it out from the items.
    """
    listed = list(items)
    # Only references to functions can be encoded as indices.
    by_index = type_ is ValType.FUNCREF and all(isinstance(item, int) for item in listed)
    by_index = by_index and not expressions
    short = mode == "active" and table is None
    encoded = unsigned((0 if short else _ELEMENT_MODES[mode]) | (0 if by_index else 4))
    if table is not None and mode == "active":
        encoded += unsigned(table)
    encoded += offset
    if not short:
        encoded += bytes((0 if by_index else type_,))
    return encoded + vector(unsigned(item) if isinstance(item, int) else item for item in listed)


def data_segment(content: bytes, offset: bytes | None = None, memory: int = 0) -> bytes:
    """Encode a data segment (section 5.5.14).

    Args:
        content: its bytes.
        offset: the constant expression of an active segment's offset, with its `end`; None for a
            passive segment.
        memory: the memory that an active segment initialises.
    """
    if offset is None:
        start = b"\x01"
    else:
        start = (b"\x02" + unsigned(memory) if memory else b"\x00") + offset
    return start + unsigned(len(content)) + content


def code(locals_: Iterable[tuple[int, ValType]], body: bytes) -> bytes:
    """Encode an item of the code section (section 5.5.13).

    Args:
        locals_: the declared locals, as (count, type).
        body: the instructions, the final `end` included.
    """
    content = vector(unsigned(count) + bytes((type_,)) for count, type_ in locals_) + body
    return unsigned(len(content)) + content


def section(kind: str | int, content: bytes) -> bytes:
    """Encode a section (section 5.5.2).

    Args:
        kind: its name, as in `SECTION_IDS`, or its number.
        content: for most sections a vector of their items; for a custom section its name, then
            any bytes.
    """
    identifier = SECTION_IDS[kind] if isinstance(kind, str) else kind
    return bytes((identifier,)) + unsigned(len(content)) + content


def module(*sections: bytes) -> bytes:
    """Encode a module of these sections (section 5.5.16).

    Sections must be in the order of `SECTION_IDS`; custom sections may be anywhere.
    """
    return MAGIC + VERSION + b"".join(sections)
