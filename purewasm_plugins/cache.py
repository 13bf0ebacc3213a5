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


class DirectoryCache:
    """Keeps bytes by key, a file for each."""

    def __init__(self, directory: str | os.PathLike[str]) -> None:
        """Use a directory, and make it if it is not there.

        Raises:
            PluginError: it cannot be made, or others could put code into it.
        """
        self.directory = Path(directory)
        try:
            self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            status = self.directory.stat()
        except OSError as error:
            raise PluginError(f"Cannot use the cache directory: {error}") from error
        if not stat.S_ISDIR(status.st_mode):
            raise PluginError(f"The cache directory {self.directory} is no directory")
        # Where there are no owners, as on Windows, there is nothing to compare.
        getuid = getattr(os, "getuid", None)
        if getuid is not None:
            if status.st_uid != getuid():
                raise PluginError(f"The cache directory {self.directory} is owned by another user")
            if status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
                raise PluginError(f"The cache directory {self.directory} is writable by others")

    def get(self, key: str) -> bytes | None:
        """What was put under the key, whole and unchanged; None if there is nothing."""
        try:
            stored = self._path(key).read_bytes()
        except OSError:
            return None
        start = len(_MAGIC) + _DIGEST
        content = stored[start:]
        if stored[:start] != _MAGIC + _digest(content):
            return None
        return content

    def put(self, key: str, content: bytes) -> None:
        """Keep `content` under the key; where that fails, do without."""
        with contextlib.suppress(OSError):
            handle, name = tempfile.mkstemp(dir=self.directory, suffix=".new")
            try:
                with os.fdopen(handle, "wb") as file:
                    file.write(_MAGIC + _digest(content) + content)
                os.replace(name, self._path(key))
            except OSError:
                os.unlink(name)
                raise

    def _path(self, key: str) -> Path:
        return self.directory / f"{key}.code"


def _digest(content: bytes) -> bytes:
    # Imported here: it takes a while, and without a cache nobody needs it.
    import hashlib

    return hashlib.sha256(content).digest()
