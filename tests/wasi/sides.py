"""What is compared with wasmtime: operations on files through the driver, and what they leave.

A `Side` is one driver with its descriptors and its two directories: one that may be changed, and
one that may not. Each operation returns what must be equal on all sides.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from purewasm_plugins import Wasi
from purewasm_plugins.wasi.copied_files import CopiedDirectory
from purewasm_plugins.wasi.errno import Errno
from purewasm_plugins.wasi.files import Directory, FileType
from purewasm_plugins.wasi.grants import Quotas
from purewasm_plugins.wasi.host_files import HostDirectory
from purewasm_plugins.wasi.layout import DIRECTORY_ENTRY, FDSTAT, PRESTAT, PREVIEW1, Rights
from purewasm_plugins.wasi.memory_files import MemoryDirectory, SymbolicLink
from purewasm_plugins.wasi.state import WasiState

from .driver import Guest, OurGuest
from .wasmtime_guest import WasmtimeGuest

#: The slots of the standard streams, of the two directories, and of what is opened. A slot stands
#: for a descriptor, which has another number on each side: wasmtime gives the highest that is free.
STREAMS, ROOT, READ_ONLY, OPENED = (0, 1, 2), 3, 4, (5, 6, 7, 8, 9)

#: A descriptor that is never open.
_NEVER = 99_999

#: Where things lie in the driver's memory.
_PATH, _OTHER_PATH, _RESULT, _BUFFERS, _DATA = 0, 0x4000, 0x8000, 0x8100, 0x9000

#: Paths may hold "{255}" for a name of so many bytes.
_LONG = 255, 256, 5000

#: What each directory holds at first. The links lead to a directory, with and without a slash, to
#: a file, in a ring, nowhere, to a link, up, out, and to the host's root.
CONTENT: dict[str, bytes | str | SymbolicLink] = {
    "f": b"hello",
    "a/f": b"inner file",
    "a/b/": b"",
    "e/": b"",
    "la": SymbolicLink("a"),
    "ls": SymbolicLink("a/"),
    "lf": SymbolicLink("f"),
    "lfs": SymbolicLink("f/"),
    "lo": SymbolicLink("lo"),
    "lx": SymbolicLink("x"),
    "ll": SymbolicLink("la/../lf"),
    "ld": SymbolicLink("."),
    "a/up": SymbolicLink(".."),
    "a/out": SymbolicLink("../../f"),
    "abs": SymbolicLink("/etc"),
}

Entry = tuple[FileType, int, int, bytes]


class Side:
    """A driver and its two directories.

    Attributes:
        name: of the side.
        guest: the driver.
        descriptors: those that are open, by their slot.
        takes_first: whether it takes no buffer but the first that is not empty: it gets one that
            is as large as all.
    """

    takes_first = False

    def __init__(self, name: str, guest: Guest) -> None:
        self.name = name
        self.guest = guest
        self.descriptors = {slot: slot for slot in (*STREAMS, ROOT, READ_ONLY)}
        self.path_link(ROOT, 0, b"f", ROOT, b"h")

    def tree(self) -> dict[str, Entry]:
        """What both directories hold: the type, links, size and content of each path."""
        raise NotImplementedError

    def store(self) -> None:
        """Store what was changed, as after a call of a plugin."""

    def close(self) -> None:
        self.guest.close()

    def _call(self, name: str, *arguments: int) -> str:
        return Errno(self.guest.call(name, *arguments)).name

    def _fd(self, slot: int) -> int:
        return self.descriptors.get(slot, _NEVER)

    def _path(self, path: bytes, address: int = _PATH) -> tuple[int, int]:
        for size in _LONG:
            path = path.replace(b"{%d}" % size, b"l" * size)
        self.guest.write(address, path)
        return address, len(path)

    def _u32(self) -> int:
        return int.from_bytes(self.guest.read(_RESULT, 4), "little")

    def _u64(self) -> int:
        return int.from_bytes(self.guest.read(_RESULT, 8), "little")

    def _buffers(self, sizes: list[int]) -> tuple[int, int]:
        """Write an array of buffers, one after the other."""
        if self.takes_first:
            sizes = [0, sum(sizes), 0]
        address, data = _DATA, b""
        for size in sizes:
            data += struct.pack("<II", address, size)
            address += size
        self.guest.write(_BUFFERS, data)
        return _BUFFERS, len(sizes)

    def _parts(self, data: bytes) -> tuple[int, int]:
        """Write an array of buffers that have data in parts, some of which are empty."""
        half = len(data) // 3
        return self._buffers([0, half, 0, len(data) - half])

    # Descriptors

    def fd_read(self, slot: int, sizes: list[int]) -> Any:
        errno = self._call("fd_read", self._fd(slot), *self._buffers(sizes), _RESULT)
        return errno, self._read(errno), self.fd_tell(slot)

    def fd_pread(self, slot: int, sizes: list[int], offset: int) -> Any:
        errno = self._call("fd_pread", self._fd(slot), *self._buffers(sizes), offset, _RESULT)
        return errno, self._read(errno), self.fd_tell(slot)

    def _read(self, errno: str) -> bytes:
        return b"" if errno != "SUCCESS" else self.guest.read(_DATA, self._u32())

    def fd_write(self, slot: int, data: bytes) -> Any:
        self.guest.write(_DATA, data)
        errno = self._call("fd_write", self._fd(slot), *self._parts(data), _RESULT)
        written = self._u32() if errno == "SUCCESS" else 0
        return errno, written, self.fd_tell(slot)

    def fd_pwrite(self, slot: int, data: bytes, offset: int) -> Any:
        self.guest.write(_DATA, data)
        errno = self._call("fd_pwrite", self._fd(slot), *self._parts(data), offset, _RESULT)
        written = self._u32() if errno == "SUCCESS" else 0
        return errno, written, self.fd_tell(slot)

    def fd_seek(self, slot: int, offset: int, whence: int) -> Any:
        errno = self._call("fd_seek", self._fd(slot), offset, whence, _RESULT)
        return errno, self._u64() if errno == "SUCCESS" else 0

    def fd_tell(self, slot: int) -> Any:
        errno = self._call("fd_tell", self._fd(slot), _RESULT)
        return errno, self._u64() if errno == "SUCCESS" else 0

    def fd_advise(self, slot: int, offset: int, size: int, advice: int) -> Any:
        return self._call("fd_advise", self._fd(slot), offset, size, advice)

    def fd_sync(self, slot: int) -> Any:
        return self._call("fd_sync", self._fd(slot))

    def fd_datasync(self, slot: int) -> Any:
        return self._call("fd_datasync", self._fd(slot))

    def fd_filestat_get(self, slot: int) -> Any:
        errno = self._call("fd_filestat_get", self._fd(slot), _RESULT)
        return errno, self._status(errno)[:3]

    def fd_filestat_set_size(self, slot: int, size: int) -> Any:
        return self._call("fd_filestat_set_size", self._fd(slot), size)

    def fd_filestat_set_times(self, slot: int, accessed: int, modified: int, flags: int) -> Any:
        times = (accessed, modified, flags)
        errno = self._call("fd_filestat_set_times", self._fd(slot), *times)
        if errno != "SUCCESS":
            return errno, None
        return errno, self._times(self._call("fd_filestat_get", self._fd(slot), _RESULT), flags)

    def fd_fdstat_get(self, slot: int) -> Any:
        errno = self._call("fd_fdstat_get", self._fd(slot), _RESULT)
        if errno != "SUCCESS":
            return errno, None
        type, flags, rights, _ = FDSTAT.unpack(self.guest.read(_RESULT, FDSTAT.size))
        # wasmtime names every right of a file, whether it can be used or not.
        is_file = type == FileType.REGULAR_FILE
        return errno, type, flags, rights & (Rights.FD_READ | Rights.FD_WRITE) if is_file else 0

    def fd_fdstat_set_flags(self, slot: int, flags: int) -> Any:
        return self._call("fd_fdstat_set_flags", self._fd(slot), flags)

    def fd_prestat_get(self, slot: int) -> Any:
        errno = self._call("fd_prestat_get", self._fd(slot), _RESULT)
        # wasmtime leaves the three bytes after the tag as they are.
        found = PRESTAT.unpack(self.guest.read(_RESULT, PRESTAT.size))
        return errno, found if errno == "SUCCESS" else None

    def fd_prestat_dir_name(self, slot: int, size: int) -> Any:
        errno = self._call("fd_prestat_dir_name", self._fd(slot), _DATA, size)
        return errno, self.guest.read(_DATA, size) if errno == "SUCCESS" else b""

    def fd_readdir(self, slot: int, size: int, cookie: int) -> Any:
        """Call it once. The order of the entries is each side's own."""
        errno = self._call("fd_readdir", self._fd(slot), _DATA, size, cookie, _RESULT)
        return errno, self._u32() if errno == "SUCCESS" else 0

    def listing(self, slot: int, size: int) -> Any:
        """List a directory whole, with a buffer of so many bytes.

        Each entry has the inode that its path has, which is each side's own.
        """
        found, cookie = [], 0
        while True:
            errno = self._call("fd_readdir", self._fd(slot), _DATA, size, cookie, _RESULT)
            if errno != "SUCCESS":
                return errno
            used = self._u32()
            entries = [*self._entries(self.guest.read(_DATA, used))]
            for _, inode, name, type in entries:
                found.append((name, type, name == b".." or inode == self._inode(slot, name)))
            if used < size:
                return sorted(found[2:]), found[:2]
            if entries:
                cookie = entries[-1][0]
            else:
                size *= 2

    def _inode(self, slot: int, name: bytes) -> int | None:
        place = self._path(name)
        if self._call("path_filestat_get", self._fd(slot), 0, *place, _RESULT) != "SUCCESS":
            return None
        return int.from_bytes(self.guest.read(_RESULT + 8, 8), "little")

    def _entries(self, data: bytes) -> Iterator[tuple[int, int, bytes, int]]:
        """Yield the cookie, inode, name and type of each entry that is whole."""
        position = 0
        while position + DIRECTORY_ENTRY.size <= len(data):
            cookie, inode, size, type = DIRECTORY_ENTRY.unpack_from(data, position)
            position += DIRECTORY_ENTRY.size + size
            if position <= len(data):
                yield cookie, inode, data[position - size : position], type

    def fd_renumber(self, slot: int, to: int) -> Any:
        errno = self._call("fd_renumber", self._fd(slot), self._fd(to))
        if errno == "SUCCESS" and slot != to:
            del self.descriptors[slot]
        return errno

    def fd_close(self, slot: int) -> Any:
        errno = self._call("fd_close", self._fd(slot))
        if errno == "SUCCESS":
            del self.descriptors[slot]
        return errno

    # Paths

    def path_open(
        self, slot: int, into: int, lookup: int, path: bytes, opening: int, rights: int, flags: int
    ) -> Any:
        place = self._path(path)
        arguments = (lookup, *place, opening, rights, rights, flags, _RESULT)
        errno = self._call("path_open", self._fd(slot), *arguments)
        if errno != "SUCCESS":
            return errno, None
        opened = self._u32()
        if into in self.descriptors:
            self._call("fd_close", self._fd(into))
        self.descriptors[into] = opened
        self._call("fd_fdstat_get", opened, _RESULT)
        return errno, self.guest.read(_RESULT, 1)[0]

    def path_create_directory(self, slot: int, path: bytes) -> Any:
        return self._call("path_create_directory", self._fd(slot), *self._path(path))

    def path_filestat_get(self, slot: int, flags: int, path: bytes) -> Any:
        place = self._path(path)
        errno = self._call("path_filestat_get", self._fd(slot), flags, *place, _RESULT)
        return errno, self._status(errno)[:3]

    def path_filestat_set_times(
        self, slot: int, lookup: int, path: bytes, accessed: int, modified: int, flags: int
    ) -> Any:
        place = self._path(path)
        times = (accessed, modified, flags)
        name = "path_filestat_set_times"
        errno = self._call(name, self._fd(slot), lookup, *place, *times)
        if errno != "SUCCESS":
            return errno, None
        again = self._call("path_filestat_get", self._fd(slot), lookup, *place, _RESULT)
        return errno, self._times(again, flags)

    def path_link(self, slot: int, flags: int, path: bytes, to: int, new_path: bytes) -> Any:
        old, new = self._path(path), self._path(new_path, _OTHER_PATH)
        return self._call("path_link", self._fd(slot), flags, *old, self._fd(to), *new)

    def path_readlink(self, slot: int, path: bytes, size: int) -> Any:
        place = self._path(path)
        errno = self._call("path_readlink", self._fd(slot), *place, _DATA, size, _RESULT)
        return errno, self._read(errno)

    def path_remove_directory(self, slot: int, path: bytes) -> Any:
        return self._call("path_remove_directory", self._fd(slot), *self._path(path))

    def path_rename(self, slot: int, path: bytes, to: int, new_path: bytes) -> Any:
        old, new = self._path(path), self._path(new_path, _OTHER_PATH)
        return self._call("path_rename", self._fd(slot), *old, self._fd(to), *new)

    def path_symlink(self, target: bytes, slot: int, path: bytes) -> Any:
        old, new = self._path(target), self._path(path, _OTHER_PATH)
        return self._call("path_symlink", *old, self._fd(slot), *new)

    def path_unlink_file(self, slot: int, path: bytes) -> Any:
        return self._call("path_unlink_file", self._fd(slot), *self._path(path))

    # What is known of files

    def _status(self, errno: str) -> tuple[int, ...]:
        """The type, links, size and times. The host decides on a directory's size."""
        if errno != "SUCCESS":
            return ()
        data = self.guest.read(_RESULT, PREVIEW1.filestat.size)
        _, _, type, links, size, accessed, modified, _ = PREVIEW1.filestat.unpack(data)
        if type == FileType.DIRECTORY:
            size = 0
        return type, links, size, accessed, modified

    def _times(self, errno: str, flags: int) -> Any:
        """The times that were given just now."""
        status = self._status(errno)
        if not status:
            return errno
        return status[3] if flags & 1 else None, status[4] if flags & 4 else None


class MemorySide(Side):
    """Our engine with directories in memory."""

    def __init__(self) -> None:
        self._directories = [MemoryDirectory(CONTENT), MemoryDirectory(CONTENT, read_only=True)]
        wasi = Wasi(directories=dict(zip(("/", "/r"), self._directories, strict=True)))
        super().__init__("memory", OurGuest(wasi))

    def tree(self) -> dict[str, Entry]:
        found: dict[str, Entry] = {}
        for number, directory in enumerate(self._directories):
            quota = WasiState(Wasi(quotas=Quotas(path_bytes=None)))
            found.update(_memory_tree(f"{number}", directory.open(quota)))
        return found


def _memory_tree(prefix: str, directory: Directory) -> Iterator[tuple[str, Entry]]:
    for name, _, type in directory.entries(1 << 20):
        path = f"{prefix}/{name}"
        status = directory.status_of(name)
        assert type is status.type
        size, data = status.size, b""
        if type is FileType.SYMBOLIC_LINK:
            data = directory.read_link(name).encode()
        elif type is FileType.REGULAR_FILE:
            how = dict.fromkeys(("write", "create", "exclusive", "truncate"), False)
            data = directory.open_file(name, read=True, **how).read(0, 1 << 30)
        else:
            yield from _memory_tree(path, directory.open_directory(name))
            size = 0
        yield path, (type, status.links, size, data)


def _host_tree(prefix: str, folder: Path) -> Iterator[tuple[str, Entry]]:
    for entry in os.scandir(folder):
        path = f"{prefix}/{entry.name}"
        status = entry.stat(follow_symlinks=False)
        size, data = status.st_size, b""
        if entry.is_symlink():
            type = FileType.SYMBOLIC_LINK
            data = os.readlink(entry.path).encode()
        elif entry.is_dir(follow_symlinks=False):
            type = FileType.DIRECTORY
            yield from _host_tree(path, Path(entry.path))
            size = 0
        else:
            type = FileType.REGULAR_FILE
            data = Path(entry.path).read_bytes()
        yield path, (type, status.st_nlink, size, data)


class _OnHost(Side):
    """A side whose directories lie on the host."""

    folders: tuple[Path, Path]

    def tree(self) -> dict[str, Entry]:
        found: dict[str, Entry] = {}
        for number, folder in enumerate(self.folders):
            found.update(_host_tree(f"{number}", folder))
        return found


def _folders(parent: Path) -> tuple[Path, Path]:
    """Make the two directories, with what they hold at first."""
    folders = parent / "changeable", parent / "read_only"
    for folder in folders:
        for path, value in CONTENT.items():
            target = folder / path
            (target if path.endswith("/") else target.parent).mkdir(parents=True, exist_ok=True)
            if isinstance(value, SymbolicLink):
                target.symlink_to(value.target)
            elif isinstance(value, bytes) and not path.endswith("/"):
                target.write_bytes(value)
    return folders


class HostSide(_OnHost):
    """Our engine with directories of the host."""

    def __init__(self, parent: Path) -> None:
        changeable, read_only = self.folders = _folders(parent)
        directories = {
            "/": HostDirectory(changeable, read_only=False),
            "/r": HostDirectory(read_only, read_only=True),
        }
        super().__init__("host", OurGuest(Wasi(directories=directories)))


class CopiedSide(_OnHost):
    """Our engine with directories of the host that are copied in and out, as on Windows."""

    def __init__(self, parent: Path) -> None:
        changeable, read_only = self.folders = _folders(parent)
        directories = {
            "/": CopiedDirectory(str(changeable), read_only=False),
            "/r": CopiedDirectory(str(read_only), read_only=True),
        }
        self._guest = OurGuest(Wasi(directories=directories))
        super().__init__("copied", self._guest)

    def tree(self) -> dict[str, Entry]:
        self.store()
        return super().tree()

    def store(self) -> None:
        self._guest.instance.wasi.finish_call()


class WasmtimeSide(_OnHost):
    """Wasmtime."""

    takes_first = True

    def __init__(self, parent: Path) -> None:
        changeable, read_only = self.folders = _folders(parent)
        directories = {"/": (changeable, True), "/r": (read_only, False)}
        super().__init__("wasmtime", WasmtimeGuest(directories))
