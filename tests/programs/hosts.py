"""The host functions that real programs import, each small part of a system that they need.

A host is a module of imports. Its functions find the program in `host.program`, which `start` sets.
"""

from __future__ import annotations

import functools
import re
import struct
from collections.abc import Mapping
from typing import Any

from .machines import Machine, Program

PAGE = 65536


class Exit(Exception):
    """The program called `proc_exit`."""


class Abort(Exception):
    """The program has called `abort`, or an assertion in it has failed."""


class Host:
    """A module of imports: its methods are the functions.

    A method has the function's name without leading underscores, and without the hash that
    wasm-bindgen appends.
    """

    program: Program

    def get(self, name: str) -> Any:
        """What a program imports by that name."""
        return getattr(self, re.sub(r"_[0-9a-f]{16}$", "", name.lstrip("_")))

    def text(self, address: int) -> str:
        """The null-terminated string at an address."""
        found = b""
        while b"\0" not in found:
            start = address + len(found)
            found += self.program.read(start, min(64, self.program.size() - start))
        return found.partition(b"\0")[0].decode("utf-8", "replace")

    def u32(self, address: int) -> int:
        """The unsigned 32-bit number at an address."""
        return int.from_bytes(self.program.read(address, 4), "little")

    def write_u32(self, address: int, *values: int) -> None:
        """Put unsigned 32-bit numbers at an address."""
        self.program.write(address, struct.pack(f"<{len(values)}I", *values))


def start(machine: Machine, data: bytes, hosts: Mapping[str, Host]) -> Program:
    """An instance of a program, its imports from the hosts, by module."""
    program = machine.load(data, hosts)
    for host in hosts.values():
        host.program = program
    return program


class Wasi(Host):
    """WASI preview 1: standard output and error, and a clock that ticks when it is read."""

    SUCCESS, BADF, NOSYS, SPIPE = 0, 8, 52, 70

    def __init__(self) -> None:
        self.output = bytearray()
        self.time = 1_700_000_000 * 10**9

    def get(self, name: str) -> Any:
        return getattr(self, name, lambda *arguments: self.NOSYS)

    def environ_sizes_get(self, count: int, size: int) -> int:
        self.write_u32(count, 0)
        self.write_u32(size, 0)
        return self.SUCCESS

    def environ_get(self, pointers: int, strings: int) -> int:
        return self.SUCCESS

    def clock_time_get(self, clock: int, precision: int, time: int) -> int:
        self.time += 10**6
        self.program.write(time, self.time.to_bytes(8, "little"))
        return self.SUCCESS

    def fd_write(self, file: int, vectors: int, count: int, written: int) -> int:
        before = len(self.output)
        for vector in range(vectors, vectors + 8 * count, 8):
            self.output += self.program.read(self.u32(vector), self.u32(vector + 4))
        self.write_u32(written, len(self.output) - before)
        return self.SUCCESS

    def fd_close(self, file: int) -> int:
        return self.SUCCESS

    def fd_seek(self, file: int, offset: int, whence: int, position: int) -> int:
        return self.SPIPE

    def fd_fdstat_get(self, file: int, result: int) -> int:
        if file > 2:
            return self.BADF
        self.program.write(result, struct.pack("<BxHxxxxQQ", 2, 0, 2**64 - 1, 2**64 - 1))
        return self.SUCCESS

    def fd_prestat_get(self, file: int, result: int) -> int:
        return self.BADF

    def proc_exit(self, status: int) -> None:
        raise Exit(status)


class _Longjmp(Exception):
    """Unwinds to the nearest `invoke_…`."""


class Emscripten(Host):
    """What Emscripten's C library imports: growth of the heap, abort, setjmp and longjmp."""

    def __init__(self, save: str = "stackSave", restore: str = "stackRestore") -> None:
        self._save, self._restore = save, restore
        self._temporary = 0

    def get(self, name: str) -> Any:
        if name.startswith("invoke_"):
            return functools.partial(self._invoke, None if name.startswith("invoke_v") else 0)
        return super().get(name)

    def _invoke(self, result: Any, index: int, *arguments: Any) -> Any:
        """Call a function of the table; a longjmp out of it ends here."""
        stack = self.program.call(self._save)
        try:
            return self.program.call_element(index, *arguments)
        except _Longjmp:
            self.program.call(self._restore, stack)
            self.program.call("setThrew", 1, 0)
            return result

    def emscripten_throw_longjmp(self) -> None:
        raise _Longjmp

    def setTempRet0(self, value: int) -> None:  # noqa: N802
        self._temporary = value

    def getTempRet0(self) -> int:  # noqa: N802
        return self._temporary

    def emscripten_resize_heap(self, size: int) -> int:
        missing = (size & 0xFFFF_FFFF) - self.program.size()
        return int(missing <= 0 or self.program.grow(-(-missing // PAGE)))

    def emscripten_memcpy_big(self, destination: int, source: int, size: int) -> int:
        self.program.write(destination, self.program.read(source, size))
        return destination

    def abort(self) -> None:
        raise Abort

    def assert_fail(self, condition: int, *where: int) -> None:
        raise Abort(self.text(condition))


class WasmBindgen(Host):
    """What wasm-bindgen's modules import: values of JavaScript, which they hold by a number."""

    def __init__(self, *alignment: int) -> None:
        """Later versions take the alignment of allocated blocks."""
        self._alignment = alignment
        self._values: list[Any] = []

    def keep(self, value: Any) -> int:
        """The number by which the program holds a value."""
        self._values.append(value)
        return len(self._values)

    def value(self, number: int) -> Any:
        """The value that the program holds by a number."""
        return self._values[number - 1]

    def put(self, data: bytes) -> tuple[int, int]:
        """Give bytes to the program: their address and size."""
        address = self.program.call("__wbindgen_malloc", len(data), *self._alignment)
        self.program.write(address, data)
        return address, len(data)

    def take(self, address: int, size: int) -> bytes:
        """Take bytes from the program, which it frees."""
        data = self.program.read(address, size)
        self.program.call("__wbindgen_free", address, size, *self._alignment)
        return data

    def call(self, function: str, *arguments: Any, may_fail: bool = True) -> bytes:
        """Call a function that returns bytes.

        It writes their address and size; the number of an error, and whether there is one, follow
        if it may fail.
        """
        words = self.program.call("__wbindgen_add_to_stack_pointer", -16)
        self.program.call(function, words, *arguments)
        address, size, error, failed = (self.u32(words + 4 * word) for word in range(4))
        self.program.call("__wbindgen_add_to_stack_pointer", 16)
        if may_fail and failed:
            raise Abort(self.value(error))
        return self.take(address, size)

    def wbindgen_string_new(self, address: int, size: int) -> int:
        return self.keep(self.program.read(address, size).decode())

    wbindgen_error_new = wbindgen_string_new

    def wbindgen_object_drop_ref(self, number: int) -> None:
        assert self.value(number) is not None

    def wbindgen_throw(self, address: int, size: int) -> None:
        raise Abort(self.program.read(address, size).decode())
