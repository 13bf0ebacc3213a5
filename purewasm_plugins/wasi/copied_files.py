"""Directories of the host where Python cannot use them in place: copied in, and copied out.

Without calls that take an open directory, no path can be kept from leading out while another
process moves things. So a module works on a copy in memory, and this process stores what the module
changed after a call. It follows no link of the directory either.
"""

from __future__ import annotations

import os
import posixpath
import stat
import sys

# `threading` is slow to import, and this is what it hands out.
from _thread import allocate_lock

from purewasm_plugins.errors import GrantError
from purewasm_plugins.support.typed import TYPE_CHECKING, Iterator
from purewasm_plugins.wasi.errno import Errno, ErrnoError
from purewasm_plugins.wasi.files import Directory, Quota
from purewasm_plugins.wasi.memory_files import MemoryDirectory, SymbolicLink

__all__ = ["CopiedDirectory", "name_problem"]

#: Characters of the path of an entry. A module can nest as many directories as it may make, and all
#: their paths together would be as long as the square of that.
_LONGEST_PATH = 4096

#: How a file is opened, as far as the system knows it: as bytes, without waiting for a FIFO.
_FLAGS = sum(getattr(os, name, 0) for name in ("O_BINARY", "O_CLOEXEC", "O_NOFOLLOW", "O_NONBLOCK"))

#: A bit in the tag of a reparse point of Windows that stands for another place, as a link does.
_NAME_SURROGATE = 0x2000_0000

#: Names that Windows takes for devices, with any extension.
_DEVICES = {
    *("CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$"),
    *(f"{device}{number}" for device in ("COM", "LPT") for number in "0123456789¹²³"),
}

#: The last time of a file that a module can be told.
_LAST_TIME = 2**64 - 1

if TYPE_CHECKING:
    #: The content of a file, the target of a link, or None for a directory.
    _Entry = bytes | str | None


class CopiedDirectory:
    """A directory of the host as a copy in memory: a `DirectoryGrant`.

    Attributes:
        read_only: whether nothing in it may be changed.
    """

    def __init__(self, path: str, read_only: bool, windows: bool = sys.platform == "win32") -> None:
        self.read_only = read_only
        self._path = path
        self._windows = windows
        self._lock = allocate_lock()
        self._memory: MemoryDirectory | None = None
        #: What is on the host, as far as this process knows; a directory before what is in it.
        self._stored: dict[str, _Entry] = {}

    def open(self, quota: Quota) -> Directory:
        """Copy the directory in, if it is not yet, and open the copy. See `DirectoryGrant`.

        Raises:
            OSError: the directory itself cannot be read.
        """
        with self._lock:
            if self._memory is None:
                memory = MemoryDirectory({})
                self._copy_in(memory.open(quota), quota)
                # The very bytes that are in memory: they cost nothing, and are fast to compare.
                self._stored = self._held(memory)
                self._memory = memory
        return self._memory.open(quota)

    def finish(self) -> None:
        """Copy out what was changed. See `DirectoryGrant`."""
        with self._lock:
            if self._memory is None or self.read_only:
                return
            held = self._held(self._memory)
            self._check_names(held)
            self._remove(held)
            self._store(held)

    def _copy_in(self, root: Directory, quota: Quota) -> None:
        """Copy everything into an empty directory."""
        opened = {"": root}
        total = 0
        for path, status in self._scan():
            where, name = posixpath.split(path)
            try:
                if stat.S_ISREG(status.st_mode):
                    quota.check_file_size(status.st_size)
                    quota.check_total_size(total + status.st_size)
                    content = _read(self._place(path), status.st_size)
                    total += len(content)
                    _put(opened[where], name, content, status)
                elif stat.S_ISDIR(status.st_mode):
                    opened[where].make_directory(name)
                    opened[path] = opened[where].open_directory(name)
                else:
                    target = os.readlink(self._place(path))
                    if _is_utf8(target):
                        target = target.replace(os.sep, "/")
                        opened[where].make_symbolic_link(name, target)
            except ErrnoError as error:
                raise self._not_copied(path, error.errno) from error
            except OSError as error:
                raise self._error("copied", path, error.strerror) from error

    def _not_copied(self, path: str, errno: Errno) -> GrantError:
        if errno in (Errno.NOSPC, Errno.FBIG):
            return GrantError(self._path, f"is too large to be copied: the quotas end at '{path}'")
        return self._error("copied", path, errno.name)

    def _scan(self) -> Iterator[tuple[str, os.stat_result]]:
        """Yield the regular files, directories and links below it, a directory before its content.

        What has a name that is not UTF-8 is left out, as links with such a target are.
        """
        pending = [""]
        while pending:
            where = pending.pop()
            try:
                with os.scandir(self._place(where)) as found:
                    for entry in found:
                        path = posixpath.join(where, entry.name)
                        if not _is_utf8(entry.name) or not _is_kept(status := os.lstat(entry.path)):
                            continue
                        if len(path) > _LONGEST_PATH:
                            raise self._error("copied", path[:80] + "...", "the path is too long")
                        yield path, status
                        if stat.S_ISDIR(status.st_mode):
                            pending.append(path)
            except OSError as error:
                if where:
                    raise self._error("copied", where, error.strerror) from error
                raise

    def _held(self, memory: MemoryDirectory) -> dict[str, _Entry]:
        """Return everything in memory, a directory before what is in it."""
        try:
            files = memory.files()
        except GrantError as error:
            raise GrantError(self._path, f"cannot be stored: it {error.details}") from error
        held: dict[str, _Entry] = {}
        for path, content in files.items():
            name = path.removesuffix("/")
            if len(name) > _LONGEST_PATH:
                raise self._error("stored", name[:80] + "...", "the path is too long")
            above = path
            missing = []
            while (above := posixpath.dirname(above)) and above not in held:
                missing.append(above)
            held |= dict.fromkeys(reversed(missing))
            if name == path:
                held[name] = content.target if isinstance(content, SymbolicLink) else content
        return held

    def _check_names(self, held: dict[str, _Entry]) -> None:
        """Refuse names that the host would take for something else, before anything is stored."""
        if not self._windows:
            return
        alike = {path.casefold(): path for path in self._stored if path in held}
        for path in held:
            if path in self._stored:
                continue
            problem = name_problem(posixpath.basename(path))
            if alike.setdefault(path.casefold(), path) != path:
                problem = f"Windows takes it for '{alike[path.casefold()]}'"
            if problem:
                raise self._error("stored", path, problem)

    def _remove(self, held: dict[str, _Entry]) -> None:
        """Remove what is gone, or became something else: what is deepest first."""
        for path in sorted(self._stored, key=lambda path: path.count("/"), reverse=True):
            stored = self._stored[path]
            if path in held and _is_same_kind(stored, held[path]):
                continue
            try:
                self._check_parents(path)
                (os.rmdir if stored is None else os.unlink)(self._place(path))
            except FileNotFoundError:
                pass
            except OSError as error:
                raise self._error("stored", path, error.strerror) from error
            del self._stored[path]

    def _store(self, held: dict[str, _Entry]) -> None:
        """Store what is new or changed."""
        for path, content in held.items():
            if path in self._stored and self._stored[path] == content:
                continue
            place = self._place(path)
            try:
                self._check_parents(path)
                if content is None:
                    _make_directory(place)
                elif isinstance(content, str):
                    _make_link(place, content, self._leads_to_directory(path, content, held))
                else:
                    _replace(place, content)
            except OSError as error:
                raise self._error("stored", path, error.strerror) from error
            self._stored[path] = content

    def _leads_to_directory(self, path: str, target: str, held: dict[str, _Entry]) -> bool:
        """Return whether a link leads to a directory; Windows makes two kinds of links."""
        to = posixpath.normpath(posixpath.join(posixpath.dirname(path), target))
        return to == "." or held.get(to, "") is None

    def _place(self, path: str) -> str:
        """Return the path of an entry on the host."""
        return os.path.join(self._path, *path.split("/"))

    def _check_parents(self, path: str) -> None:
        """Refuse to work through what has become a link, or anything but a directory."""
        while path := posixpath.dirname(path):
            if not stat.S_ISDIR(_kept_mode(os.lstat(self._place(path)))):
                raise self._error("stored", path, "it is no directory any more")

    def _error(self, verb: str, path: str, why: str | None) -> GrantError:
        return GrantError(self._path, f"cannot be {verb}: '{path}': {why}")


def name_problem(name: str) -> str | None:
    """Return why Windows would take a name for something else: a device, a stream, another name."""
    stem = name.partition(".")[0].rstrip(" ")
    if stem.upper() in _DEVICES:
        return "Windows takes it for a device"
    if name[-1] in ". ":
        return "Windows drops a dot or a space at the end of a name"
    if any(character in '<>:"/\\|?*' or character < " " for character in name):
        return "Windows gives a character in it another meaning"
    return None


def _is_utf8(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def _kept_mode(status: os.stat_result) -> int:
    """Return the mode of a file; 0 for what stands for another place on Windows and is no link."""
    is_surrogate = getattr(status, "st_reparse_tag", 0) & _NAME_SURROGATE
    return 0 if is_surrogate and not stat.S_ISLNK(status.st_mode) else status.st_mode


def _is_kept(status: os.stat_result) -> bool:
    return stat.S_IFMT(_kept_mode(status)) in (stat.S_IFREG, stat.S_IFDIR, stat.S_IFLNK)


def _is_same_kind(stored: _Entry, held: _Entry) -> bool:
    """Return whether an entry can stay, or be replaced as a whole."""
    return stored == held or (isinstance(stored, bytes) and isinstance(held, bytes))


def _read(place: str, size: int) -> bytes:
    """Read so many bytes of a file, or fewer where it has become shorter."""
    fd = os.open(place, os.O_RDONLY | _FLAGS)
    try:
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            raise OSError(0, "it is no regular file any more")
        with os.fdopen(fd, "rb", closefd=False) as file:
            return file.read(size)
    finally:
        os.close(fd)


def _put(directory: Directory, name: str, content: bytes, status: os.stat_result) -> None:
    """Make a file in memory, with the times of the one on the host."""
    file = directory.open_file(
        name, read=False, write=True, create=True, exclusive=True, truncate=False
    )
    try:
        written = 0
        while written < len(content):
            written += file.write(written, content[written:])
        times = (min(max(time, 0), _LAST_TIME) for time in (status.st_atime_ns, status.st_mtime_ns))
        file.set_times(*times)
    finally:
        file.close()


def _make_directory(place: str) -> None:
    """Make a directory, unless another program has made it meanwhile."""
    try:
        os.mkdir(place)
    except FileExistsError:
        if not stat.S_ISDIR(_kept_mode(os.lstat(place))):
            raise


def _make_link(place: str, target: str, to_directory: bool) -> None:
    os.symlink(target.replace("/", os.sep), place, target_is_directory=to_directory)


def _replace(place: str, content: bytes) -> None:
    """Write a file under another name, and give it its own at once when it is complete."""
    mode = None
    try:
        status = os.lstat(place)
    except FileNotFoundError:
        pass
    else:
        if not stat.S_ISREG(_kept_mode(status)):
            raise OSError(0, "it is no regular file any more")
        if not os.access(place, os.W_OK):
            raise OSError(0, "it may not be written")
        mode = stat.S_IMODE(status.st_mode)
    beside = os.path.join(os.path.dirname(place), f".purewasm-{os.urandom(8).hex()}.tmp")
    try:
        fd = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _FLAGS, 0o666)
        with os.fdopen(fd, "wb") as file:
            file.write(content)
        if mode is not None:
            os.chmod(beside, mode)
        os.replace(beside, place)
    except BaseException:
        if os.path.lexists(beside):
            os.unlink(beside)
        raise
