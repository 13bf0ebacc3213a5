"""A directory that keeps translated code between processes: the one that `cache_dir` names.

The code in it is run, so the directory is trusted like the program itself. It is made for its owner
alone, and refused if another user owns it or may write to it. A file that is damaged or cut short
is no entry. Many processes may share a directory: a file appears whole or not at all.
"""

from __future__ import annotations

import contextlib
import os
import stat
import tempfile
from pathlib import Path

from purewasm_plugins.errors import PluginError

__all__ = ["DirectoryCache"]

_MAGIC = b"purewasm code\n"
_DIGEST = 32

#: The most bytes of an entry, which is read at once. A megabyte of module has some ten megabytes.
_LARGEST = 1 << 28

#: Flags to open an entry: not through a symbolic link, and without waiting for a pipe's other end.
_READ = os.O_RDONLY
for _flag in ("O_NOFOLLOW", "O_NONBLOCK", "O_CLOEXEC", "O_NOCTTY", "O_BINARY"):
    _READ |= getattr(os, _flag, 0)


class DirectoryCache:
    """A cache with a file for each key; see `CodeCache`."""

    def __init__(self, directory: str | os.PathLike[str]) -> None:
        """Use a directory, and make it if it does not exist.

        Raises:
            PluginError: it cannot be made, or other users could put code into it.
        """
        try:
            Path(directory).mkdir(mode=0o700, parents=True, exist_ok=True)
            # Without symbolic links, which could be changed later.
            self.directory = Path(directory).resolve(strict=True)
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
        try:
            handle = os.open(self._path(key), _READ)
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
        start = len(_MAGIC) + _DIGEST
        content = stored[start:]
        if stored[:start] != _MAGIC + _digest(content):
            return None
        return content

    def put(self, key: str, content: bytes) -> None:
        """Keep the content under the key; a failure is ignored."""
        if self._refusal() is not None or len(content) > _LARGEST - len(_MAGIC) - _DIGEST:
            return
        with contextlib.suppress(OSError):
            handle, name = tempfile.mkstemp(dir=self.directory, suffix=".new")
            try:
                with os.fdopen(handle, "wb") as file:
                    file.write(_MAGIC + _digest(content) + content)
                os.replace(name, self._path(key))
            except OSError:
                os.unlink(name)
                raise

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
            for parent in directory.parents:
                # In a sticky directory such as /tmp, other users cannot move what is not theirs.
                status = os.lstat(parent)
                writer = None if status.st_mode & stat.S_ISVTX else _other_writer(status, 0)
                if writer is not None:
                    return f"The cache directory {directory} lies in {parent}, which is {writer}"
        except OSError as error:
            return f"Cannot use the cache directory: {error}"
        return None

    def _path(self, key: str) -> Path:
        return self.directory / f"{key}.code"


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


def _digest(content: bytes) -> bytes:
    # Imported here: it takes milliseconds, and a directory without entries does not need it.
    import hashlib

    return hashlib.sha256(content).digest()
