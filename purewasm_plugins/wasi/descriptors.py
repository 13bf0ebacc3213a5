"""The descriptors of a module: numbers for its streams, its open files and its open directories."""

from __future__ import annotations

from purewasm_plugins.wasi.errno import Errno, ErrnoError
from purewasm_plugins.wasi.files import Directory, DirectoryEntry, File
from purewasm_plugins.wasi.grants import Quotas
from purewasm_plugins.wasi.streams import Input, Output

__all__ = ["Descriptors", "OpenDirectory", "OpenFile", "OpenInput", "OpenOutput"]

#: Entries that are kept in the listings of all open directories. A module could otherwise have as
#: many as its directories hold, times its descriptors: a gigabyte.
MOST_LISTED = 65536


class OpenInput:
    """The descriptor of the standard input."""

    def __init__(self, stream: Input) -> None:
        self.stream = stream

    def close(self) -> None:
        """Do nothing: the stream belongs to the host."""


class OpenOutput:
    """The descriptor of an output stream."""

    def __init__(self, stream: Output) -> None:
        self.stream = stream

    def close(self) -> None:
        """Do nothing: the stream belongs to the host."""


class OpenFile:
    """The descriptor of a regular file.

    Attributes:
        file: the file.
        rights: what the module may do with it.
        flags: its `fdflags`.
        read_only: whether it is of a grant in which nothing may be changed.
        position: where the next read or write begins.
    """

    def __init__(self, file: File, rights: int, flags: int, read_only: bool) -> None:
        self.file = file
        self.rights = rights
        self.flags = flags
        self.read_only = read_only
        self.position = 0

    def close(self) -> None:
        """Give the file up."""
        self.file.close()


class OpenDirectory:
    """The descriptor of a directory.

    Attributes:
        directory: the directory.
        read_only: whether nothing in it may be changed.
        grant: what tells the directories of one grant from those of others.
        preopened: the path that the module sees, of a directory that was granted; else None.
        listing: its entries at the last time that the module began to list them, if they are kept.
            A cookie is an index: what changes meanwhile neither repeats an entry nor leaves one
            out.
    """

    def __init__(
        self, directory: Directory, read_only: bool, grant: object, preopened: bytes | None = None
    ) -> None:
        self.directory = directory
        self.read_only = read_only
        self.grant = grant
        self.preopened = preopened
        self.listing: list[DirectoryEntry] | None = None

    def close(self) -> None:
        """Give the directory up."""
        self.listing = None
        self.directory.close()


Descriptor = OpenInput | OpenOutput | OpenFile | OpenDirectory


class Descriptors:
    """The table of descriptors. A new one gets the lowest number that is free, as in POSIX.

    Attributes:
        exceeded: whether there were as many as there may be when one more was wanted.
    """

    def __init__(self, quotas: Quotas) -> None:
        self.exceeded = False
        self._quotas = quotas
        self._open: dict[int, Descriptor] = {}
        self._lowest = 0
        #: Those that have a listing, the latest last.
        self._listed: list[OpenDirectory] = []

    def check_room(self) -> None:
        """Refuse another descriptor where there are as many as there may be.

        Raises:
            ErrnoError: MFILE.
        """
        if not self._quotas.allows("descriptors", len(self._open) + 1):
            self.exceeded = True
            raise ErrnoError(Errno.MFILE)

    def add(self, descriptor: Descriptor) -> int:
        """Give a descriptor a number; `check_room` was called before it was opened."""
        number = self._lowest
        while number in self._open:
            number += 1
        self._open[number] = descriptor
        self._lowest = number + 1
        return number

    def get(self, number: int) -> Descriptor:
        """Return the descriptor of a number.

        Raises:
            ErrnoError: BADF where there is none.
        """
        try:
            return self._open[number]
        except KeyError:
            raise ErrnoError(Errno.BADF) from None

    def file(self, number: int) -> OpenFile:
        """Return the regular file of a number.

        Raises:
            ErrnoError: BADF where it is none.
        """
        found = self.get(number)
        if not isinstance(found, OpenFile):
            raise ErrnoError(Errno.BADF)
        return found

    def directory(self, number: int, or_file: Errno = Errno.BADF) -> OpenDirectory:
        """Return the directory of a number.

        Args:
            number: the number.
            or_file: the error number for a regular file.

        Raises:
            ErrnoError: BADF where it is none.
        """
        found = self.get(number)
        if not isinstance(found, OpenDirectory):
            raise ErrnoError(or_file if isinstance(found, OpenFile) else Errno.BADF)
        return found

    def close(self, number: int) -> None:
        """Close a descriptor.

        Raises:
            ErrnoError: BADF where there is none of that number.
        """
        descriptor = self.get(number)
        del self._open[number]
        self._lowest = min(self._lowest, number)
        descriptor.close()

    def renumber(self, number: int, to: int) -> None:
        """Move a descriptor to the number of another, which is closed.

        Raises:
            ErrnoError: BADF where there is none of one of the numbers.
        """
        descriptor = self.get(number)
        self.get(to)
        if number != to:
            self.close(to)
            del self._open[number]
            self._open[to] = descriptor
            self._lowest = min(self._lowest, number)

    def keep_listing(self, directory: OpenDirectory, listing: list[DirectoryEntry]) -> None:
        """Keep the entries of a directory, and forget the oldest listings if they are too many.

        A module that goes on with one of those gets the entries as they are then.
        """
        others = [one for one in self._listed if one.listing and one is not directory]
        left = MOST_LISTED - len(listing)
        kept = [directory]
        for other in reversed(others):
            left -= len(other.listing or ())
            if left < 0:
                other.listing = None
            else:
                kept.append(other)
        self._listed = kept[::-1]
        directory.listing = listing

    def close_all(self) -> None:
        """Close all of them, even if the system reports an error for one, which is dropped."""
        while self._open:
            try:
                self._open.popitem()[1].close()
            except OSError:
                continue
