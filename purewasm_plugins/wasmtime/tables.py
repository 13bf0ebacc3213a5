"""`Table`: a table of references."""

from __future__ import annotations

from typing import Any

from purewasm_plugins.errors import ResourceLimitError
from purewasm_plugins.runtime.table import Table as RuntimeTable
from purewasm_plugins.wasmtime.conversion import to_python, to_raw
from purewasm_plugins.wasmtime.errors import WasmtimeError
from purewasm_plugins.wasmtime.state import AsExtern, Context, StoreState
from purewasm_plugins.wasmtime.types import TableType
from purewasm_plugins.wasmtime.values import Val

__all__ = ["Table"]


class Table(AsExtern):
    """A table of references to functions, or to objects of Python."""

    inner: RuntimeTable

    def __init__(self, store: Context, ty: TableType, init: Any) -> None:
        """Make a table.

        Args:
            store: the store that it belongs to.
            ty: its type.
            init: each of its elements.

        Raises:
            TypeError: `ty` is no `TableType`, or `init` no value of its elements' type.
            WasmtimeError: it is larger than the store's limits, or the machine, allow.
            ValueError: the store is closed.
        """
        if not isinstance(ty, TableType):
            raise TypeError("expected a TableType")
        ty.check_open()
        self.state = store.context()
        raw = to_raw(ty.inner.element, init, self.state)
        elements = ty.inner.limits.minimum
        self.state.check_table(elements)
        try:
            self.inner = RuntimeTable(ty.inner, None, self.state.resource_limits(elements))
        except ResourceLimitError as error:
            raise WasmtimeError(f"failed to make the table: {error.refusal}") from error
        self.inner.fill(0, raw, len(self.inner))
        self.state.add_table(self.inner)

    @classmethod
    def of(cls, inner: RuntimeTable, state: StoreState) -> Table:
        """Return the table that the runtime has as `inner`; for this package only."""
        table = cls.__new__(cls)
        table.inner, table.state = inner, state
        return table

    def type(self, store: Context) -> TableType:
        """Return its type."""
        return TableType.of(self.of_store(store.context()).type)

    def size(self, store: Context) -> int:
        """Return the number of its elements."""
        return len(self.of_store(store.context()))

    def grow(self, store: Context, amt: int, init: Any) -> int:
        """Add elements.

        Args:
            store: the store.
            amt: how many.
            init: each of them.

        Returns:
            The number of elements before.

        Raises:
            TypeError: `amt` is no int, or `init` no value of the elements' type.
            WasmtimeError: the table may not have so many.
        """
        inner: RuntimeTable = self.of_store(store.context())
        raw = to_raw(inner.type.element, init, self.state)
        before = inner.try_grow(_integer(amt), raw)
        if before < 0:
            raise WasmtimeError(f"failed to grow table by `{amt}`")
        return before

    def get(self, store: Context, idx: int) -> Any | None:
        """Return an element.

        Args:
            store: the store.
            idx: its index.

        Returns:
            A `Func` or an object; for a null, and for an object that is false, a `Val` of it, which
            is equal to it; None where there is no such element.
        """
        inner: RuntimeTable = self.of_store(store.context())
        if not 0 <= _integer(idx) < len(inner):
            return None
        kind = inner.type.element
        value = to_python(kind, inner.get(idx), self.state)
        return value or Val(kind, value)

    def set(self, store: Context, idx: int, val: Any) -> None:
        """Replace an element.

        Args:
            store: the store.
            idx: its index.
            val: the new one: a `Func` or None, or any object, after the elements' type.

        Raises:
            TypeError: it is no value of that type, or `idx` is no int.
            WasmtimeError: there is no such element.
        """
        inner: RuntimeTable = self.of_store(store.context())
        raw = to_raw(inner.type.element, val, self.state)
        if not 0 <= _integer(idx) < len(inner):
            raise WasmtimeError("wasm trap: undefined element: out of bounds table access")
        inner.fill(idx, raw, 1)


def _integer(value: int) -> int:
    if not isinstance(value, int):
        raise TypeError(f"expected an int, got {type(value).__name__}")
    return value
