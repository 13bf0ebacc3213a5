"""Pointers into memories, with ctypes: imported where one is asked for."""

from __future__ import annotations

import ctypes
from typing import Any
from weakref import WeakSet

from purewasm_plugins.runtime.memory import Memory
from purewasm_plugins.wasmtime.errors import WasmtimeError

__all__ = ["array_of", "pointer_to"]


class _Pointer(ctypes.POINTER(ctypes.c_ubyte)):  # type: ignore[misc]
    """A pointer to the first byte of a memory."""

    _type_ = ctypes.c_ubyte

    __hash__ = object.__hash__


class _Pointers:
    """The pointers to one memory that exist: each growth gives them the new address."""

    def __init__(self, raw: bytearray) -> None:
        self._raw = raw
        self._pointers: WeakSet[Any] = WeakSet()

    def new(self) -> Any:
        pointer = _Pointer()
        self._pointers.add(pointer)
        self._renew(pointer, _address(self._raw))
        return pointer

    def __call__(self) -> None:
        address = _address(self._raw)
        for pointer in self._pointers:
            self._renew(pointer, address)

    def _renew(self, pointer: Any, address: int) -> None:
        ctypes.c_void_p.from_address(ctypes.addressof(pointer)).value = address


def _address(raw: bytearray) -> int:
    """Return where bytes lie, without sharing them any longer."""
    return ctypes.addressof((ctypes.c_ubyte * 0).from_buffer(raw))


def pointer_to(memory: Memory) -> Any:
    """Return a pointer to the first byte of a memory."""
    pointers = memory.on_resize
    if not isinstance(pointers, _Pointers):
        memory.on_resize = pointers = _Pointers(memory.raw)
    return pointers.new()


def array_of(memory: Memory, size: int, offset: int) -> ctypes.Array[ctypes.c_ubyte]:
    """Return an array of bytes that it shares with a memory.

    Raises:
        WasmtimeError: they do not all lie inside the memory.
    """
    if size < 0 or offset < 0 or offset + size > memory.size:
        raise WasmtimeError(
            f"{size} bytes from {offset} on do not lie inside the memory of {memory.size} bytes"
        )
    return (ctypes.c_ubyte * size).from_buffer(memory.raw, offset)
