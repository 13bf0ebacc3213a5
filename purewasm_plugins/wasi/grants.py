"""What a module may touch: `Wasi`, and the quotas of what it may use up."""

from __future__ import annotations

from io import IOBase, TextIOBase

from purewasm_plugins.errors import InvalidOptionError
from purewasm_plugins.support.records import Record
from purewasm_plugins.support.typed import (
    TYPE_CHECKING,
    Any,
    Callable,
    Mapping,
    Protocol,
    Sequence,
    runtime_checkable,
)
from purewasm_plugins.wasi.clocks import FixedClock
from purewasm_plugins.wasi.files import Directory, Quota

if TYPE_CHECKING:
    from typing import Literal

    _Clock = Literal["host"] | FixedClock
    _Random = Literal["host"] | int
    _Inherit = Literal["inherit"]
    _Word = Literal["capture", "inherit", "discard"]

__all__ = ["BinaryReader", "BinaryWriter", "DirectoryGrant", "Quotas", "Wasi", "granted"]


@runtime_checkable
class BinaryReader(Protocol):
    """An open binary file, as far as standard input needs it."""

    def read(self, size: int, /) -> bytes | None:
        """Return up to so many bytes; none at the end."""


@runtime_checkable
class BinaryWriter(Protocol):
    """An open binary file, as far as an output stream needs it."""

    def write(self, data: bytes, /) -> object:
        """Take bytes."""


@runtime_checkable
class DirectoryGrant(Protocol):
    """A directory that a module may use: a `MemoryDirectory` or a `HostDirectory`.

    Attributes:
        read_only: whether nothing in it may be changed.
    """

    read_only: bool

    def open(self, quota: Quota) -> Directory:
        """Open it for an instance.

        Args:
            quota: what the instance may use up in it, together with what is there already.

        Raises:
            GrantError: it cannot be opened.
        """

    def finish(self) -> None:
        """Store what was changed, after a call that may have changed something.

        Raises:
            GrantError: it cannot be stored.
        """


class Quotas(Record):
    """What a module may use up through WASI. `None` lifts a quota.

    A function that a quota refuses answers with an error number, as on a full disk.

    Attributes:
        output_bytes: bytes that may be written to standard output and standard error together: by
            one call of a plugin's tool, or by one instance.
        file_bytes: bytes of one file (EFBIG).
        total_bytes: bytes of all files in one directory that was granted (ENOSPC). Of a
            `HostDirectory`, those count that were written through the grant, not those that were
            there.
        files: files, directories and links in one directory that was granted (ENOSPC); of a
            `HostDirectory`, those made through the grant.
        directory_entries: entries of one directory: more can neither be made (ENOSPC) nor be
            listed (ENOMEM).
        descriptors: descriptors that may be open at once (EMFILE).
        path_bytes: bytes of a path, or of a link's target (ENAMETOOLONG); 1 MiB without a quota.

    Raises:
        ValueError: a quota is negative or no int.
    """

    output_bytes: int | None = 16 * 1024 * 1024
    file_bytes: int | None = 64 * 1024 * 1024
    total_bytes: int | None = 256 * 1024 * 1024
    files: int | None = 10_000
    directory_entries: int | None = 10_000
    descriptors: int | None = 256
    path_bytes: int | None = 4096

    def __post_init__(self) -> None:
        for name in self.__match_args__:
            value = getattr(self, name)
            if value is None:
                continue
            if not isinstance(value, int) or isinstance(value, bool) or value < 0:
                raise ValueError(f"the quota {name} must be an int from 0 on, or None: {value!r}")

    def allows(self, name: str, wanted: int) -> bool:
        """Return whether a quota allows so much."""
        allowed = getattr(self, name)
        return allowed is None or wanted <= allowed


class Wasi(Record):
    """What a module may touch through WASI preview 1. Nothing, unless it is granted here.

        >>> from purewasm_plugins import MemoryDirectory, Wasi
        >>> scratch = MemoryDirectory({"notes.txt": b"hello"})
        >>> wasi = Wasi(args=("wc", "/notes.txt"), directories={"/": scratch})

    Without a grant a module sees no arguments, no environment, an empty input, no directories, a
    clock that begins at 0, and the same random numbers in each run; what it writes is captured.

    Attributes:
        args: the arguments; by convention the first is the program's name.
        env: the environment.
        stdin: the standard input: bytes, an open binary file, a function of a number of bytes that
            returns up to so many (none at the end), "inherit" for that of this process; None for
            an empty one.
        stdout, stderr: the output streams: "capture" keeps what is written, for the result;
            "inherit" passes it on to that of this process, and raises BrokenPipeError out of the
            call where its reader is gone; "discard" drops it; or an open binary file,
            which is a terminal for the module if its `isatty` says so, or a function of bytes.
        directories: the directories: the path that the module sees, and a `MemoryDirectory` or
            `HostDirectory`.
        clock: "host" for the real time, or a `FixedClock`.
        random: "host" for random numbers of the system, or a seed.
        quotas: what it may use up.

    Hazards:
        A function that is given as a stream runs as a host function: what it raises ends the call,
        and a limit on time cannot interrupt it. It cannot interrupt a write to a file that waits,
        either, such as a pipe that is full. An open file or `MemoryDirectory` is used by every
        instance that gets the grant; what is read ahead of a file (64 KiB) the next one misses.

    Raises:
        InvalidOptionError: a field has a wrong type or value; a file is one of text, is closed, or
            was opened for the other use.
    """

    args: Sequence[str] = ()
    env: Mapping[str, str] = {}  # noqa: RUF012
    stdin: bytes | BinaryReader | Callable[[int], bytes] | _Inherit | None = None
    stdout: _Word | BinaryWriter | Callable[[bytes], object] = "capture"
    stderr: _Word | BinaryWriter | Callable[[bytes], object] = "capture"
    directories: Mapping[str, DirectoryGrant] = {}  # noqa: RUF012
    clock: _Clock = FixedClock()
    random: _Random = 0
    quotas: Quotas = Quotas()

    def __post_init__(self) -> None:
        if isinstance(self.args, str) or not isinstance(self.args, Sequence):
            raise _wrong("args", "a sequence of strings", self.args)
        for text in self.args:
            _check_text("args", text)
        if not isinstance(self.env, Mapping):
            raise _wrong("env", "a mapping of strings to strings", self.env)
        for name, text in self.env.items():
            _check_text("env", name)
            _check_text("env", text)
            if not name or "=" in name:
                raise InvalidOptionError("env", f"{name!r} is no name of a variable")
        self._check_streams()
        self._check_directories()
        if self.clock != "host" and not isinstance(self.clock, FixedClock):
            raise _wrong("clock", "'host' or a FixedClock", self.clock)
        if self.random != "host" and not _is_int(self.random):
            raise _wrong("random", "'host' or a seed, an int", self.random)
        if not isinstance(self.quotas, Quotas):
            raise _wrong("quotas", "Quotas", self.quotas)

    def _check_streams(self) -> None:
        given = self.stdin
        fits = isinstance(given, (bytes, BinaryReader)) or callable(given)
        if not fits and given is not None and given != "inherit":
            what = "bytes, an open binary file, a function, 'inherit' or None"
            raise _wrong("stdin", what, given)
        _check_file("stdin", given, "readable")
        for name in ("stdout", "stderr"):
            taken = getattr(self, name)
            words = ("capture", "inherit", "discard")
            if isinstance(taken, str):
                fits = taken in words
            else:
                fits = isinstance(taken, BinaryWriter) or callable(taken)
            if not fits:
                what = "'capture', 'inherit', 'discard', an open binary file or a function"
                raise _wrong(name, what, taken)
            _check_file(name, taken, "writable")

    def _check_directories(self) -> None:
        expected = "a mapping of paths to directories"
        if not isinstance(self.directories, Mapping):
            raise _wrong("directories", expected, self.directories)
        for path, directory in self.directories.items():
            _check_text("directories", path)
            if not path:
                raise InvalidOptionError("directories", "the path of a directory is empty")
            if not isinstance(directory, DirectoryGrant):
                what = f"{expected}: for '{path}' a MemoryDirectory or a HostDirectory"
                raise _wrong("directories", what, directory)


def granted(wasi: Wasi | bool) -> Wasi:
    """Return the grants that an argument `wasi` stands for, which is neither False nor None.

    Args:
        wasi: the grants; True for what no one is harmed by: captured output, the clocks and random
            numbers of the host.

    Raises:
        InvalidOptionError: it is none of them.
    """
    if wasi is True:
        return Wasi(clock="host", random="host")
    if not isinstance(wasi, Wasi):
        raise _wrong("wasi", "Wasi, True, False or None", wasi)
    return wasi


def _check_file(option: str, given: object, usable: str) -> None:
    """Refuse a file that can only fail: one of text, a closed one, or one opened for the other use.

    Args:
        option: the field.
        given: its value, which may be no file.
        usable: the name of the file's method that tells whether it can be read, or written.
    """
    if isinstance(given, TextIOBase):
        raise InvalidOptionError(option, "it is a file of text: give it opened as binary")
    if isinstance(given, IOBase):
        if given.closed:
            raise InvalidOptionError(option, "the file is closed")
        if not getattr(given, usable)():
            raise InvalidOptionError(option, f"the file is not {usable}")
    elif isinstance(given, type):
        raise InvalidOptionError(option, f"it is the class {given.__name__}, and no open file")


def _is_int(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _check_text(option: str, text: object) -> None:
    """Refuse what is no text that a module can get: U+0000 ends it, and it is passed as UTF-8."""
    if not isinstance(text, str):
        raise _wrong(option, "strings", text)
    try:
        data = text.encode()
    except UnicodeEncodeError:
        raise InvalidOptionError(option, f"{text!r} holds a lone surrogate") from None
    if 0 in data:
        raise InvalidOptionError(option, f"{text!r} holds U+0000")


def _wrong(option: str, expected: str, given: Any) -> InvalidOptionError:
    if isinstance(given, str):
        return InvalidOptionError(option, f"it must be {expected}, and is {given!r}")
    return InvalidOptionError(option, f"it must be {expected}, and is a {type(given).__name__}")
