"""A directory that keeps translated code between processes; what `cache_dir` names.

The code in it is run, so the directory is trusted like the program itself: it is made for its owner
alone, and refused where somebody else owns it or may write to it. A file that is damaged, or cut
short, is no entry. Many processes may share a directory: a file appears whole or not at all.
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

#: Bytes of an entry: it is read at once. A megabyte of module has some ten.
_LARGEST = 1 << 28

#: How an entry is opened: not through a symbolic link, and without waiting for a pipe's other end.
_READ = os.O_RDONLY
for _flag in ("O_NOFOLLOW", "O_NONBLOCK", "O_CLOEXEC", "O_NOCTTY", "O_BINARY"):
    _READ |= getattr(os, _flag, 0)


class DirectoryCache:
    """Keeps bytes by key, a file for each."""

    def __init__(self, directory: str | os.PathLike[str]) -> None:
        """Use a directory, and make it if it is not there.

        Raises:
            PluginError: it cannot be made, or others could put code into it.
        """
        try:
            Path(directory).mkdir(mode=0o700, parents=True, exist_ok=True)
            # Without symbolic links, which could be pointed elsewhere later.
            self.directory = Path(directory).resolve(strict=True)
        except (OSError, RuntimeError, ValueError) as error:
            raise PluginError(f"Cannot use the cache directory: {error}") from error
        refusal = self._refusal()
        if refusal is not None:
            raise PluginError(refusal)

    def get(self, key: str) -> bytes | None:
        """What was put under the key, whole and unchanged; None if there is nothing.

        What others could have put there is nothing, and so is what is no file: modes and owners are
        looked at each time, of the entry, of the directory and of those that it lies in.
        """
        if self._refusal() is not None:
            return None
        try:
            handle = os.open(self._path(key), _READ)
        except OSError:
            return None
        try:
            status = os.fstat(handle)
            if not stat.S_ISREG(status.st_mode) or _whose(status) is not None:
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
        """Keep `content` under the key; where that fails, do without."""
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
        """Why the directory cannot be trusted, as a sentence; None where it can."""
        directory = self.directory
        try:
            status = os.lstat(directory)
            if not stat.S_ISDIR(status.st_mode):
                return f"The cache directory {directory} is no directory"
            whose = _whose(status)
            if whose is not None:
                return f"The cache directory {directory} is {whose}"
            for parent in directory.parents:
                # In a directory that is sticky, as /tmp is, others cannot move what is not theirs.
                status = os.lstat(parent)
                whose = None if status.st_mode & stat.S_ISVTX else _whose(status, 0)
                if whose is not None:
                    return f"The cache directory {directory} lies in {parent}, which is {whose}"
        except OSError as error:
            return f"Cannot use the cache directory: {error}"
        return None

    def _path(self, key: str) -> Path:
        return self.directory / f"{key}.code"


def _whose(status: os.stat_result, *trusted: int) -> str | None:
    """Who else could have changed a file, in words; None for nobody but its owner and root.

    Args:
        status: of the file.
        trusted: users that may own it, beside the one who runs this.
    """
    # Where there are no owners, as on Windows, there is nothing to compare.
    getuid = getattr(os, "getuid", None)
    if getuid is None:
        return None
    if status.st_uid not in (getuid(), *trusted):
        return "owned by another user"
    if status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        return "writable by others"
    return None


def _digest(content: bytes) -> bytes:
    # Imported here: it takes a while, and without a cache nobody needs it.
    import hashlib

    return hashlib.sha256(content).digest()
