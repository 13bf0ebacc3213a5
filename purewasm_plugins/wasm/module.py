"""What a decoded module is: the sections of core specification 2.0, section 2.5, immutable.

Nothing is copied out of the module's bytes: function bodies, constant expressions and data segments
are spans of `Module.data`, so a position in any of them is the byte offset that errors and
backtraces report.
"""

from __future__ import annotations

from functools import cached_property
from typing import NamedTuple

from purewasm_plugins.support.records import Record
from purewasm_plugins.wasm.types import (
    ExternKind,
    ExternType,
    FuncType,
    GlobalType,
    MemoryType,
    TableType,
    ValType,
)


class Span(NamedTuple):
    """The bytes `start` up to, not including, `end` of the module."""

    start: int
    end: int


class Import(NamedTuple):
    """An import (section 2.5.11). `type` is a type index where a function is imported."""

    module: str
    name: str
    type: int | TableType | MemoryType | GlobalType


class Export(Record):
    """An export (section 2.5.10)."""

    name: str
    kind: ExternKind
    index: int


class Code(NamedTuple):
    """A function that the module defines (section 2.5.3).

    Attributes:
        type_index: index of its `FuncType`.
        locals: its declared locals, run-length encoded as in the binary: (count, type).
        body: its instructions, the final `end` included.
    """

    type_index: int
    locals: tuple[tuple[int, ValType], ...]
    body: Span


class Global(NamedTuple):
    """A global that the module defines (section 2.5.6); `init` is a constant expression."""

    type: GlobalType
    init: Span


class ElementSegment(NamedTuple):
    """An element segment (section 2.5.7).

    Attributes:
        mode: "active", "passive" or "declarative".
        table: index of the table that an active segment initialises.
        offset: the constant expression of an active segment's offset, else None.
        type: the type of its elements.
        items: what it holds: function indices, or constant expressions.
    """

    mode: str
    table: int
    offset: Span | None
    type: ValType
    items: tuple[int, ...] | tuple[Span, ...]


class DataSegment(NamedTuple):
    """A data segment (section 2.5.8); `offset` is None where it is passive."""

    memory: int
    offset: Span | None
    init: Span


class CustomSection(NamedTuple):
    """A custom section (section 5.5.3); `content` follows its name."""

    name: str
    content: Span


class Section(NamedTuple):
    """A section as it lies in the binary, for inspection; `name` is that of section 5.5.2."""

    name: str
    content: Span


class Module(Record, slots=False):
    """A decoded, not yet validated module (section 2.5)."""

    data: bytes
    types: tuple[FuncType, ...] = ()
    imports: tuple[Import, ...] = ()
    functions: tuple[Code, ...] = ()
    tables: tuple[TableType, ...] = ()
    memories: tuple[MemoryType, ...] = ()
    globals: tuple[Global, ...] = ()
    exports: tuple[Export, ...] = ()
    start: int | None = None
    elements: tuple[ElementSegment, ...] = ()
    data_count: int | None = None
    data_segments: tuple[DataSegment, ...] = ()
    custom_sections: tuple[CustomSection, ...] = ()
    sections: tuple[Section, ...] = ()

    @cached_property
    def function_type_indices(self) -> tuple[int, ...]:
        """The type index of every function, imported ones first."""
        imported = tuple(i.type for i in self.imports if isinstance(i.type, int))
        return imported + tuple(code.type_index for code in self.functions)

    @cached_property
    def canonical_types(self) -> tuple[int, ...]:
        """For each type, the index of the first that is equal to it."""
        first: dict[FuncType, int] = {}
        return tuple(first.setdefault(type, index) for index, type in enumerate(self.types))

    @cached_property
    def private_globals(self) -> frozenset[int]:
        """The mutable globals that nobody outside of an instance can reach."""
        exported = {e.index for e in self.exports if e.kind is ExternKind.GLOBAL}
        return frozenset(
            index
            for index, type in enumerate(self.global_types)
            if type.mutable and index >= self.imported_globals and index not in exported
        )

    @cached_property
    def table_types(self) -> tuple[TableType, ...]:
        """The type of every table, imported ones first."""
        imported = tuple(i.type for i in self.imports if isinstance(i.type, TableType))
        return imported + self.tables

    @cached_property
    def memory_types(self) -> tuple[MemoryType, ...]:
        """The type of every memory, imported ones first."""
        imported = tuple(i.type for i in self.imports if isinstance(i.type, MemoryType))
        return imported + self.memories

    @cached_property
    def global_types(self) -> tuple[GlobalType, ...]:
        """The type of every global, imported ones first."""
        imported = tuple(i.type for i in self.imports if isinstance(i.type, GlobalType))
        return imported + tuple(g.type for g in self.globals)

    @cached_property
    def imported_functions(self) -> int:
        """How many of the functions are imported: the index of the first one defined here."""
        return len(self.function_type_indices) - len(self.functions)

    @cached_property
    def imported_tables(self) -> int:
        """How many of the tables are imported."""
        return len(self.table_types) - len(self.tables)

    @cached_property
    def imported_memories(self) -> int:
        """How many of the memories are imported."""
        return len(self.memory_types) - len(self.memories)

    @cached_property
    def imported_globals(self) -> int:
        """How many of the globals are imported."""
        return len(self.global_types) - len(self.globals)

    def function_type(self, index: int) -> FuncType:
        """Return the type of function `index`, imported ones first."""
        return self.types[self.function_type_indices[index]]

    def import_type(self, entry: Import) -> ExternType:
        """Return the type that an import declares, a function's type index resolved."""
        return self.types[entry.type] if isinstance(entry.type, int) else entry.type

    def export_type(self, entry: Export) -> ExternType:
        """Return the type of what an export names."""
        match entry.kind:
            case ExternKind.FUNCTION:
                return self.function_type(entry.index)
            case ExternKind.TABLE:
                return self.table_types[entry.index]
            case ExternKind.MEMORY:
                return self.memory_types[entry.index]
            case ExternKind.GLOBAL:
                return self.global_types[entry.index]
