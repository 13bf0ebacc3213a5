"""Pointers into memories, with ctypes: imported where one is asked for."""

from __future__ import annotations

import ctypes
from typing import TYPE_CHECKING

from purewasm_plugins.runtime.memory import Memory
from purewasm_plugins.wasmtime.errors import WasmtimeError

if TYPE_CHECKING:
    _Pointer = ctypes._Pointer[ctypes.c_ubyte]

__all__ = ["array_of", "pointer_to"]


class _Following:
    """The pointer to the first byte of a memory: each growth gives it the new address.

    Attributes:
        pointer: the pointer.
    """

    __slots__ = ("_address", "_raw", "_value", "pointer")

    def __init__(self, raw: bytearray) -> None:
        self._raw = raw
        self.pointer: _Pointer = ctypes.POINTER(ctypes.c_ubyte)()
        #: The pointer as a number.
        self._value = ctypes.c_void_p.from_address(ctypes.addressof(self.pointer))
        self()

    def __call__(self) -> None:
        """Take the address that the memory has now: it calls this after each growth."""
        # The array that shares the bytes is gone at once: it would keep the memory from growing.
        self._address = ctypes.addressof((ctypes.c_ubyte * 0).from_buffer(self._raw))
        self.restore()

    def restore(self) -> None:
        """Have the pointer point to the memory, whatever was done to it."""
        self._value.value = self._address


def pointer_to(memory: Memory) -> _Pointer:
    """Return the pointer to the first byte of a memory."""
    following = memory.on_resize
    if not isinstance(following, _Following):
        memory.on_resize = following = _Following(memory.raw)
    following.restore()
    return following.pointer


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
