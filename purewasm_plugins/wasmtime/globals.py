"""`Global`: a global variable."""

from __future__ import annotations

from typing import Any

from purewasm_plugins.runtime.instance import Global as RuntimeGlobal
from purewasm_plugins.wasmtime.conversion import to_python, to_raw
from purewasm_plugins.wasmtime.errors import WasmtimeError
from purewasm_plugins.wasmtime.state import AsExtern, Context, StoreState
from purewasm_plugins.wasmtime.types import GlobalType
from purewasm_plugins.wasmtime.values import Val

__all__ = ["Global"]


class Global(AsExtern):
    """A global variable of a module or of the host."""

    inner: RuntimeGlobal

    def __init__(self, store: Context, ty: GlobalType, val: Any) -> None:
        """Make a global.

        Args:
            store: the store that it belongs to.
            ty: its type.
            val: its value: a Python value, or a `Val`.

        Raises:
            TypeError: `ty` is no `GlobalType`, or `val` no value of its type.
            ValueError: the store is closed.
        """
        if not isinstance(ty, GlobalType):
            raise TypeError("expected a GlobalType")
        ty.check_open()
        self.state = store.context()
        self.inner = RuntimeGlobal(ty.inner)
        self.inner.raw = to_raw(ty.inner.value, val, self.state)

    @classmethod
    def of(cls, inner: RuntimeGlobal, state: StoreState) -> Global:
        """Return the global that the runtime has as `inner`; for this package only."""
        global_ = cls.__new__(cls)
        global_.inner, global_.state = inner, state
        return global_

    def type(self, store: Context) -> GlobalType:
        """Return its type."""
        return GlobalType.of(self.of_store(store.context()).type)

    def value(self, store: Context) -> Any:
        """Return its value, as a Python value; a null reference as a `Val`."""
        inner: RuntimeGlobal = self.of_store(store.context())
        kind = inner.type.value
        value = to_python(kind, inner.raw, self.state)
        return Val(kind, None) if value is None else value

    def set_value(self, store: Context, val: Any) -> None:
        """Set its value.

        Raises:
            TypeError: it is no value of the global's type.
            WasmtimeError: the global cannot be set.
        """
        inner: RuntimeGlobal = self.of_store(store.context())
        raw = to_raw(inner.type.value, val, self.state)
        if not inner.type.mutable:
            raise WasmtimeError("immutable global cannot be set")
        inner.raw = raw
