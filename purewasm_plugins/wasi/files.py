"""Directories and files as preview 1 sees them, wherever they lie.

Each method takes **one name**, never a path: `paths.py` alone takes paths apart, one component at a
time, and resolves symbolic links. So a directory cannot be left by what it is asked for, and a
directory on the host needs only calls that take an open directory and a name, and follow no link.

A name is not empty, is neither "." nor "..", and holds neither "/" nor U+0000.

Every method raises `ErrnoError`, or an `OSError` of the system, where it fails; nothing has then
changed. Times are nanoseconds since 1970.
"""

from __future__ import annotations

from purewasm_plugins.support.light import IntEnum, NamedTuple
from purewasm_plugins.support.typed import Protocol

__all__ = [
    "ENTRIES_PER_UNIT",
    "Directory",
    "DirectoryEntry",
    "File",
    "FileStatus",
    "FileType",
    "Quota",
]

#: Entries of a directory that cost a unit of fuel where they are listed or counted.
ENTRIES_PER_UNIT = 64


class FileType(IntEnum):
    """The kinds of files, as preview 1 numbers them (`filetype`)."""

    UNKNOWN = 0
    BLOCK_DEVICE = 1
    CHARACTER_DEVICE = 2
    DIRECTORY = 3
    REGULAR_FILE = 4
    SOCKET_DGRAM = 5
    SOCKET_STREAM = 6
    SYMBOLIC_LINK = 7


class FileStatus(NamedTuple):
    """What is known of a file (`filestat`).

    Attributes:
        device, inode: together they identify the file.
        type: its kind.
        links: hard links to it.
        size: its bytes; of a symbolic link, those of its target.
        accessed, modified, changed: times of its content, and of its status.
    """

    device: int
    inode: int
    type: FileType
    links: int
    size: int
    accessed: int
    modified: int
    changed: int


class DirectoryEntry(NamedTuple):
    """An entry of a directory: its name, and the inode and kind of its file."""

    name: str
    inode: int
    type: FileType


class Quota(Protocol):
    """What an instance may still use, as directories ask for it, and the time by its clock."""

    def now(self) -> int:
        """Return the time."""

    def spend(self, units: int) -> None:
        """Pay with fuel for what takes long. It may raise the `Trap` that ends the call."""

    def check_file_size(self, size: int) -> None:
        """Refuse a file of so many bytes: FBIG."""

    def check_total_size(self, size: int) -> None:
        """Refuse so many bytes in all files of one grant: NOSPC."""

    def check_files(self, count: int) -> None:
        """Refuse so many files, directories and links in one grant: NOSPC."""

    def check_entries(self, count: int) -> None:
        """Refuse so many entries in one directory: NOSPC."""


class File(Protocol):
    """An open regular file. It has no position: that is the descriptor's.

    Whether it may be read or written was checked before: `preview1` does it at each call.
    """

    def read(self, offset: int, size: int) -> bytes:
        """Return up to `size` bytes from an offset on; fewer only at the end of the file."""

    def write(self, offset: int, data: bytes) -> int:
        """Put bytes at an offset, and return how many. What lies between is zero."""

    def append(self, data: bytes) -> int:
        """Put bytes at the end of the file as it is now, and return how many."""

    def resize(self, size: int) -> None:
        """Cut the file off, or extend it by zeros."""

    def status(self) -> FileStatus:
        """Return what is known of the file."""

    def set_times(self, accessed: int | None, modified: int | None) -> None:
        """Set the times; None leaves one as it is."""

    def sync(self) -> None:
        """Have what was written stored."""

    def close(self) -> None:
        """Give the file up. Nothing else is called afterwards."""


class Directory(Protocol):
    """An open directory. Names are of its own entries; see the module's text."""

    def duplicate(self) -> Directory:
        """Return another handle of the same directory, to be closed by itself."""

    def open_directory(self, name: str) -> Directory:
        """Open a directory in it: NOTDIR or LOOP for anything else, a symbolic link above all."""

    def open_file(
        self, name: str, *, read: bool, write: bool, create: bool, exclusive: bool, truncate: bool
    ) -> File:
        """Open a regular file in it.

        Args:
            name: its name.
            read, write: what will be done with the file.
            create: make it where there is nothing of that name.
            exclusive: refuse with EXIST what is there already.
            truncate: cut it off at its beginning; only with `write`.

        Raises:
            ErrnoError: ISDIR for a directory, LOOP for a symbolic link, ACCES for what is neither
                a regular file nor a directory, and what else the system says.
        """

    def read_link(self, name: str) -> str:
        """Return the target of a symbolic link: INVAL where it is none."""

    def status_of(self, name: str) -> FileStatus:
        """Return what is known of an entry; of a symbolic link itself, not of its target."""

    def status(self) -> FileStatus:
        """Return what is known of the directory itself."""

    def set_times_of(self, name: str, accessed: int | None, modified: int | None) -> None:
        """Set the times of an entry, of a symbolic link itself; None leaves one as it is."""

    def set_times(self, accessed: int | None, modified: int | None) -> None:
        """Set the times of the directory itself; None leaves one as it is."""

    def make_directory(self, name: str) -> None:
        """Make an empty directory in it."""

    def make_symbolic_link(self, name: str, target: str) -> None:
        """Make a symbolic link in it; the target is any text but an empty one."""

    def link(self, name: str, into: Directory, new_name: str) -> None:
        """Give an entry another name: a hard link, of a symbolic link itself.

        XDEV where `into` is a directory of another kind, or of another grant.
        """

    def rename(self, name: str, into: Directory, new_name: str) -> None:
        """Move an entry, in place of one that has the new name, as POSIX has it; XDEV as `link`."""

    def remove_directory(self, name: str) -> None:
        """Remove an empty directory from it."""

    def remove_file(self, name: str) -> None:
        """Remove an entry that is no directory from it; open handles of it stay usable."""

    def entries(self, limit: int) -> list[DirectoryEntry]:
        """Return its entries, without "." and "..", and pay for them.

        Args:
            limit: how many there may be; more raise NOMEM.
        """

    def sync(self) -> None:
        """Have what was changed in it stored."""

    def close(self) -> None:
        """Give the handle up. Nothing else is called afterwards."""
