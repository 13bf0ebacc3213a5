"""The file that a plugin is loaded from, and what tells that it has changed."""

from __future__ import annotations

import os

from purewasm_plugins.plugin.options import PluginOptions
from purewasm_plugins.support.records import Record

__all__ = ["PluginFile", "Stamp", "plugin_file", "stamp_of"]

#: The time of the last change of a file, its size, and its number in its file system.
Stamp = tuple[int, int, int]


class PluginFile(Record):
    """A file that a plugin was loaded from.

    Attributes:
        path: its absolute path.
        options: how the plugin is run.
        stamp: what it had before it was read; None where that is unknown.
    """

    path: str
    options: PluginOptions
    stamp: Stamp | None


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
