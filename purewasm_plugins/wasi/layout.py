"""How preview 1 lays out its structures in memory, and the bits of its flags.

The names are those of the specification's `typenames.witx`.
"""

from __future__ import annotations

from struct import Struct

from purewasm_plugins.support.records import Record
from purewasm_plugins.support.typed import Mapping
from purewasm_plugins.wasi.files import FileStatus

__all__ = [
    "DIRECTORY_ENTRY",
    "EVENT",
    "FDSTAT",
    "PRESTAT",
    "PREVIEW1",
    "UNSTABLE",
    "FdFlags",
    "Layout",
    "LookupFlags",
    "OpenFlags",
    "Rights",
    "TimeFlags",
    "Whence",
]


class Rights:
    """The rights of a descriptor (`rights`)."""

    FD_READ = 1 << 1
    FD_WRITE = 1 << 6
    FD_ALLOCATE = 1 << 8
    FD_FILESTAT_SET_SIZE = 1 << 22

    #: Those that change a file; each of them opens it for writing.
    WRITING = FD_WRITE | FD_ALLOCATE | FD_FILESTAT_SET_SIZE

    #: Those of a regular file: all that begin with fd_, but for fd_readdir, and poll_fd_readwrite.
    FILE = 0x8E001FF

    #: Those of a directory: all that begin with path_, but for path_filestat_set_size, fd_readdir,
    #: fd_filestat_get, fd_filestat_set_times, fd_sync, fd_datasync and fd_fdstat_set_flags.
    DIRECTORY = 0x7B7FE19

    #: Those of a directory that change something in it.
    CHANGING = 0x7931E00


class FdFlags:
    """The flags of an open file (`fdflags`)."""

    APPEND = 1 << 0
    DSYNC = 1 << 1
    NONBLOCK = 1 << 2
    RSYNC = 1 << 3
    SYNC = 1 << 4

    #: Those that have each write stored before it returns.
    SYNCHRONOUS = DSYNC | RSYNC | SYNC
    ALL = 0x1F


class LookupFlags:
    """The flags of a path (`lookupflags`)."""

    SYMLINK_FOLLOW = 1 << 0
    ALL = 0x1


class OpenFlags:
    """The flags of opening (`oflags`)."""

    CREAT = 1 << 0
    DIRECTORY = 1 << 1
    EXCL = 1 << 2
    TRUNC = 1 << 3
    ALL = 0xF


class TimeFlags:
    """The flags of setting times (`fstflags`)."""

    ATIM = 1 << 0
    ATIM_NOW = 1 << 1
    MTIM = 1 << 2
    MTIM_NOW = 1 << 3
    ALL = 0xF


class Whence:
    """Where an offset of `fd_seek` is counted from (`whence`)."""

    SET = 0
    CUR = 1
    END = 2


#: `fdstat`: the file's type, its flags, the rights of the descriptor and of those opened from it.
FDSTAT = Struct("<BxH4xQQ")

#: `prestat`: the tag of a directory, and the size of its path.
PRESTAT = Struct("<B3xI")

#: `dirent`: the cookie of the next entry, the inode, the size of the name, and the file's type.
DIRECTORY_ENTRY = Struct("<QQIB3x")

#: `event`: the user's data, the error, the type; of a descriptor, the bytes and flags.
EVENT = Struct("<QHB5xQH6x")


class Layout(Record):
    """What differs between `wasi_snapshot_preview1` and `wasi_unstable`.

    Attributes:
        filestat: device, inode, type, links, size and the three times.
        whence: the meaning of each number of `fd_seek`.
        subscription: bytes of a `subscription`.
        clock: the position in it of a clock's number, time and flags.
    """

    filestat: Struct
    whence: Mapping[int, int]
    subscription: int
    clock: Struct

    def packed(self, status: FileStatus) -> bytes:
        """Return a file's status as a `filestat`."""
        low = 0xFFFFFFFFFFFFFFFF
        device, inode, type, links, size, *times = status
        numbers = (device & low, inode & low, type, links, size, *(time & low for time in times))
        return self.filestat.pack(*numbers)


PREVIEW1 = Layout(
    Struct("<QQB7xQQQQQ"),
    {0: Whence.SET, 1: Whence.CUR, 2: Whence.END},
    48,
    Struct("<16xI4xQ8xH"),
)
UNSTABLE = Layout(
    Struct("<QQB3xIQQQQ"),
    {0: Whence.CUR, 1: Whence.END, 2: Whence.SET},
    56,
    Struct("<24xI4xQ8xH"),
)
