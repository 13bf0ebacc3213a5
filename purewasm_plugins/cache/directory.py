"""A directory that keeps translated code between processes: the one that `cache_dir` names.

The code in it is run, so the directory is trusted like the program itself. It is made for its owner
alone, and refused if another user owns it or may write to it. A file that is damaged or cut short
is no entry. Many processes may share a directory: a file appears whole or not at all, and where
entries become too many, those that were not used for the longest time are removed.

The module imports what the interpreter has loaded anyway: `pathlib`, `tempfile` and `hashlib` take
longer than a cached plugin's first call.
"""

from __future__ import annotations

import os
import stat
import time

from purewasm_plugins.cache.digests import digest
from purewasm_plugins.errors import PluginError
from purewasm_plugins.support.records import Record

__all__ = ["DEFAULT_BOUND", "DirectoryCache", "Usage"]

#: The most bytes that all entries may have together, unless the cache is told otherwise.
DEFAULT_BOUND = 256 * 1024 * 1024

#: What is left of the bound where entries had to be removed, so that the next put removes none.
_KEPT = 0.75

_MAGIC = b"purewasm code\n"
_HEADER = len(_MAGIC) + 32

#: The most bytes of an entry, which is read at once. A megabyte of module has some ten megabytes.
_LARGEST = 1 << 28

#: Bytes that a file takes at least, as file systems count.
_BLOCK = 4096

_ENTRY, _UNFINISHED = ".code", ".new"

#: Seconds after which a file that was never finished belongs to a process that has ended.
_ABANDONED = 3600.0

#: Seconds for which the last use of an entry is not noted again.
_NOTED = 60.0


def _flags(access: int) -> int:
    """Return flags to open a file: not through a link, and without waiting for a pipe's end."""
    for name in ("O_NOFOLLOW", "O_NONBLOCK", "O_CLOEXEC", "O_NOCTTY", "O_BINARY"):
        access |= getattr(os, name, 0)
    return access


_READ = _flags(os.O_RDONLY)
_WRITE = _flags(os.O_WRONLY | os.O_CREAT | os.O_EXCL)


class Usage(Record):
    """The number of entries, and the bytes that they take."""

    entries: int
    size: int


class _File(Record):
    """A file of the cache: an entry, or one that is being written."""

    path: str
    used: float
    size: int


class DirectoryCache:
    """A cache with a file for each key; see `CodeCache`.

    Attributes:
        directory: its path, without symbolic links.
        bound: the most bytes of all entries together.
    """

    def __init__(self, directory: str | os.PathLike[str], bound: int = DEFAULT_BOUND) -> None:
        """Use a directory, and make it, with what is missing above it, if it does not exist.

        Raises:
            PluginError: it cannot be made, or other users could put code into it.
        """
        self.bound = bound
        try:
            path = os.path.abspath(os.fspath(directory))
            _make(path)
            # Symbolic links could be changed later.
            self.directory = os.path.realpath(path, strict=True)
        except (OSError, RuntimeError, ValueError) as error:
            raise PluginError(f"Cannot use the cache directory: {error}") from error
        refusal = self._refusal()
        if refusal is not None:
            raise PluginError(refusal)

    def get(self, key: str) -> bytes | None:
        """Return what was put under the key, whole and unchanged; None if there is nothing.

        An entry that other users could have written is ignored, and so is one that is no file. The
        modes and owners of the entry, of the directory and of its parents are checked each time.
        """
        if self._refusal() is not None:
            return None
        path = self._path(key)
        try:
            handle = os.open(path, _READ)
        except OSError:
            return None
        try:
            status = os.fstat(handle)
            if not stat.S_ISREG(status.st_mode) or _other_writer(status) is not None:
                return None
            if status.st_size > _LARGEST:
                return None
            with open(handle, "rb", closefd=False) as file:
                stored = file.read(_LARGEST)
        except OSError:
            return None
        finally:
            os.close(handle)
        content = stored[_HEADER:]
        if stored[:_HEADER] != _MAGIC + digest(content):
            return None
        if time.time() - status.st_mtime > _NOTED:
            self._note_use(path)
        return content

    def put(self, key: str, content: bytes) -> None:
        """Keep the content under the key; a failure is ignored."""
        size = _HEADER + len(content)
        if size > min(self.bound, _LARGEST) or self._refusal() is not None:
            return
        name = os.path.join(self.directory, f"{key}.{os.urandom(8).hex()}{_UNFINISHED}")
        try:
            handle = os.open(name, _WRITE, 0o600)
            try:
                with open(handle, "wb") as file:
                    file.write(_MAGIC + digest(content) + content)
                os.replace(name, self._path(key))
            except OSError:
                os.unlink(name)
                raise
        except OSError:
            # The disk is full, or may not be written to.
            return
        self._remove_old()

    def usage(self) -> Usage:
        """Return how much there is in the directory now."""
        entries = [file for file in self._files() if file.path.endswith(_ENTRY)]
        return Usage(len(entries), sum(file.size for file in entries))

    def clear(self) -> Usage:
        """Remove all entries; other files stay. Processes that use the cache go on.

        Returns:
            What was removed.
        """
        removed = [file for file in self._files() if _removed(file)]
        return Usage(len(removed), sum(file.size for file in removed))

    def _remove_old(self) -> None:
        """Remove what was not used for the longest time, where there is more than the bound allows.

        Another process may do the same at this moment: then a little more is removed.
        """
        files = self._files()
        size = sum(file.size for file in files)
        allowed = self.bound if size <= self.bound else self.bound * _KEPT
        abandoned = time.time() - _ABANDONED
        for file in sorted(files, key=lambda file: file.used):
            unfinished = file.path.endswith(_UNFINISHED)
            if (file.used < abandoned) if unfinished else (size > allowed):
                size -= file.size
                _removed(file)

    def _files(self) -> list[_File]:
        """Return the files of the cache; none where the directory cannot be read."""
        found = []
        try:
            with os.scandir(self.directory) as entries:
                for entry in entries:
                    key, _, rest = entry.name.partition(".")
                    if len(key) < 64 or not f".{rest}".endswith((_ENTRY, _UNFINISHED)):
                        continue
                    status = entry.stat(follow_symlinks=False)
                    size = -(-status.st_size // _BLOCK) * _BLOCK
                    found.append(_File(entry.path, status.st_mtime, size))
        except OSError:
            return found
        return found

    def _note_use(self, path: str) -> None:
        try:
            os.utime(path)
        except OSError:
            # It was removed by another process, or the file system is for reading only.
            return

    def _refusal(self) -> str | None:
        """Return why the directory cannot be trusted, as a sentence; None if it can."""
        directory = self.directory
        try:
            status = os.lstat(directory)
            if not stat.S_ISDIR(status.st_mode):
                return f"The cache directory {directory} is no directory"
            writer = _other_writer(status)
            if writer is not None:
                return f"The cache directory {directory} is {writer}"
            below, parent = directory, os.path.dirname(directory)
            while parent != below:
                # In a sticky directory such as /tmp, other users cannot move what is not theirs.
                status = os.lstat(parent)
                writer = None if status.st_mode & stat.S_ISVTX else _other_writer(status, 0)
                if writer is not None:
                    return f"The cache directory {directory} lies in {parent}, which is {writer}"
                below, parent = parent, os.path.dirname(parent)
        except OSError as error:
            return f"Cannot use the cache directory: {error}"
        return None

    def _path(self, key: str) -> str:
        return os.path.join(self.directory, key + _ENTRY)


def _make(directory: str) -> None:
    """Make a directory and what is missing above it, for the user alone, whatever the umask."""
    if os.path.isdir(directory):
        return
    parent = os.path.dirname(directory)
    if parent != directory:
        _make(parent)
    try:
        os.mkdir(directory, 0o700)
    except FileExistsError:
        # Another process made it, or it is no directory, which is found out later.
        return


def _removed(file: _File) -> bool:
    """Remove a file, and return whether that was possible."""
    try:
        os.unlink(file.path)
    except OSError:
        return False
    return True


def _other_writer(status: os.stat_result, *trusted: int) -> str | None:
    """Return which other user could have changed a file, in words; None if there is none but root.

    Args:
        status: of the file.
        trusted: users that may own it, beside the user of this process.
    """
    # Where files have no owners, as on Windows, there is nothing to compare.
    getuid = getattr(os, "getuid", None)
    if getuid is None:
        return None
    if status.st_uid not in (getuid(), *trusted):
        return "owned by another user"
    if status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        return "writable by others"
    return None
