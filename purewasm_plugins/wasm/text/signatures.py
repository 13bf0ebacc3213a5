"""The function types of a module, and the uses of them (core specification, section 6.4.1)."""

from __future__ import annotations

from purewasm_plugins.wasm.text.reader import Reader, Space
from purewasm_plugins.wasm.types import FuncType, ValType

__all__ = ["Documenting", "Signatures", "signature"]


def signature(reader: Reader, names: Space | None = None) -> FuncType:
    """Read parameters and results.

    Args:
        reader: where they are.
        names: takes the names of the parameters; None where they cannot have names.
    """
    params: list[ValType] = []
    while reader.open("param"):
        params += declared(reader, names)
    results: list[ValType] = []
    while reader.open("result"):
        results += reader.value_types()
    return FuncType(tuple(params), tuple(results))


def declared(reader: Reader, names: Space | None) -> list[ValType]:
    """Read the types of parameters or locals, or the name and the type of one."""
    if names is None:
        return reader.value_types()
    if reader.texts[reader.at].startswith("$"):
        names.define(reader)
        types = [reader.value_type()]
        reader.expect(")")
        return types
    types = reader.value_types()
    names.count += len(types)
    return types


class Documenting(Space):
    """The names of the parameters in a type: they document it, and may be equal."""

    def define(self, reader: Reader) -> int:
        """Read an identifier, if there is one, without keeping it."""
        reader.identifier()
        self.count += 1
        return self.count - 1


class Signatures:
    """The function types of a module: those that it defines, then those that its text implies.

    Attributes:
        space: the index space of the types.
        types: the types by index.
    """

    def __init__(self) -> None:
        self.space = Space("type")
        self.types: list[FuncType] = []
        self._first: dict[FuncType, int] = {}

    def define(self, type_: FuncType) -> None:
        """Add a type."""
        self._first.setdefault(type_, len(self.types))
        self.types.append(type_)

    def index_of(self, type_: FuncType) -> int:
        """Return the index of the first equal type, which is added where there is none."""
        index = self._first.get(type_)
        if index is None:
            index = len(self.types)
            self.define(type_)
        return index

    def use(self, reader: Reader, names: Space) -> int:
        """Read the type of a function: an index, a signature, or both.

        Args:
            reader: where it is.
            names: takes the names of the parameters.

        Returns:
            The index.
        """
        given, inline = self._use(reader, names)
        if given is None:
            return self.index_of(inline)
        if not inline.params and given < len(self.types):
            names.count = len(self.types[given].params)
        return given

    def callee(self, reader: Reader) -> int | FuncType:
        """Read the type of a function that is called: its index, or a type that may have none."""
        given, inline = self._use(reader, None)
        return inline if given is None else given

    def block_type(self, reader: Reader) -> ValType | int | FuncType | None:
        """Read the type of a block, as the instruction has it, or a type that may have no index."""
        if reader.texts[reader.at] != "(":
            return None
        given, inline = self._use(reader, None)
        if given is not None:
            return given
        if inline.params or len(inline.results) > 1:
            return inline
        return inline.results[0] if inline.results else None

    def _use(self, reader: Reader, names: Space | None) -> tuple[int | None, FuncType]:
        at = reader.at
        if not reader.open("type"):
            return None, signature(reader, names)
        given = reader.index(self.space)
        reader.expect(")")
        start = reader.at
        inline = signature(reader, names)
        if reader.at > start:
            if reader.opens("param"):
                reader.unexpected(at=reader.at + 1)
            if given >= len(self.types):
                raise reader.error(f"unknown type {given}", at + 2)
            if inline != self.types[given]:
                expected = self.types[given]
                raise reader.error(
                    f"inline function type {inline} differs from type {given}: {expected}", start
                )
        return given, inline
