"""The types of modules: `ValType`, `FuncType` and the others, as users see them."""

from __future__ import annotations

from collections.abc import Iterable

from purewasm_plugins.wasm import types as wasm
from purewasm_plugins.wasmtime.errors import WasmtimeError
from purewasm_plugins.wasmtime.managed import Managed

__all__ = [
    "AsExternType",
    "ExportType",
    "FuncType",
    "GlobalType",
    "ImportType",
    "Limits",
    "MemoryType",
    "TableType",
    "TagType",
    "ValType",
    "type_of",
]

#: The binary logarithm of the bytes of a page.
_PAGE_BITS = 16


class ValType(Managed):
    """A type of values. `ValType.i32()` and the other class methods return one.

    Attributes:
        inner: for this package only: the type as the runtime has it.
    """

    inner: wasm.ValType

    def __init__(self) -> None:
        """Refuse: a class method is what makes a type.

        Raises:
            WasmtimeError: always.
        """
        raise WasmtimeError("cannot construct directly")

    @classmethod
    def of(cls, inner: wasm.ValType) -> ValType:
        """Return the type that the runtime has as `inner`; for this package only."""
        type = cls.__new__(cls)
        type.inner = inner
        return type

    @classmethod
    def i32(cls) -> ValType:
        """Return the type of integers of 32 bits."""
        return cls.of(wasm.ValType.I32)

    @classmethod
    def i64(cls) -> ValType:
        """Return the type of integers of 64 bits."""
        return cls.of(wasm.ValType.I64)

    @classmethod
    def f32(cls) -> ValType:
        """Return the type of floating-point numbers of 32 bits."""
        return cls.of(wasm.ValType.F32)

    @classmethod
    def f64(cls) -> ValType:
        """Return the type of floating-point numbers of 64 bits."""
        return cls.of(wasm.ValType.F64)

    @classmethod
    def externref(cls) -> ValType:
        """Return the type of references to objects of the host."""
        return cls.of(wasm.ValType.EXTERNREF)

    @classmethod
    def funcref(cls) -> ValType:
        """Return the type of references to functions."""
        return cls.of(wasm.ValType.FUNCREF)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ValType) and self.inner is other.inner

    # As in wasmtime: types that are equal have no hash.
    __hash__ = None  # type: ignore[assignment]

    def __str__(self) -> str:
        return "anyref" if self.inner is wasm.ValType.EXTERNREF else str(self.inner)

    def __repr__(self) -> str:
        return str(self)


def _inner_types(types: Iterable[ValType]) -> tuple[wasm.ValType, ...]:
    types = [*types]
    for type in types:
        if not isinstance(type, ValType):
            raise TypeError("expected ValType")
    return tuple(type.inner for type in types)


def _inner_type(type: ValType) -> wasm.ValType:
    if not isinstance(type, ValType):
        raise TypeError("expected valtype")
    return type.inner


class FuncType(Managed):
    """The parameters and results of a function.

    Attributes:
        inner: for this package only: the type as the runtime has it.
    """

    def __init__(self, params: Iterable[ValType], results: Iterable[ValType]) -> None:
        """Take the types of the parameters and of the results.

        Raises:
            TypeError: one of them is no `ValType`.
        """
        self.inner = wasm.FuncType(_inner_types(params), _inner_types(results))

    @classmethod
    def of(cls, inner: wasm.FuncType) -> FuncType:
        """Return the type that the runtime has as `inner`; for this package only."""
        type = cls.__new__(cls)
        type.inner = inner
        return type

    @property
    def params(self) -> list[ValType]:
        """The types of the parameters."""
        self.check_open()
        return [*map(ValType.of, self.inner.params)]

    @property
    def results(self) -> list[ValType]:
        """The types of the results."""
        self.check_open()
        return [*map(ValType.of, self.inner.results)]


class GlobalType(Managed):
    """The type of a global.

    Attributes:
        inner: for this package only: the type as the runtime has it.
    """

    def __init__(self, valtype: ValType, mutable: bool) -> None:
        """Take the type of the value, and whether it can be set.

        Raises:
            TypeError: `valtype` is no `ValType`.
        """
        self.inner = wasm.GlobalType(_inner_type(valtype), bool(mutable))

    @classmethod
    def of(cls, inner: wasm.GlobalType) -> GlobalType:
        """Return the type that the runtime has as `inner`; for this package only."""
        type = cls.__new__(cls)
        type.inner = inner
        return type

    @property
    def content(self) -> ValType:
        """The type of the value."""
        self.check_open()
        return ValType.of(self.inner.value)

    @property
    def mutable(self) -> bool:
        """Whether the value can be set."""
        self.check_open()
        return self.inner.mutable


class Limits:
    """The size that a memory has at least, in pages, or a table, in elements; and at most.

    Attributes:
        min: the smallest size.
        max: the largest size; None for no bound.
    """

    def __init__(self, min: int, max: int | None) -> None:
        """Take the sizes."""
        self.min = min
        self.max = max

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Limits) and (self.min, self.max) == (other.min, other.max)

    def __repr__(self) -> str:
        return f"Limits({self.min}, {self.max})"


def _inner_limits(limits: Limits, bound: int, size: str = "size") -> wasm.Limits:
    """Return limits as the runtime has them.

    Args:
        limits: the limits.
        bound: what each of them is below.
        size: what they are, for errors.

    Raises:
        TypeError: they are no `Limits` of ints.
        WasmtimeError: a size is negative or not below the bound, or the largest is below the least.
    """
    if not isinstance(limits, Limits):
        raise TypeError("expected Limits")
    largest = limits.min if limits.max is None else limits.max
    for name, value in (("minimum", limits.min), ("maximum", largest)):
        if not isinstance(value, int):
            raise TypeError(f"expected an int as the {name} size")
        if value < 0:
            raise WasmtimeError(f"{name} size is negative")
        if value >= bound:
            raise WasmtimeError(f"{name} size too large")
    if largest < limits.min:
        raise WasmtimeError(f"maximum {size} cannot be smaller than the minimum {size}")
    return wasm.Limits(limits.min, limits.max)


class TableType(Managed):
    """The type of a table.

    Attributes:
        inner: for this package only: the type as the runtime has it.
    """

    def __init__(self, valtype: ValType, limits: Limits) -> None:
        """Take the type of the elements, and how many there may be.

        Raises:
            TypeError: `limits` are no `Limits`, or `valtype` is no `ValType`.
            WasmtimeError: the limits are no sizes of a table, or the type is none of references.
        """
        inner = _inner_limits(limits, 1 << 32)
        element = _inner_type(valtype)
        if not element.is_reference:
            raise WasmtimeError("failed to allocate TableType")
        self.inner = wasm.TableType(element, inner)

    @classmethod
    def of(cls, inner: wasm.TableType) -> TableType:
        """Return the type that the runtime has as `inner`; for this package only."""
        type = cls.__new__(cls)
        type.inner = inner
        return type

    @property
    def element(self) -> ValType:
        """The type of the elements."""
        self.check_open()
        return ValType.of(self.inner.element)

    @property
    def limits(self) -> Limits:
        """How many elements there may be."""
        self.check_open()
        return Limits(self.inner.limits.minimum, self.inner.limits.maximum)


class MemoryType(Managed):
    """The type of a memory.

    Attributes:
        inner: for this package only: the type as the runtime has it.
        unsupported: for this package only: why no memory of this type can be made, or None.
    """

    def __init__(
        self,
        limits: Limits,
        is_64: bool = False,
        shared: bool = False,
        page_size_log2: int = _PAGE_BITS,
    ) -> None:
        """Take the sizes that a memory may have, in pages.

        Args:
            limits: the sizes.
            is_64: whether addresses have 64 bits. No such memory can be made here.
            shared: whether threads share it. No such memory can be made here.
            page_size_log2: the binary logarithm of the bytes of a page: 16, or 0, of which no
                memory can be made here.

        Raises:
            TypeError: `limits` are no `Limits`, or `page_size_log2` is no int.
            WasmtimeError: they are no sizes of a memory.
        """
        if not isinstance(page_size_log2, int):
            raise TypeError("expected an int as page_size_log2")
        bound = 1 << (64 if is_64 else 32)
        self.inner = wasm.MemoryType(_inner_limits(limits, bound, "page size"))
        if page_size_log2 not in (0, _PAGE_BITS):
            raise WasmtimeError("custom page sizes must be 1 or 65536 bytes")
        reach = (64 if is_64 else 32) - page_size_log2
        for name, size in (("minimum", limits.min), ("maximum", limits.max or 0)):
            if size > 1 << reach:
                raise WasmtimeError(f"{name} size is too large for this memory type's index type")
        if shared and limits.max is None:
            raise WasmtimeError("shared memories must have a maximum size")
        self._is_64, self._shared, self._page_bits = is_64, shared, page_size_log2
        self.unsupported = _unsupported(is_64, shared, page_size_log2)

    @classmethod
    def of(cls, inner: wasm.MemoryType) -> MemoryType:
        """Return the type that the runtime has as `inner`; for this package only."""
        return cls(Limits(inner.limits.minimum, inner.limits.maximum))

    @property
    def limits(self) -> Limits:
        """The sizes that the memory may have, in pages."""
        self.check_open()
        return Limits(self.inner.limits.minimum, self.inner.limits.maximum)

    @property
    def is_64(self) -> bool:
        """Whether addresses have 64 bits."""
        return self._is_64

    @property
    def is_shared(self) -> bool:
        """Whether threads share it."""
        return self._shared

    @property
    def page_size(self) -> int:
        """The bytes of a page."""
        return 1 << self._page_bits

    @property
    def page_size_log2(self) -> int:
        """The binary logarithm of the bytes of a page."""
        return self._page_bits


def _unsupported(is_64: bool, shared: bool, page_size_log2: int) -> str | None:
    """Return why there can be no memory of a type; None where there can."""
    if shared:
        return "shared memories are not supported: purewasm_plugins has no threads"
    if is_64:
        return "64-bit memories are not supported by purewasm_plugins"
    if page_size_log2 != _PAGE_BITS:
        return "custom page sizes are not supported by purewasm_plugins"
    return None


class TagType(Managed):
    """The type of a tag: that of the payload of its exceptions."""

    def __init__(self, functype: FuncType) -> None:
        """Take the payload's types, as the parameters of a function.

        Raises:
            TypeError: it is no `FuncType`.
        """
        if not isinstance(functype, FuncType):
            raise TypeError("expected a FuncType")
        functype.consume()
        self._inner = functype.inner

    @property
    def functype(self) -> FuncType:
        """The payload's types, as the parameters of a function."""
        self.check_open()
        return FuncType.of(self._inner)


AsExternType = FuncType | TableType | MemoryType | GlobalType | TagType


def type_of(inner: wasm.ExternType) -> AsExternType:
    """Return the type that the runtime has as `inner`; for this package only."""
    match inner:
        case wasm.FuncType():
            return FuncType.of(inner)
        case wasm.TableType():
            return TableType.of(inner)
        case wasm.MemoryType():
            return MemoryType.of(inner)
    return GlobalType.of(inner)


class ImportType(Managed):
    """An import that a module declares."""

    def __init__(self, module: str, name: str, inner: wasm.ExternType) -> None:
        """Take its names and its type; for this package only."""
        self._module, self._name, self._inner = module, name, inner

    @property
    def module(self) -> str:
        """The first of its names."""
        return self._module

    @property
    def name(self) -> str | None:
        """The second of its names."""
        return self._name

    @property
    def type(self) -> AsExternType:
        """The type that what is given for it must have."""
        return type_of(self._inner)


class ExportType(Managed):
    """An export that a module declares."""

    def __init__(self, name: str, inner: wasm.ExternType) -> None:
        """Take its name and its type; for this package only."""
        self._name, self._inner = name, inner

    @property
    def name(self) -> str:
        """The name."""
        return self._name

    @property
    def type(self) -> AsExternType:
        """The type of what is exported."""
        return type_of(self._inner)
