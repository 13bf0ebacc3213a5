"""Host functions for programs that are run several times: the results are always the same.

WASI preview 1 without files: arguments, environment and standard input are empty, the clock goes on
by a millisecond each time that it is read, and random bytes are the same ones.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from random import Random
from typing import Any, Protocol

from purewasm_plugins.wasm import FuncType, ValType

#: The type of `--host`: a function from the memory to host functions.
HostFunctions = Mapping[str, Mapping[str, Callable[..., Any]]]

WASI = "wasi_snapshot_preview1"

#: Errors of WASI preview 1.
_BAD_FILE, _NOT_SUPPORTED, _NO_SEEK = 8, 52, 70


class ProcessExit(Exception):
    """The program has called `proc_exit`."""


class Memory(Protocol):
    """The memory of the program, which may be written to while it runs."""

    def read(self, offset: int, size: int) -> bytes:
        """Read `size` bytes from `offset` on."""

    def write(self, offset: int, data: bytes) -> None:
        """Write bytes at `offset`."""


class Wasi:
    """The state of one process.

    Attributes:
        output: the bytes written to standard output and standard error.
    """

    def __init__(self, memory: Memory) -> None:
        self.output = bytearray()
        self._memory = memory
        self._random = Random(0)
        self._now = 0

    def functions(self) -> dict[str, Callable[..., Any]]:
        """Return the functions by name; `not_supported` replaces the rest."""
        return {
            "args_get": lambda *_: 0,
            "args_sizes_get": self._two_zeros,
            "clock_time_get": self._clock,
            "environ_get": lambda *_: 0,
            "environ_sizes_get": self._two_zeros,
            "fd_close": lambda *_: 0,
            "fd_fdstat_get": self._status,
            "fd_prestat_get": lambda *_: _BAD_FILE,
            "fd_read": self._read,
            "fd_seek": lambda *_: _NO_SEEK,
            "fd_write": self._write,
            "proc_exit": self._exit,
            "random_get": self._random_bytes,
            "sched_yield": lambda *_: 0,
        }

    @staticmethod
    def not_supported(*_: Any) -> int:
        """Return the error of a function that is not supported."""
        return _NOT_SUPPORTED

    def _put(self, address: int, layout: str, *values: int) -> int:
        self._memory.write(address & 0xFFFFFFFF, struct.pack(layout, *values))
        return 0

    def _two_zeros(self, first: int, second: int) -> int:
        return self._put(first, "<I", 0) or self._put(second, "<I", 0)

    def _clock(self, clock: int, precision: int, address: int) -> int:
        self._now += 1_000_000
        return self._put(address, "<Q", self._now)

    def _status(self, file: int, address: int) -> int:
        # A character device with all rights.
        return self._put(address, "<BxHxxxxQQ", 2, 0, (1 << 64) - 1, (1 << 64) - 1)

    def _read(self, file: int, vectors: int, count: int, address: int) -> int:
        return self._put(address, "<I", 0)

    def _write(self, file: int, vectors: int, count: int, address: int) -> int:
        written = 0
        for index in range(count):
            place = (vectors & 0xFFFFFFFF) + 8 * index
            start, size = struct.unpack("<II", self._memory.read(place, 8))
            self.output += self._memory.read(start, size)
            written += size
        return self._put(address, "<I", written)

    def _random_bytes(self, address: int, size: int) -> int:
        self._memory.write(address & 0xFFFFFFFF, self._random.randbytes(size & 0xFFFFFFFF))
        return 0

    def _exit(self, code: int) -> None:
        raise ProcessExit(f"proc_exit({code})")


def zeros(type_: FuncType) -> Callable[..., Any]:
    """Make a host function that returns zero."""
    results = tuple(
        None
        if result.is_reference
        else bytes(16)
        if result is ValType.V128
        else 0.0
        if result in (ValType.F32, ValType.F64)
        else 0
        for result in type_.results
    )
    answer = None if not results else results[0] if len(results) == 1 else results
    return lambda *_: answer
