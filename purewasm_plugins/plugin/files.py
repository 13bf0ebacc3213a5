"""The file that a plugin is loaded from, and what tells that it has changed."""

from __future__ import annotations

import os

from purewasm_plugins.plugin.loading import read_plugin
from purewasm_plugins.plugin.options import PluginOptions
from purewasm_plugins.plugin.plugin import WasmPlugin
from purewasm_plugins.support.records import Record
from purewasm_plugins.support.typed import Callable

__all__ = ["PluginFile", "Stamp", "digest", "plugin_file", "stamp_of"]

#: The time of the last change of a file, its size, and its number in its file system.
Stamp = tuple[int, int, int]


class PluginFile(Record):
    """A file that a plugin was loaded from.

    Attributes:
        path: its absolute path.
        options: how the plugin is run.
        stamp: what it had before it was read; None where that is unknown.
        sha256: the hash that it must have, or None.
        check: what raises a `PluginError` for a plugin that is not the one that was meant, or None.
    """

    path: str
    options: PluginOptions
    stamp: Stamp | None
    sha256: str | None = None
    check: Callable[[WasmPlugin], None] | None = None

    def again(self) -> PluginFile:
        """Return the record of the same file, which is about to be read again."""
        return PluginFile(self.path, self.options, stamp_of(self.path), self.sha256, self.check)

    def load(self) -> WasmPlugin:
        """Load the plugin. Where its hash is another one, nothing of it runs.

        Raises:
            PluginHashError: it has another hash.
            PluginError: as for `WasmPlugin.load`, and what the check raises.
        """
        data = read_plugin(self.path)
        if self.sha256 is not None and digest(data) != self.sha256:
            # Imported here: most plugins are what was expected.
            from purewasm_plugins.plugin.errors import PluginHashError

            raise PluginHashError(self.path, self.sha256, digest(data))
        plugin = WasmPlugin.load_from_bytes(data, self.options)
        if self.check is not None:
            self.check(plugin)
        return plugin


def digest(data: bytes) -> str:
    """Return the SHA-256 hash of bytes, in hexadecimal digits."""
    # Imported here: most plugins have no hash.
    from hashlib import sha256

    return sha256(data).hexdigest()


def plugin_file(path: str | os.PathLike[str], options: PluginOptions) -> PluginFile:
    """Return the record of a file that is about to be read."""
    return PluginFile(os.path.abspath(path), options, stamp_of(path))


def stamp_of(path: str | os.PathLike[str]) -> Stamp | None:
    """Return what changes with a file; None where there is none, or it cannot be seen."""
    try:
        status = os.stat(path)
    except (OSError, ValueError):
        return None
    return status.st_mtime_ns, status.st_size, status.st_ino
