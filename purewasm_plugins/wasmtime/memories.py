"""`Memory`: a linear memory, as bytes and as a pointer."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING

from purewasm_plugins.errors import MemoryInUse, ResourceLimitError
from purewasm_plugins.runtime.memory import Memory as RuntimeMemory
from purewasm_plugins.wasm import PAGE_SIZE
from purewasm_plugins.wasmtime.errors import WasmtimeError
from purewasm_plugins.wasmtime.state import AsExtern, Context, StoreState
from purewasm_plugins.wasmtime.types import MemoryType

if TYPE_CHECKING:
    import ctypes

__all__ = ["Memory"]


@cache
def _pointer_to() -> Callable[[RuntimeMemory], ctypes._Pointer[ctypes.c_ubyte]]:
    """Return what makes pointers.

    It is imported at the first use: `ctypes` takes milliseconds, and some Pythons have none.
    """
    from purewasm_plugins.wasmtime.pointers import pointer_to

    return pointer_to


class Memory(AsExtern):
    """A linear memory of a module or of the host."""

    inner: RuntimeMemory

    def __init__(self, store: Context, ty: MemoryType) -> None:
        """Make a memory.

        Args:
            store: the store that it belongs to.
            ty: its type.

        Raises:
            AttributeError: `store` is no store, or `ty` no `MemoryType`.
            WasmtimeError: it is larger than the store's limits, or the machine, allow; or it is
                shared, of 64 bits, or of pages of another size.
            ValueError: the store is closed.
        """
        state = store.context()
        ty.check_open()
        if ty.unsupported is not None:
            raise WasmtimeError(ty.unsupported)
        limits = state.resource_limits()
        state.check_memory(ty.inner.limits.minimum)
        try:
            self.inner = RuntimeMemory(ty.inner, limits)
        except ResourceLimitError as error:
            raise WasmtimeError(f"failed to make the memory: {error.refusal}") from error
        self.state = state
        state.add_memory(self.inner)

    @classmethod
    def of(cls, inner: RuntimeMemory, state: StoreState) -> Memory:
        """Return the memory that the runtime has as `inner`; for this package only."""
        memory = cls.__new__(cls)
        memory.inner, memory.state = inner, state
        return memory

    def type(self, store: Context) -> MemoryType:
        """Return its type."""
        return MemoryType.of(self.of_store(store.context()).type)

    def grow(self, store: Context, delta: int) -> int:
        """Add pages of zeros.

        Args:
            store: the store.
            delta: how many.

        Returns:
            The number of pages before.

        Raises:
            TypeError: `delta` is no int.
            WasmtimeError: the memory may not have so many, or something shares its bytes: see
                `get_buffer_ptr`.
        """
        if not isinstance(delta, int):
            raise TypeError(f"expected an int, got {delta.__class__.__name__}")
        if delta < 0:
            raise WasmtimeError("cannot grow by negative amount")
        inner: RuntimeMemory = self.of_store(store.context())
        try:
            before = inner.try_grow(delta)
        except MemoryInUse as error:
            raise WasmtimeError(f"failed to grow memory by `{delta}`: {error.summary}") from error
        if before < 0:
            raise WasmtimeError(f"failed to grow memory by `{delta}`")
        return before

    def size(self, store: Context) -> int:
        """Return the number of its pages."""
        inner: RuntimeMemory = self.of_store(store.context())
        return inner.pages

    def data_len(self, store: Context) -> int:
        """Return the number of its bytes."""
        inner: RuntimeMemory = self.of_store(store.context())
        return inner.size

    def data_ptr(self, store: Context) -> ctypes._Pointer[ctypes.c_ubyte]:
        """Return a pointer to its first byte.

        The pointer itself follows the memory where growing moves it. What was derived from it, an
        address or its `contents`, does not.

        Hazards:
            No bound is checked: bytes past `data_len` are the Python process's own.
        """
        inner: RuntimeMemory = self.of_store(store.context())
        if inner.on_resize is None:
            # As in wasmtime, the pointer may be used as long as the store.
            self.state.add_memory(inner)
        return _pointer_to()(inner)

    def get_buffer_ptr(
        self, store: Context, size: int | None = None, offset: int = 0
    ) -> ctypes.Array[ctypes.c_ubyte]:
        """Return an array that shares its bytes.

        The memory cannot grow as long as the array, or something that shares the array's bytes,
        exists.

        Args:
            store: the store.
            size: bytes of the array; None for as many as the memory has.
            offset: of the array's first byte.

        Raises:
            WasmtimeError: the array would reach out of the memory.
        """
        from purewasm_plugins.wasmtime.pointers import array_of

        inner: RuntimeMemory = self.of_store(store.context())
        return array_of(inner, inner.size if size is None else size, offset)

    def read(self, store: Context, start: int | None = 0, stop: int | None = None) -> bytearray:
        """Copy bytes, as a slice of a list does.

        Args:
            store: the store.
            start: where they begin; a negative one counts from the end.
            stop: where they end; None for the end of the memory.
        """
        inner: RuntimeMemory = self.of_store(store.context())
        first, last, _ = slice(start, stop).indices(inner.size)
        return inner.raw[first : max(first, last)]

    def write(self, store: Context, value: bytearray | bytes, start: int | None = None) -> int:
        """Write bytes.

        Args:
            store: the store.
            value: the bytes.
            start: where they begin; a negative one counts from the end, None is the beginning.

        Returns:
            How many were written.

        Raises:
            IndexError: they do not all lie inside the memory; nothing was written.
        """
        inner: RuntimeMemory = self.of_store(store.context())
        first = slice(start, None).indices(inner.size)[0]
        if first >= inner.size:
            raise IndexError("index out of range")
        if not isinstance(value, (bytearray, bytes)):
            value = bytearray(value)
        end = first + len(value)
        if end > inner.size:
            raise IndexError("index out of range")
        inner.raw[first:end] = value
        return len(value)

    def page_size(self, store: Context) -> int:
        """Return the bytes of a page."""
        self.of_store(store.context())
        return PAGE_SIZE

    def page_size_log2(self, store: Context) -> int:
        """Return the binary logarithm of the bytes of a page."""
        self.of_store(store.context())
        return PAGE_SIZE.bit_length() - 1
