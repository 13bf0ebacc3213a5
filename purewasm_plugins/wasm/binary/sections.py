"""Decoding of modules and sections (core specification, section 5.5).

Function bodies and constant expressions are delimited but not decoded; the validator decodes a body
in its one pass. No function is recursive, and no memory is allocated from a count alone: only from
items that the bytes contain.

Every error is a `DecodeError` with the byte offset. Its message begins with the wording of the
specification's test suite.
"""

from __future__ import annotations

from itertools import chain, repeat

from purewasm_plugins.errors import DecodeError, OutOfMemory
from purewasm_plugins.support.records import Record
from purewasm_plugins.support.typed import Callable, TypeVar
from purewasm_plugins.wasm import limits
from purewasm_plugins.wasm.binary.instructions import read_immediates, read_opcode
from purewasm_plugins.wasm.binary.primitives import (
    read_byte,
    read_name,
    read_reference_type,
    read_signed,
    read_unsigned,
    read_value_type,
    read_value_types,
)
from purewasm_plugins.wasm.module import (
    Code,
    CustomSection,
    DataSegment,
    ElementSegment,
    Export,
    Global,
    Import,
    Module,
    Section,
    Span,
)
from purewasm_plugins.wasm.types import (
    ExternKind,
    FuncType,
    GlobalType,
    Limits,
    MemoryType,
    TableType,
    ValType,
)

__all__ = ["decode"]

MAGIC = b"\0asm"
VERSION = b"\x01\0\0\0"
#: The version field of a component.
_COMPONENT_VERSION = b"\x0d\0\x01\0"

_Item = TypeVar("_Item")
_Reader = Callable[[bytes, int], tuple[_Item, int]]


def decode(data: bytes | bytearray | memoryview) -> Module:
    """Decode a module.

    The instructions of function bodies are not decoded, and the module is not validated.

    Raises:
        DecodeError: the bytes are not a module.
        OutOfMemory: Python has no memory for the module's definitions.
    """
    try:
        return _decoded(bytes(data))
    except MemoryError:
        pass
    # Raised outside of the handler, where the decoded part is freed and there is memory again.
    raise OutOfMemory


def _decoded(data: bytes) -> Module:
    _check_header(data)
    contents = _Contents()
    position = len(MAGIC) + len(VERSION)
    order = 0
    while position < len(data):
        identifier = data[position]
        if identifier == 0:
            position = _custom_section(data, position + 1, contents)
            continue
        section = _SECTIONS.get(identifier)
        if section is None:
            later = ": exception handling is not supported" if identifier == 13 else ""
            raise DecodeError(f"malformed section id{later}", position)
        if section.order <= order:
            # The section is out of order, or the second of its kind.
            raise DecodeError("unexpected content after last section", position)
        order = section.order
        start, end = _section_content(data, position + 1)
        position = section.read(data, start, contents)
        if position != end:
            raise DecodeError("section size mismatch", position)
        contents.sections.append(Section(section.name, Span(start, end)))
    return contents.module(data)


def _check_header(data: bytes) -> None:
    if not data:
        raise DecodeError("unexpected end: the file is empty", 0)
    if len(data) > limits.MAX_MODULE_SIZE:
        raise DecodeError(f"module larger than {limits.MAX_MODULE_SIZE} bytes", 0)
    magic, version = data[:4], data[4:8]
    if magic != MAGIC:
        if len(data) < len(MAGIC):
            raise DecodeError("unexpected end: this is not a module", len(data))
        text = data[:256].lstrip()
        hint = ": this is the text format; assemble it first" if text[:1] in (b"(", b";") else ""
        raise DecodeError(f"magic header not detected{hint}", 0)
    if version == _COMPONENT_VERSION:
        raise DecodeError("unknown binary version: this is a component, not a core module", 4)
    if version != VERSION:
        if VERSION.startswith(version):
            raise DecodeError("unexpected end", len(data))
        raise DecodeError("unknown binary version", 4)


class _Contents:
    """The content of the sections that have been read."""

    types: tuple[FuncType, ...] = ()
    imports: tuple[Import, ...] = ()
    function_types: tuple[int, ...] = ()
    tables: tuple[TableType, ...] = ()
    memories: tuple[MemoryType, ...] = ()
    globals: tuple[Global, ...] = ()
    exports: tuple[Export, ...] = ()
    start: int | None = None
    elements: tuple[ElementSegment, ...] = ()
    data_count: int | None = None
    functions: tuple[Code, ...] = ()
    data_segments: tuple[DataSegment, ...] = ()

    def __init__(self) -> None:
        self.custom_sections: list[CustomSection] = []
        self.sections: list[Section] = []
        self._totals: dict[str, int] = {}

    def add(self, count: int, what: str, maximum: int, position: int) -> None:
        """Count things whose sum over the module is bounded.

        Raises:
            DecodeError: the sum exceeds `maximum`.
        """
        total = self._totals[what] = self._totals.get(what, 0) + count
        if total > maximum:
            raise DecodeError(f"too many {what} in all: {maximum} at most", position)

    def define(self, count: int, position: int) -> None:
        """Count definitions, whose sum is bounded by `limits.MAX_DEFINITIONS`."""
        self.add(count, "definitions", limits.MAX_DEFINITIONS, position)

    def definitions(
        self, data: bytes, position: int, read: _Reader[_Item], maximum: int, what: str
    ) -> tuple[tuple[_Item, ...], int]:
        """Read the vector of definitions that a section consists of."""
        count, _ = read_unsigned(data, position)
        if count <= maximum:
            self.define(count, position)
        return _vector(data, position, read, maximum, what)

    def module(self, data: bytes) -> Module:
        if len(self.functions) != len(self.function_types):
            message = "function and code section have inconsistent lengths"
            raise DecodeError(message, len(data))
        if self.data_count not in (None, len(self.data_segments)):
            message = "data count and data section have inconsistent lengths"
            raise DecodeError(message, len(data))
        return Module(
            data=data,
            types=self.types,
            imports=self.imports,
            functions=self.functions,
            tables=self.tables,
            memories=self.memories,
            globals=self.globals,
            exports=self.exports,
            start=self.start,
            elements=self.elements,
            data_count=self.data_count,
            data_segments=self.data_segments,
            custom_sections=tuple(self.custom_sections),
            sections=tuple(self.sections),
        )


def _section_content(data: bytes, position: int) -> tuple[int, int]:
    size, start = read_unsigned(data, position)
    if size > len(data) - start:
        raise DecodeError("length out of bounds", position)
    return start, start + size


def _custom_section(data: bytes, position: int, contents: _Contents) -> int:
    start, end = _section_content(data, position)
    name, after_name = read_name(data, start)
    if after_name > end:
        raise DecodeError("unexpected end of section or function", end)
    contents.define(1, position)
    contents.custom_sections.append(CustomSection(name, Span(after_name, end)))
    contents.sections.append(Section("custom", Span(start, end)))
    return end


def _vector(
    data: bytes, position: int, read: _Reader[_Item], maximum: int, what: str
) -> tuple[tuple[_Item, ...], int]:
    """Read a vector: a count and that many items (section 5.1.3)."""
    start = position
    count, position = read_unsigned(data, position)
    if count > maximum:
        raise DecodeError(f"too many {what}: {count}, of {maximum} at most", start)
    items = []
    # Every item takes at least one byte, so a count that is too large reaches the end of the bytes.
    for _ in range(count):
        item, position = read(data, position)
        items.append(item)
    return tuple(items), position


# Types (section 5.3)

#: The first byte of a function type, as a signed integer; positive ones are type indices.
FORM_FUNCTION = 0x60 - 0x80


def _function_type(data: bytes, position: int) -> tuple[FuncType, int]:
    form, after = read_signed(data, position, 7)
    if form != FORM_FUNCTION:
        later = form & 0x7F in (0x4E, 0x4F, 0x50, 0x5E, 0x5F)
        reason = "garbage collection is not supported" if later else f"{form & 0x7F:#04x}"
        raise DecodeError(f"malformed function type: {reason}", position)
    params, after = read_value_types(data, after)
    if len(params) > limits.MAX_PARAMETERS:
        raise DecodeError(f"too many parameters: {limits.MAX_PARAMETERS} at most", position)
    results, after = read_value_types(data, after)
    if len(results) > limits.MAX_RESULTS:
        raise DecodeError(f"too many results: {limits.MAX_RESULTS} at most", position)
    return FuncType(params, results), after


def _limits(data: bytes, position: int) -> tuple[Limits, int]:
    flags = data[position] if position < len(data) else 0
    if 2 <= flags <= 3:
        raise DecodeError("integer too large: threads are not supported", position)
    if 4 <= flags <= 7:
        raise DecodeError("integer too large: memory64 is not supported", position)
    has_maximum, position = read_unsigned(data, position, 1)
    minimum, position = read_unsigned(data, position)
    if not has_maximum:
        return Limits(minimum), position
    maximum, position = read_unsigned(data, position)
    return Limits(minimum, maximum), position


def _table_type(data: bytes, position: int) -> tuple[TableType, int]:
    element, position = read_reference_type(data, position)
    size, position = _limits(data, position)
    return TableType(element, size), position


def _memory_type(data: bytes, position: int) -> tuple[MemoryType, int]:
    size, position = _limits(data, position)
    return MemoryType(size), position


def _global_type(data: bytes, position: int) -> tuple[GlobalType, int]:
    value, position = read_value_type(data, position)
    mutable, after = read_byte(data, position)
    if mutable > 1:
        raise DecodeError("malformed mutability", position)
    return GlobalType(value, mutable == 1), after


# What sections hold (section 5.5)


def _import(data: bytes, position: int) -> tuple[Import, int]:
    module, position = read_name(data, position)
    name, position = read_name(data, position)
    kind, after = read_byte(data, position)
    type_: int | TableType | MemoryType | GlobalType
    if kind == ExternKind.FUNCTION:
        type_, after = read_unsigned(data, after)
    elif kind == ExternKind.TABLE:
        type_, after = _table_type(data, after)
    elif kind == ExternKind.MEMORY:
        type_, after = _memory_type(data, after)
    elif kind == ExternKind.GLOBAL:
        type_, after = _global_type(data, after)
    else:
        later = ": exception handling is not supported" if kind == 4 else ""
        raise DecodeError(f"malformed import kind{later}", position)
    return Import(module, name, type_), after


def _global(data: bytes, position: int) -> tuple[Global, int]:
    type_, position = _global_type(data, position)
    init, position = _expression(data, position)
    return Global(type_, init), position


_EXTERN_KINDS = {int(kind): kind for kind in ExternKind}


def _export(data: bytes, position: int) -> tuple[Export, int]:
    name, position = read_name(data, position)
    byte, after = read_byte(data, position)
    kind = _EXTERN_KINDS.get(byte)
    if kind is None:
        later = ": exception handling is not supported" if byte == 4 else ""
        raise DecodeError(f"malformed export kind{later}", position)
    index, after = read_unsigned(data, after)
    return Export(name, kind, index), after


def _expression(data: bytes, position: int) -> tuple[Span, int]:
    """Delimit a constant expression by its `end`; the validator checks its content."""
    start = position
    depth = 1
    while depth:
        opcode, position = read_opcode(data, position)
        _, position = read_immediates(data, position, opcode)
        if opcode.mnemonic in ("block", "loop", "if"):
            depth += 1
        elif opcode.mnemonic == "end":
            depth -= 1
    return Span(start, position), position


def _element_segment(data: bytes, position: int, contents: _Contents) -> tuple[ElementSegment, int]:
    start = position
    flags, position = read_unsigned(data, position)
    if flags > 7:
        raise DecodeError("malformed elements segment kind", start)
    passive, explicit, expressions = flags & 1, flags & 2, flags & 4
    table, offset = 0, None
    mode = ("declarative" if explicit else "passive") if passive else "active"
    if not passive:
        if explicit:
            table, position = read_unsigned(data, position)
        offset, position = _expression(data, position)
    type_ = ValType.FUNCREF
    if passive or explicit:
        if expressions:
            type_, position = read_reference_type(data, position)
        else:
            kind, after = read_byte(data, position)
            if kind:
                raise DecodeError("malformed element kind", position)
            position = after
    count, _ = read_unsigned(data, position)
    contents.add(count, "items", limits.MAX_ITEMS, position)
    if expressions:
        contents.define(count, position)
    items: tuple[int, ...] | tuple[Span, ...]
    if expressions:
        items, position = _vector(data, position, _expression, limits.MAX_ITEMS, "items")
    else:
        items, position = _vector(data, position, read_unsigned, limits.MAX_ITEMS, "items")
    return ElementSegment(mode, table, offset, type_, items), position


def _data_segment(data: bytes, position: int) -> tuple[DataSegment, int]:
    start = position
    flags, position = read_unsigned(data, position)
    if flags > 2:
        raise DecodeError("malformed data segment kind", start)
    memory, offset = 0, None
    if flags == 2:
        memory, position = read_unsigned(data, position)
    if flags != 1:
        offset, position = _expression(data, position)
    size, first = read_unsigned(data, position)
    if size > len(data) - first:
        raise DecodeError("unexpected end of section or function", position)
    return DataSegment(memory, offset, Span(first, first + size)), first + size


def _locals(data: bytes, position: int) -> tuple[tuple[int, ValType], int]:
    count, position = read_unsigned(data, position)
    type_, position = read_value_type(data, position)
    return (count, type_), position


# Sections (section 5.5.2)


def _type_section(data: bytes, position: int, contents: _Contents) -> int:
    def read(data: bytes, position: int) -> tuple[FuncType, int]:
        type_, after = _function_type(data, position)
        values = len(type_.params) + len(type_.results)
        contents.add(values, "parameters and results", limits.MAX_TYPE_VALUES, position)
        return type_, after

    contents.types, position = contents.definitions(data, position, read, limits.MAX_TYPES, "types")
    return position


def _import_section(data: bytes, position: int, contents: _Contents) -> int:
    contents.imports, position = contents.definitions(
        data, position, _import, limits.MAX_IMPORTS, "imports"
    )
    return position


def _function_section(data: bytes, position: int, contents: _Contents) -> int:
    contents.function_types, position = contents.definitions(
        data, position, read_unsigned, limits.MAX_FUNCTIONS, "functions"
    )
    return position


def _table_section(data: bytes, position: int, contents: _Contents) -> int:
    contents.tables, position = contents.definitions(
        data, position, _table_type, limits.MAX_TABLES, "tables"
    )
    return position


def _memory_section(data: bytes, position: int, contents: _Contents) -> int:
    contents.memories, position = contents.definitions(
        data, position, _memory_type, limits.MAX_MEMORIES, "memories"
    )
    return position


def _global_section(data: bytes, position: int, contents: _Contents) -> int:
    contents.globals, position = contents.definitions(
        data, position, _global, limits.MAX_GLOBALS, "globals"
    )
    return position


def _export_section(data: bytes, position: int, contents: _Contents) -> int:
    contents.exports, position = contents.definitions(
        data, position, _export, limits.MAX_EXPORTS, "exports"
    )
    return position


def _start_section(data: bytes, position: int, contents: _Contents) -> int:
    contents.start, position = read_unsigned(data, position)
    return position


def _element_section(data: bytes, position: int, contents: _Contents) -> int:
    def read(data: bytes, position: int) -> tuple[ElementSegment, int]:
        return _element_segment(data, position, contents)

    contents.elements, position = contents.definitions(
        data, position, read, limits.MAX_ELEMENT_SEGMENTS, "element segments"
    )
    return position


def _data_count_section(data: bytes, position: int, contents: _Contents) -> int:
    contents.data_count, position = read_unsigned(data, position)
    return position


def _code_section(data: bytes, position: int, contents: _Contents) -> int:
    count, position = read_unsigned(data, position)
    if count > limits.MAX_FUNCTIONS:
        raise DecodeError(f"too many functions: {limits.MAX_FUNCTIONS} at most", position)
    functions = []
    # A type index is missing only where the two sections have different lengths, which `module`
    # reports.
    type_indices = chain(contents.function_types, repeat(0))
    for _, type_index in zip(range(count), type_indices, strict=False):
        body_start, end = _section_content(data, position)
        if end - body_start > limits.MAX_FUNCTION_SIZE:
            message = f"function body larger than {limits.MAX_FUNCTION_SIZE} bytes"
            raise DecodeError(message, position)
        locals_: tuple[tuple[int, ValType], ...] = ()
        position = body_start + 1
        if data[body_start:position] != b"\0":
            locals_, position = _vector(data, body_start, _locals, limits.MAX_LOCALS, "locals")
        if locals_:
            contents.define(len(locals_), body_start)
            if sum(count for count, _ in locals_) > limits.MAX_LOCALS:
                raise DecodeError(f"too many locals: {limits.MAX_LOCALS} at most", body_start)
        if position > end:
            raise DecodeError("unexpected end of section or function", end)
        functions.append(Code(type_index, locals_, Span(position, end)))
        position = end
    contents.functions = tuple(functions)
    return position


def _data_section(data: bytes, position: int, contents: _Contents) -> int:
    contents.data_segments, position = contents.definitions(
        data, position, _data_segment, limits.MAX_DATA_SEGMENTS, "data segments"
    )
    return position


class _SectionKind(Record):
    """A kind of section: its position in the order, its name, and its reader."""

    order: int
    name: str
    read: Callable[[bytes, int, _Contents], int]


#: By section id. The order differs from that of the ids: the data count section was added later.
_SECTIONS = {
    1: _SectionKind(1, "type", _type_section),
    2: _SectionKind(2, "import", _import_section),
    3: _SectionKind(3, "function", _function_section),
    4: _SectionKind(4, "table", _table_section),
    5: _SectionKind(5, "memory", _memory_section),
    6: _SectionKind(6, "global", _global_section),
    7: _SectionKind(7, "export", _export_section),
    8: _SectionKind(8, "start", _start_section),
    9: _SectionKind(9, "element", _element_section),
    12: _SectionKind(10, "data count", _data_count_section),
    10: _SectionKind(11, "code", _code_section),
    11: _SectionKind(12, "data", _data_section),
}

#: The numbers of the sections by their names, as `Section.name` has them, in the order in which
#: they appear in a module. A custom section may appear anywhere.
SECTION_IDS = {"custom": 0} | {kind.name: identifier for identifier, kind in _SECTIONS.items()}
