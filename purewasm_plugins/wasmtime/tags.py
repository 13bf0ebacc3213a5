"""`Tag`: refused, as exceptions of WebAssembly 3.0 are."""

from __future__ import annotations

from purewasm_plugins.wasmtime.errors import WasmtimeError
from purewasm_plugins.wasmtime.state import AsExtern, Context
from purewasm_plugins.wasmtime.types import TagType

__all__ = ["Tag"]


class Tag(AsExtern):
    """The tag of exceptions of WebAssembly 3.0, which this package does not have."""

    def __init__(self, store: Context, ty: TagType) -> None:
        """Refuse it.

        Raises:
            TypeError: `ty` is no `TagType`.
            WasmtimeError: always, else.
        """
        if not isinstance(ty, TagType):
            raise TypeError("expected a TagType")
        store.context()
        raise WasmtimeError("tags are not supported: purewasm_plugins has no exceptions of 3.0")

    def type(self, store: Context) -> TagType:
        """Return its type; there is no tag that has one."""
        raise WasmtimeError("tags are not supported")

    def eq(self, store: Context, other: Tag) -> bool:
        """Return whether two tags are one."""
        return self is other
