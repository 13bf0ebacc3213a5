"""The driver's functions as calls in Python, which raise where WASI answers with an error."""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import NamedTuple

import pytest

from purewasm_plugins import ResourceLimits, Wasi, instantiate
from purewasm_plugins.wasi.errno import Errno
from purewasm_plugins.wasi.files import FileType
from purewasm_plugins.wasi.preview1 import SIGNATURES
from tests.conftest import assemble
from tests.wasi.driver import driver, signed

#: Rights, and flags of opening, by the numbers of the specification.
READ, WRITE, ALLOCATE, SET_SIZE = 1 << 1, 1 << 6, 1 << 8, 1 << 22
CREAT, DIRECTORY, EXCL, TRUNC = 1, 2, 4, 8
FOLLOW = 1
APPEND = 1

#: Where a call has its arguments and results in memory.
_RESULT, _VECTOR, _TEXTS, _BUFFER = 0x100, 0x200, 0x10000, 0x80000
_ROOM = 0x40000


class Refused(Exception):
    """A function of WASI answered with an error number."""

    def __init__(self, errno: Errno) -> None:
        super().__init__(errno.name)
        self.errno = errno


class Status(NamedTuple):
    device: int
    inode: int
    type: int
    links: int
    size: int


class Guest:
    """An instance, whose functions raise `Refused` where WASI answers with an error number."""

    def __init__(
        self, wasi: Wasi, engine: str = "translator", limits: ResourceLimits | None = None
    ) -> None:
        data = assemble(driver(pages=16))
        self.instance = instantiate(data, engine=engine, wasi=wasi, limits=limits)
        self.memory = self.instance.exports.memory()
        self._functions = {name: self.instance.exports.function(name) for name in SIGNATURES}

    def close(self) -> None:
        self.instance.wasi.close()

    def call(self, name: str, *arguments: int | str | bytes) -> None:
        """Call a function; a text lies in memory, and is passed as its address and size."""
        values: list[int] = []
        end = _TEXTS
        for argument in arguments:
            if isinstance(argument, int):
                values.append(argument)
                continue
            data = argument.encode() if isinstance(argument, str) else argument
            self.memory.write(end, data)
            values += [end, len(data)]
            end += len(data)
        errno = self._functions[name](*signed(name, values))
        if errno:
            raise Refused(Errno(errno))

    def open(
        self,
        path: str | bytes,
        how: int = 0,
        rights: int = READ,
        *,
        fd: int = 3,
        lookup: int = FOLLOW,
        flags: int = 0,
    ) -> int:
        self.call("path_open", fd, lookup, path, how, rights, 0, flags, _RESULT)
        return self.memory.read_u32(_RESULT)

    def close_fd(self, fd: int) -> None:
        self.call("fd_close", fd)

    def read(self, fd: int, offset: int | None = None, size: int = 1000) -> bytes:
        self.memory.write(_VECTOR, struct.pack("<II", _BUFFER, size))
        if offset is None:
            self.call("fd_read", fd, _VECTOR, 1, _RESULT)
        else:
            self.call("fd_pread", fd, _VECTOR, 1, offset, _RESULT)
        return self.memory.read(_BUFFER, self.memory.read_u32(_RESULT))

    def write(self, fd: int, data: bytes, offset: int | None = None) -> int:
        self.memory.write(_BUFFER, data)
        self.memory.write(_VECTOR, struct.pack("<II", _BUFFER, len(data)))
        if offset is None:
            self.call("fd_write", fd, _VECTOR, 1, _RESULT)
        else:
            self.call("fd_pwrite", fd, _VECTOR, 1, offset, _RESULT)
        return self.memory.read_u32(_RESULT)

    def names(self, fd: int) -> dict[bytes, int]:
        """The names in an open directory, each with its inode."""
        self.call("fd_readdir", fd, _BUFFER, _ROOM, 0, _RESULT)
        data = self.memory.read(_BUFFER, self.memory.read_u32(_RESULT))
        found = {}
        while data:
            _, inode, size, _ = struct.unpack_from("<QQIB", data)
            found[data[24 : 24 + size]] = inode
            data = data[24 + size :]
        return found

    def status(self, path: str | bytes, *, fd: int = 3, lookup: int = FOLLOW) -> Status:
        self.call("path_filestat_get", fd, lookup, path, _RESULT)
        return self._status()

    def status_of(self, fd: int) -> Status:
        self.call("fd_filestat_get", fd, _RESULT)
        return self._status()

    def _status(self) -> Status:
        device, inode, type, links, size = struct.unpack("<QQB7xQQ", self.memory.read(_RESULT, 40))
        return Status(device, inode, FileType(type), links, size)

    def read_link(self, path: str | bytes, *, fd: int = 3) -> bytes:
        self.call("path_readlink", fd, path, _BUFFER, _ROOM, _RESULT)
        return self.memory.read(_BUFFER, self.memory.read_u32(_RESULT))

    def content(self, path: str, *, fd: int = 3) -> bytes:
        """What is in a file."""
        file = self.open(path, fd=fd)
        try:
            return self.read(file)
        finally:
            self.close_fd(file)


def refusal(function: Callable[..., object], *arguments: object, **named: object) -> Errno:
    """The error number that a call ends with."""
    try:
        result = function(*arguments, **named)
    except Refused as error:
        return error.errno
    pytest.fail(f"it returned {result!r}")
