"""Decoded modules (core specification 2.0, section 2.5): immutable records of their sections.

Function bodies, constant expressions and data segments are spans of `Module.data`, not copies. So a
position in one of them is the byte offset that errors and backtraces report.
"""

from __future__ import annotations

from purewasm_plugins.support.light import NamedTuple, cached_property
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
    """The bytes of the module from `start` up to, but not including, `end`."""

    start: int
    end: int


class Import(Record):
    """An import (section 2.5.11). For a function, `type` is the index of its type."""

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
        body: its instructions, including the final `end`.
    """

    type_index: int
    locals: tuple[tuple[int, ValType], ...]
    body: Span


class Global(Record):
    """A global that the module defines (section 2.5.6); `init` is a constant expression."""

    type: GlobalType
    init: Span


class ElementSegment(Record):
    """An element segment (section 2.5.7).

    Attributes:
        mode: "active", "passive" or "declarative".
        table: index of the table that an active segment initialises.
        offset: the constant expression of an active segment's offset, else None.
        type: the type of its elements.
        items: its references: function indices, or constant expressions.
    """

    mode: str
    table: int
    offset: Span | None
    type: ValType
    items: tuple[int, ...] | tuple[Span, ...]


class DataSegment(Record):
    """A data segment (section 2.5.8); `offset` is None for a passive segment."""

    memory: int
    offset: Span | None
    init: Span


class CustomSection(Record):
    """A custom section (section 5.5.3); `content` begins after the name."""

    name: str
    content: Span


class Section(Record):
    """The place of a section in the binary; `name` is the one in section 5.5.2."""

    name: str
    content: Span


class Module(Record, slots=False):
    """A decoded module, which may be invalid (section 2.5)."""

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
        """For each type, the index of the first equal type."""
        first: dict[FuncType, int] = {}
        return tuple(first.setdefault(type, index) for index, type in enumerate(self.types))

    @cached_property
    def private_globals(self) -> frozenset[int]:
        """The mutable globals that are neither imported nor exported."""
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
        """The number of imported functions, which is the index of the first defined one."""
        return len(self.function_type_indices) - len(self.functions)

    @cached_property
    def imported_tables(self) -> int:
        """The number of imported tables."""
        return len(self.table_types) - len(self.tables)

    @cached_property
    def imported_memories(self) -> int:
        """The number of imported memories."""
        return len(self.memory_types) - len(self.memories)

    @cached_property
    def imported_globals(self) -> int:
        """The number of imported globals."""
        return len(self.global_types) - len(self.globals)

    def function_type(self, index: int) -> FuncType:
        """Return the type of a function; imported functions have the first indices."""
        return self.types[self.function_type_indices[index]]

    def import_type(self, entry: Import) -> ExternType:
        """Return the type that an import declares."""
        return self.types[entry.type] if isinstance(entry.type, int) else entry.type

    def export_type(self, entry: Export) -> ExternType:
        """Return the type of the function, table, memory or global that an export names."""
        match entry.kind:
            case ExternKind.FUNCTION:
                return self.function_type(entry.index)
            case ExternKind.TABLE:
                return self.table_types[entry.index]
            case ExternKind.MEMORY:
                return self.memory_types[entry.index]
            case ExternKind.GLOBAL:
                return self.global_types[entry.index]
