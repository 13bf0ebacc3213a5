"""Printing of modules in the text format (core specification, section 6).

Each instruction is a line, unfolded and indented. Definitions have the names of the name section.
The text can be assembled to the same module, without its custom sections. Any module that can be
decoded can be printed, valid or not: lines are generated one at a time, and no function is
recursive.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import NamedTuple

from purewasm_plugins.wasm.binary.instructions import Instruction, instructions
from purewasm_plugins.wasm.module import Code, DataSegment, ElementSegment, Import, Module, Span
from purewasm_plugins.wasm.opcodes import Immediates
from purewasm_plugins.wasm.symbols.names import Names, read_names
from purewasm_plugins.wasm.types import (
    ExternKind,
    FuncType,
    GlobalType,
    MemoryType,
    TableType,
    ValType,
)

__all__ = [
    "MAX_INDENTATION",
    "BodyLine",
    "Identifiers",
    "body_lines",
    "disassemble",
    "format_instruction",
]

#: The characters that an identifier cannot have (section 6.3.5).
_NOT_IN_IDENTIFIERS = re.compile(r"[^0-9A-Za-z!#$%&'*+\-./:<=>?@\\^_`|~]")

#: The most levels of nesting that are indented. Deeper lines are not indented further: they would
#: leave the screen.
MAX_INDENTATION = 12

#: The bytes of a data segment on a line, and the items of an element segment.
DATA_PER_LINE = 48
ITEMS_PER_LINE = 12


def _identifiers(names: Mapping[int, str]) -> dict[int, str]:
    """Make a different identifier for each name."""
    found: dict[int, str] = {}
    taken = set()
    for index, name in names.items():
        base = identifier = "$" + _NOT_IN_IDENTIFIERS.sub("_", name)
        if base == "$":
            continue
        if identifier in taken:
            identifier = f"{base}.{index}"
        while identifier in taken:
            identifier += "_"
        taken.add(identifier)
        found[index] = identifier
    return found


class Identifiers:
    """The identifiers of a module's definitions; a definition without a name has none."""

    def __init__(self, names: Names | None = None) -> None:
        names = names or Names()
        self._names = names
        self.module = _identifiers({} if names.module is None else {0: names.module}).get(0)
        self.functions = _identifiers(names.functions)
        self.types = _identifiers(names.types)
        self.tables = _identifiers(names.tables)
        self.memories = _identifiers(names.memories)
        self.globals = _identifiers(names.globals)
        self.elements = _identifiers(names.elements)
        self.data = _identifiers(names.data)

    def locals(self, function: int) -> dict[int, str]:
        """Return the identifiers of a function's locals, by index."""
        return _identifiers(self._names.locals.get(function, {}))

    def labels(self, function: int) -> dict[int, str]:
        """Return the identifiers of a function's blocks, in the order in which they begin."""
        return _identifiers(self._names.labels.get(function, {}))


_NO_IDENTIFIERS = Identifiers()


def _named(identifiers: Mapping[int, str], index: int) -> str:
    """Return the identifier of a definition, or its index."""
    return identifiers.get(index) or str(index)


def _defined(identifiers: Mapping[int, str], index: int) -> str:
    """Return the beginning of a definition: its identifier, if any, and its index in a comment."""
    identifier = identifiers.get(index)
    return f"(;{index};)" if identifier is None else f"{identifier} (;{index};)"


# Values


def _f32(bits: int) -> str:
    if bits & 0x7F80_0000 == 0x7F80_0000:
        return _special(bits >> 31, bits & 0x7F_FFFF, 0x40_0000)
    (value,) = struct.unpack("<f", struct.pack("<I", bits))
    # Six to nine digits identify an f32; `repr` would print the digits of an f64.
    for digits in range(6, 9):
        text = f"{value:.{digits}g}"
        try:
            if struct.pack("<f", float(text)) == struct.pack("<f", value):
                return text
        except OverflowError:
            continue
    return f"{value:.9g}"


def _f64(bits: int) -> str:
    if bits >> 52 & 0x7FF == 0x7FF:
        return _special(bits >> 63, bits & (1 << 52) - 1, 1 << 51)
    (value,) = struct.unpack("<d", struct.pack("<Q", bits))
    return repr(value)


def _special(negative: int, payload: int, canonical: int) -> str:
    sign = "-" if negative else ""
    if not payload:
        return f"{sign}inf"
    return f"{sign}nan" if payload == canonical else f"{sign}nan:{payload:#x}"


def _v128(value: bytes) -> str:
    lanes = (int.from_bytes(value[at : at + 4], "little") for at in range(0, 16, 4))
    return "i32x4 " + " ".join(f"{lane:#010x}" for lane in lanes)


def _string(content: bytes) -> str:
    """Return bytes as a string of the text format."""
    text = content.decode("utf-8", "backslashreplace")
    if "\\" in text or '"' in text or not text.isprintable():
        return '"' + "".join(map(_byte, content)) + '"'
    return f'"{text}"'


def _byte(byte: int) -> str:
    if 0x20 <= byte < 0x7F and byte not in b'"\\':
        return chr(byte)
    return f"\\{byte:02x}"


# Types


def _types(keyword: str, types: Iterable[ValType]) -> str:
    listed = " ".join(map(str, types))
    return f" ({keyword} {listed})" if listed else ""


def _signature(type_: FuncType) -> str:
    return _types("param", type_.params) + _types("result", type_.results)


def _heap_type(type_: ValType) -> str:
    return "func" if type_ is ValType.FUNCREF else "extern"


def _global_type(type_: GlobalType) -> str:
    return f"(mut {type_.value})" if type_.mutable else f"{type_.value}"


# Instructions


def format_instruction(
    instruction: Instruction,
    identifiers: Identifiers = _NO_IDENTIFIERS,
    locals: Mapping[int, str] | None = None,
    labels: Sequence[str] = (),
    types: Sequence[FuncType] = (),
) -> str:
    """Return an instruction as a line of text, without indentation.

    Args:
        instruction: one of `instructions`.
        identifiers: the identifiers of the module's definitions; the default prints indices.
        locals: the identifiers of the function's locals.
        labels: the names of the blocks around it, innermost last; the default prints label indices.
        types: the module's types, for the signatures of blocks and indirect calls.
    """
    opcode, immediates = instruction.opcode, instruction.immediates
    name = opcode.mnemonic
    match opcode.immediates:
        case Immediates.NONE:
            return name
        case Immediates.LOCAL:
            return f"{name} {_named(locals or {}, immediates[0])}"
        case Immediates.I32 | Immediates.I64 | Immediates.LANE:
            return f"{name} {immediates[0]}"
        case Immediates.MEMARG | Immediates.MEMARG_LANE:
            alignment, offset, *lane = immediates
            text = f"{name} offset={offset}" if offset else name
            if alignment != opcode.alignment:
                text += f" align={1 << alignment}"
            return f"{text} {lane[0]}" if lane else text
        case Immediates.BLOCK_TYPE:
            (type_,) = immediates
            if type_ is None:
                return name
            if isinstance(type_, ValType):
                return f"{name} (result {type_})"
            return f"{name}{_type_use(type_, identifiers, types)}"
        case Immediates.LABEL:
            return f"{name} {_label(labels, immediates[0])}"
        case Immediates.LABEL_TABLE:
            numbers, default = immediates
            targets = " ".join(_label(labels, number) for number in (*numbers, default))
            return f"{name} {targets}"
        case Immediates.FUNCTION:
            return f"{name} {_named(identifiers.functions, immediates[0])}"
        case Immediates.CALL_INDIRECT:
            number, table = immediates
            where = f" {_named(identifiers.tables, table)}" if table else ""
            return f"{name}{where}{_type_use(number, identifiers, types)}"
        case Immediates.GLOBAL:
            return f"{name} {_named(identifiers.globals, immediates[0])}"
        case Immediates.TABLE | Immediates.TABLE_TABLE:
            tables = " ".join(_named(identifiers.tables, table) for table in immediates)
            return f"{name} {tables}"
        case Immediates.ELEMENT:
            return f"{name} {_named(identifiers.elements, immediates[0])}"
        case Immediates.ELEMENT_TABLE:
            segment = _named(identifiers.elements, immediates[0])
            return f"{name} {_named(identifiers.tables, immediates[1])} {segment}"
        case Immediates.DATA | Immediates.DATA_MEMORY:
            return f"{name} {_named(identifiers.data, immediates[0])}"
        case Immediates.MEMORY | Immediates.MEMORY_MEMORY:
            return name
        case Immediates.LANES16:
            return f"{name} {' '.join(map(str, immediates[0]))}"
        case Immediates.REF_TYPE:
            return f"{name} {_heap_type(immediates[0])}"
        case Immediates.SELECT_TYPES:
            return f"{name}{_types('result', immediates[0])}"
        case Immediates.F32:
            return f"{name} {_f32(immediates[0])}"
        case Immediates.F64:
            return f"{name} {_f64(immediates[0])}"
        case Immediates.V128:
            return f"{name} {_v128(immediates[0])}"


class BodyLine(NamedTuple):
    """An instruction of a function body, with its place among the blocks.

    Attributes:
        instruction: the instruction.
        depth: the number of blocks around it, without the block that it opens, closes or divides.
        text: the instruction as text, with the name of the block that it opens, if any.
        label: for an instruction that opens a block without a name, its label: "@1" for the first
            of the function; for an `end`, the name or label of the block that it closes, or None
            for the function's own; None for other instructions.
    """

    instruction: Instruction
    depth: int
    text: str
    label: str | None


def body_lines(
    module: Module,
    function: int,
    body: Span,
    identifiers: Identifiers,
    locals_: Mapping[int, str],
) -> Iterator[BodyLine]:
    """Generate the lines of a function body."""
    names = identifiers.labels(function)
    labels: list[str] = []
    blocks = 0
    for instruction in instructions(module.data, body):
        mnemonic = instruction.opcode.mnemonic
        text = format_instruction(instruction, identifiers, locals_, labels, module.types)
        depth = len(labels)
        label = None
        if mnemonic == "end":
            if labels:
                label = labels.pop()
                depth -= 1
        elif mnemonic == "else":
            depth -= 1
        elif mnemonic in ("block", "loop", "if"):
            name = names.get(blocks)
            blocks += 1
            if name is None:
                name = label = f"@{blocks}"
            else:
                text = text.replace(mnemonic, f"{mnemonic} {name}", 1)
            labels.append(name)
        yield BodyLine(instruction, depth, text, label)


def _label(labels: Sequence[str], number: int) -> str:
    if number >= len(labels):
        return str(number)
    label = labels[~number]
    return label if label.startswith("$") else f"{number} (;{label};)"


def _type_use(index: int, identifiers: Identifiers, types: Sequence[FuncType]) -> str:
    """Return a reference to a type, with its signature if the type exists."""
    text = f" (type {_named(identifiers.types, index)})"
    return text + _signature(types[index]) if index < len(types) else text


# Modules


def disassemble(
    module: Module, function: int | None = None, *, offsets: bool = False
) -> Iterator[str]:
    """Print a module.

    Args:
        module: a decoded module, which may be invalid.
        function: the index of a function to print alone; the whole module by default.
        offsets: whether each instruction begins with its byte offset in a comment.

    Yields:
        The lines, without line ends.

    Raises:
        DecodeError: a function body contains bytes that are not instructions.
        IndexError: the module has no such function, or imports it.
    """
    return _Printer(module, offsets).lines(function)


class _Printer:
    def __init__(self, module: Module, offsets: bool) -> None:
        self._module = module
        self._identifiers = Identifiers(read_names(module))
        # The width of the last offset in the module.
        self._width = len(f"{len(module.data):x}") if offsets else 0

    def lines(self, function: int | None) -> Iterator[str]:
        module = self._module
        first = module.imported_functions
        if function is not None:
            if not first <= function < first + len(module.functions):
                raise IndexError(f"the module does not define a function {function}")
            yield from self._function(function, module.functions[function - first], "")
            return
        name = self._identifiers.module
        yield f"(module {name}" if name else "(module"
        for line in self._fields():
            yield f"  {line}"
        for index, code in enumerate(module.functions, first):
            yield from self._function(index, code, "  ")
        for line in self._segments():
            yield f"  {line}"
        yield ")"

    def _fields(self) -> Iterator[str]:
        """Generate the fields before the functions, each one line."""
        module, identifiers = self._module, self._identifiers
        for index, type_ in enumerate(module.types):
            yield f"(type {_defined(identifiers.types, index)} (func{_signature(type_)}))"
        yield from self._imports()
        for index, table in enumerate(module.tables, module.imported_tables):
            yield f"({self._extern(ExternKind.TABLE, index, table)})"
        for index, memory in enumerate(module.memories, module.imported_memories):
            yield f"({self._extern(ExternKind.MEMORY, index, memory)})"
        for index, entry in enumerate(module.globals, module.imported_globals):
            init = self._expression(entry.init)
            yield f"({self._extern(ExternKind.GLOBAL, index, entry.type)} {init})"
        spaces = self._spaces()
        for export in module.exports:
            what = f"{_keyword(export.kind)} {_named(spaces[export.kind], export.index)}"
            yield f"(export {_string(export.name.encode())} ({what}))"
        if module.start is not None:
            yield f"(start {_named(identifiers.functions, module.start)})"

    def _spaces(self) -> dict[ExternKind, Mapping[int, str]]:
        identifiers = self._identifiers
        return {
            ExternKind.FUNCTION: identifiers.functions,
            ExternKind.TABLE: identifiers.tables,
            ExternKind.MEMORY: identifiers.memories,
            ExternKind.GLOBAL: identifiers.globals,
        }

    def _imports(self) -> Iterator[str]:
        numbers = dict.fromkeys(ExternKind, 0)
        for entry in self._module.imports:
            kind = _import_kind(entry)
            names = f"{_string(entry.module.encode())} {_string(entry.name.encode())}"
            yield f"(import {names} ({self._extern(kind, numbers[kind], entry.type)}))"
            numbers[kind] += 1

    def _extern(
        self, kind: ExternKind, index: int, type_: int | TableType | MemoryType | GlobalType
    ) -> str:
        """Return the beginning of a definition: its kind, its identifier and its type."""
        start = f"{_keyword(kind)} {_defined(self._spaces()[kind], index)}"
        match type_:
            case TableType():
                return f"{start} {type_.limits} {type_.element}"
            case MemoryType():
                return f"{start} {type_.limits}"
            case GlobalType():
                return f"{start} {_global_type(type_)}"
        return start + _type_use(type_, self._identifiers, self._module.types)

    def _expression(self, span: Span) -> str:
        """Return a constant expression on one line."""
        found = [
            format_instruction(instruction, self._identifiers)
            for instruction in instructions(self._module.data, span)
        ]
        if found and found[-1] == "end":
            found.pop()
        return f"({found[0]})" if len(found) == 1 else " ".join(found)

    def _segments(self) -> Iterator[str]:
        for index, segment in enumerate(self._module.elements):
            yield from self._element_segment(index, segment)
        for index, data in enumerate(self._module.data_segments):
            yield from self._data_segment(index, data)

    def _element_segment(self, index: int, segment: ElementSegment) -> Iterator[str]:
        identifiers = self._identifiers
        line = f"(elem {_defined(identifiers.elements, index)}"
        if segment.mode == "declarative":
            line += " declare"
        if segment.table:
            line += f" (table {_named(identifiers.tables, segment.table)})"
        if segment.offset is not None:
            line += f" (offset {self._expression(segment.offset)})"
        by_function = segment.type is ValType.FUNCREF and not (
            segment.items and isinstance(segment.items[0], Span)
        )
        line += " func" if by_function else f" {segment.type}"
        items = (
            self._item(item) if isinstance(item, Span) else _named(identifiers.functions, item)
            for item in segment.items
        )
        for chunk in _chunks(items, ITEMS_PER_LINE):
            yield line
            line = f"  {' '.join(chunk)}"
        yield f"{line})"

    def _item(self, span: Span) -> str:
        expression = self._expression(span)
        return f"(item {expression})"

    def _data_segment(self, index: int, segment: DataSegment) -> Iterator[str]:
        line = f"(data {_defined(self._identifiers.data, index)}"
        if segment.memory:
            line += f" (memory {_named(self._identifiers.memories, segment.memory)})"
        if segment.offset is not None:
            line += f" (offset {self._expression(segment.offset)})"
        start, end = segment.init
        for at in range(start, end, DATA_PER_LINE):
            yield line
            content = self._module.data[at : min(at + DATA_PER_LINE, end)]
            line = '  "' + "".join(map(_byte, content)) + '"'
        yield f"{line})"

    def _function(self, index: int, code: Code, indent: str) -> Iterator[str]:
        module, identifiers = self._module, self._identifiers
        locals_ = identifiers.locals(index)
        line = f"{indent}(func {_defined(identifiers.functions, index)}"
        line += f" (type {_named(identifiers.types, code.type_index)})"
        params = 0
        if code.type_index < len(module.types):
            type_ = module.types[code.type_index]
            params = len(type_.params)
            line += _declared("param", [(1, param) for param in type_.params], 0, locals_)
            line += _types("result", type_.results)
        blank = " " * (self._width + 6) if self._width else ""
        yield blank + line
        if code.locals:
            declared = _declared("local", code.locals, params, locals_).strip()
            yield f"{blank}{indent}  {declared}"
        yield from self._body(index, code.body, locals_, indent)
        yield f"{blank}{indent})"

    def _body(
        self, function: int, span: Span, locals_: Mapping[int, str], indent: str
    ) -> Iterator[str]:
        width = self._width
        for line in body_lines(self._module, function, span, self._identifiers, locals_):
            text = line.text
            if line.instruction.opcode.mnemonic == "end":
                if line.label is None:
                    # The closing parenthesis stands for the end of the function.
                    return
            elif line.label is not None:
                text += f"  ;; label = {line.label}"
            place = f"(;@{line.instruction.offset:0{width}x};) " if width else ""
            yield f"{place}{indent}  {'  ' * min(max(line.depth, 0), MAX_INDENTATION)}{text}"


def _keyword(kind: ExternKind) -> str:
    return "func" if kind is ExternKind.FUNCTION else str(kind)


def _import_kind(entry: Import) -> ExternKind:
    match entry.type:
        case TableType():
            return ExternKind.TABLE
        case MemoryType():
            return ExternKind.MEMORY
        case GlobalType():
            return ExternKind.GLOBAL
    return ExternKind.FUNCTION


def _declared(
    keyword: str,
    runs: Iterable[tuple[int, ValType]],
    first: int,
    identifiers: Mapping[int, str],
) -> str:
    """Return the declarations of parameters or locals; those without a name share one."""
    groups: list[str] = []
    nameless: list[str] = []
    types = (type_ for count, type_ in runs for _ in range(count))
    for index, type_ in enumerate(types, first):
        identifier = identifiers.get(index)
        if identifier is None:
            nameless.append(str(type_))
            continue
        if nameless:
            groups.append(f" ({keyword} {' '.join(nameless)})")
            nameless = []
        groups.append(f" ({keyword} {identifier} {type_})")
    if nameless:
        groups.append(f" ({keyword} {' '.join(nameless)})")
    return "".join(groups)


def _chunks(items: Iterator[str], size: int) -> Iterator[list[str]]:
    while chunk := list(islice(items, size)):
        yield chunk
