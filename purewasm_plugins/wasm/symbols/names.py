"""The name section (appendix 7.4, with its extensions).

The section does not change the meaning of a module, so a malformed part of it is no error: it is
ignored, and a note says so.
"""

from __future__ import annotations

from purewasm_plugins.errors import DecodeError
from purewasm_plugins.support.records import Record
from purewasm_plugins.support.typed import Any, Callable, Mapping, TypeVar
from purewasm_plugins.wasm.binary.primitives import read_byte, read_name, read_unsigned
from purewasm_plugins.wasm.limits import MAX_NAMES
from purewasm_plugins.wasm.module import Module

__all__ = ["Names", "encode_names", "read_names"]

NameMap = Mapping[int, str]
IndirectNameMap = Mapping[int, NameMap]

#: The names of an index space without names.
_NONE: Mapping[int, Any] = {}

_Item = TypeVar("_Item")


class Names(Record):
    """The names of a module's definitions, by index; imports have the first indices.

    Attributes:
        module: the name of the module.
        functions, types, tables, memories, globals, elements, data: the names by index.
        locals: the names by function, then by local; parameters have the first indices.
        labels: the names by function, then by block, in the order in which the blocks begin.
        notes: descriptions of the malformed parts that were ignored.
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


class _Content:
    """A reader of the subsections, which counts the names up to `MAX_NAMES`."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._left = MAX_NAMES

    def _association(
        self, position: int, end: int, read: Callable[[int, int], tuple[_Item, int]]
    ) -> tuple[dict[int, _Item], int]:
        """Read a vector of pairs of an index and an item; of equal indices the first one counts."""
        found: dict[int, _Item] = {}
        start = position
        count, position = read_unsigned(self._data, position)
        for _ in range(count):
            if position >= end:
                raise DecodeError("unexpected end of section or function", end)
            if not self._left:
                raise DecodeError(f"too many names: {MAX_NAMES} at most", start)
            self._left -= 1
            index, position = read_unsigned(self._data, position)
            item, position = read(position, end)
            found.setdefault(index, item)
        return found, position

    def name(self, position: int, end: int) -> tuple[str, int]:
        return read_name(self._data, position)

    def name_map(self, position: int, end: int) -> tuple[dict[int, str], int]:
        return self._association(position, end, self.name)

    def indirect_name_map(self, position: int, end: int) -> tuple[IndirectNameMap, int]:
        return self._association(position, end, self.name_map)


_Reader = Callable[[_Content, int, int], tuple[object, int]]

#: By subsection id: the field of `Names`, and its reader.
_SUBSECTIONS: dict[int, tuple[str, _Reader]] = {
    0: ("module", _Content.name),
    1: ("functions", _Content.name_map),
    2: ("locals", _Content.indirect_name_map),
    3: ("labels", _Content.indirect_name_map),
    4: ("types", _Content.name_map),
    5: ("tables", _Content.name_map),
    6: ("memories", _Content.name_map),
    7: ("globals", _Content.name_map),
    8: ("elements", _Content.name_map),
    9: ("data", _Content.name_map),
}


def read_names(module: Module) -> Names:
    """Read the name section of a module; without one, no definition has a name."""
    for section in module.custom_sections:
        if section.name == "name":
            return _read(module.data, *section.content)
    return Names()


def _read(data: bytes, position: int, end: int) -> Names:
    found: dict[str, object] = {}
    notes = []
    content = _Content(data)
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
                item, after = read(content, start, start + size)
            except DecodeError as error:
                notes.append(f"the names of {name} are malformed: {error}")
            else:
                if after == start + size:
                    found.setdefault(name, item)
                else:
                    notes.append(f"the names of {name} do not fill their subsection")
        position = start + size
    return Names(**found, notes=tuple(notes))  # type: ignore[arg-type]


def encode_names(names: Names) -> bytes:
    """Encode the content of a name section, after its own name; empty where there are no names."""
    # Imported here: reading the names of a module does not need it.
    from purewasm_plugins.wasm.binary import encoder

    def name_map(names: NameMap) -> bytes:
        return encoder.vector(
            encoder.unsigned(index) + encoder.name(name) for index, name in sorted(names.items())
        )

    encoded = b""
    for identifier, (field, read) in _SUBSECTIONS.items():
        found = getattr(names, field)
        if not found and found != "":
            continue
        if read is _Content.name:
            content = encoder.name(found)
        elif read is _Content.name_map:
            content = name_map(found)
        else:
            content = encoder.vector(
                encoder.unsigned(index) + name_map(inner) for index, inner in sorted(found.items())
            )
        encoded += encoder.section(identifier, content)
    return encoded
