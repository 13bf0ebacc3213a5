"""The types of WebAssembly (core specification 2.0, section 2.3): immutable, compared by value."""

from __future__ import annotations

from purewasm_plugins.support.light import IntEnum
from purewasm_plugins.support.records import Record

#: The bytes of a page of linear memory (section 4.2.8).
PAGE_SIZE = 65536


class ValType(IntEnum):
    """A value type. The numbers are the binary codes of section 5.3.1; `str()` is the text form."""

    I32 = 0x7F
    I64 = 0x7E
    F32 = 0x7D
    F64 = 0x7C
    V128 = 0x7B
    FUNCREF = 0x70
    EXTERNREF = 0x6F

    def __str__(self) -> str:
        return self.name.lower()

    @property
    def is_reference(self) -> bool:
        """Whether this is `funcref` or `externref`."""
        return self in (ValType.FUNCREF, ValType.EXTERNREF)


class ExternKind(IntEnum):
    """The kind of an import or export. The numbers are the binary codes of section 5.5.5."""

    FUNCTION = 0
    TABLE = 1
    MEMORY = 2
    GLOBAL = 3

    def __str__(self) -> str:
        return self.name.lower()


class FuncType(Record):
    """The parameters and results of a function (section 2.3.6)."""

    params: tuple[ValType, ...] = ()
    results: tuple[ValType, ...] = ()

    def __str__(self) -> str:
        return f"({', '.join(map(str, self.params))}) -> ({', '.join(map(str, self.results))})"


class Limits(Record):
    """A size range (section 2.3.7). `maximum` is None where none is declared."""

    minimum: int
    maximum: int | None = None

    def __str__(self) -> str:
        return f"{self.minimum}" if self.maximum is None else f"{self.minimum} {self.maximum}"

    def admits(self, size: int, maximum: int | None) -> bool:
        """Return whether these limits of an import admit a memory or table (section 4.5.2.2).

        Args:
            size: its size now, in pages or entries.
            maximum: the size to which it may grow; None for no bound.
        """
        if size < self.minimum:
            return False
        return self.maximum is None or (maximum is not None and maximum <= self.maximum)


class MemoryType(Record):
    """The type of a linear memory; the limits count pages of 64 KiB (section 2.3.8)."""

    limits: Limits

    def __str__(self) -> str:
        return f"memory {self.limits}"


class TableType(Record):
    """The type of a table; the limits count entries (section 2.3.9)."""

    element: ValType
    limits: Limits

    def __str__(self) -> str:
        return f"table {self.limits} {self.element}"


class GlobalType(Record):
    """The type of a global variable (section 2.3.10)."""

    value: ValType
    mutable: bool = False

    def __str__(self) -> str:
        return f"global (mut {self.value})" if self.mutable else f"global {self.value}"


ExternType = FuncType | TableType | MemoryType | GlobalType
