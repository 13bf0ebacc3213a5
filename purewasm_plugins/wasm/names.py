"""The name section: what a compiler called things (appendix 7.4, with its extensions).

A decoded module in, `Names` out. The section has no meaning, so nothing about it is an error: a
part of it that is malformed is left out, and a note says so.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from purewasm_plugins.errors import DecodeError
from purewasm_plugins.records import Record
from purewasm_plugins.wasm.module import Module
from purewasm_plugins.wasm.primitives import read_byte, read_name, read_unsigned

__all__ = ["Names", "read_names"]

NameMap = Mapping[int, str]
IndirectNameMap = Mapping[int, NameMap]

#: Of what nobody gave a name.
_NONE: Mapping[int, Any] = {}

_Item = TypeVar("_Item")


class Names(Record):
    """Names by index, imported things first; what has none is missing.

    Attributes:
        module: the module's own name.
        functions, types, tables, memories, globals, elements, data: by index.
        locals: by function, then by local, parameters first.
        labels: by function, then by block, numbered in the order in which the blocks begin.
        notes: what was malformed and is left out.
    """

    module: str | None = None
    functions: NameMap = _NONE
    locals: IndirectNameMap = _NONE
    labels: IndirectNameMap = _NONE
    types: NameMap = _NONE
    tables: NameMap = _NONE
    memories: NameMap = _NONE
    globals: NameMap = _NONE
    elements: NameMap = _NONE
    data: NameMap = _NONE
    notes: tuple[str, ...] = ()


def _association(
    data: bytes, position: int, end: int, read: Callable[[bytes, int, int], tuple[_Item, int]]
) -> tuple[dict[int, _Item], int]:
    """A vector of an index and what belongs to it; the first one counts if there are two."""
    found: dict[int, _Item] = {}
    count, position = read_unsigned(data, position)
    for _ in range(count):
        if position >= end:
            raise DecodeError("unexpected end of section or function", end)
        index, position = read_unsigned(data, position)
        item, position = read(data, position, end)
        found.setdefault(index, item)
    return found, position


def _name(data: bytes, position: int, end: int) -> tuple[str, int]:
    return read_name(data, position)


def _name_map(data: bytes, position: int, end: int) -> tuple[dict[int, str], int]:
    return _association(data, position, end, _name)


def _indirect_name_map(data: bytes, position: int, end: int) -> tuple[IndirectNameMap, int]:
    return _association(data, position, end, _name_map)


_Reader = Callable[[bytes, int, int], tuple[object, int]]

#: By subsection id: the field of `Names`, and what reads it.
_SUBSECTIONS: dict[int, tuple[str, _Reader]] = {
    0: ("module", _name),
    1: ("functions", _name_map),
    2: ("locals", _indirect_name_map),
    3: ("labels", _indirect_name_map),
    4: ("types", _name_map),
    5: ("tables", _name_map),
    6: ("memories", _name_map),
    7: ("globals", _name_map),
    8: ("elements", _name_map),
    9: ("data", _name_map),
}


def read_names(module: Module) -> Names:
    """The names in a module's name section; none where it has no such section."""
    for section in module.custom_sections:
        if section.name == "name":
            return _read(module.data, *section.content)
    return Names()


def _read(data: bytes, position: int, end: int) -> Names:
    found: dict[str, object] = {}
    notes = []
    while position < end:
        try:
            identifier, after = read_byte(data, position)
            size, start = read_unsigned(data, after)
        except DecodeError as error:
            notes.append(f"the name section is malformed: {error}")
            break
        if start + size > end:
            notes.append(f"the name section ends in the middle of subsection {identifier}")
            break
        known = _SUBSECTIONS.get(identifier)
        if known is not None:
            name, read = known
            try:
                item, after = read(data, start, start + size)
            except DecodeError as error:
                notes.append(f"the names of {name} are malformed: {error}")
            else:
                if after == start + size:
                    found.setdefault(name, item)
                else:
                    notes.append(f"the names of {name} do not fill their subsection")
        position = start + size
    return Names(**found, notes=tuple(notes))  # type: ignore[arg-type]
