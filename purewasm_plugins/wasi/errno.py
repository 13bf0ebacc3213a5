"""The error numbers of WASI preview 1, and the exception that carries one to the module."""

from __future__ import annotations

import errno

from purewasm_plugins.support.light import IntEnum, once

__all__ = ["Errno", "ErrnoError", "errno_of"]


class Errno(IntEnum):
    """The error numbers of preview 1; their names are those of POSIX without the E."""

    SUCCESS = 0
    TOO_BIG = 1
    ACCES = 2
    AGAIN = 6
    ALREADY = 7
    BADF = 8
    BUSY = 10
    DEADLK = 16
    DQUOT = 19
    EXIST = 20
    FAULT = 21
    FBIG = 22
    ILSEQ = 25
    INPROGRESS = 26
    INTR = 27
    INVAL = 28
    IO = 29
    ISDIR = 31
    LOOP = 32
    MFILE = 33
    MLINK = 34
    NAMETOOLONG = 37
    NFILE = 41
    NODEV = 43
    NOENT = 44
    NOLCK = 46
    NOMEM = 48
    NOSPC = 51
    NOSYS = 52
    NOTDIR = 54
    NOTEMPTY = 55
    NOTSOCK = 57
    NOTSUP = 58
    NOTTY = 59
    NXIO = 60
    OVERFLOW = 61
    PERM = 63
    PIPE = 64
    RANGE = 68
    ROFS = 69
    SPIPE = 70
    TXTBSY = 74
    XDEV = 75
    NOTCAPABLE = 76


class ErrnoError(Exception):
    """The end of a function of WASI with an error number, which the module gets as its result.

    It never leaves this package.

    Attributes:
        errno: the number.
    """

    def __init__(self, errno: Errno) -> None:
        super().__init__(errno)
        self.errno = errno


@once
def _of_the_system() -> dict[int, Errno]:
    """Return the numbers of this system, each with that of WASI."""
    names = {member.name: member for member in Errno} | {"2BIG": Errno.TOO_BIG}
    found = {
        number: names[name[1:]] for number, name in errno.errorcode.items() if name[1:] in names
    }
    return found | {errno.EOPNOTSUPP: Errno.NOTSUP, errno.EWOULDBLOCK: Errno.AGAIN}


def errno_of(error: OSError) -> Errno:
    """Return the error number of WASI for an error of the system; IO where it has none."""
    return _of_the_system().get(error.errno or 0, Errno.IO)
