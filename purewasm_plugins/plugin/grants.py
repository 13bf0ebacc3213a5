"""What a plugin may touch, in words, for those who approve calls of its tools."""

from __future__ import annotations

import os

from purewasm_plugins.plugin.options import PluginOptions
from purewasm_plugins.support.typed import Iterator
from purewasm_plugins.wasi.grants import Wasi, granted
from purewasm_plugins.wasi.host_files import HostDirectory

__all__ = ["granted_words"]


def granted_words(options: PluginOptions) -> tuple[str, ...]:
    """Return what a plugin may touch, such as "writes files below /srv/data, as /data".

    Values of variables and of the configuration are left out: they may be secrets.

    Args:
        options: how the plugin is run.
    """
    words: list[str] = []
    if options.wasi is not None and options.wasi is not False:
        words += _of_wasi(granted(options.wasi))
    if options.http is not None:
        words += [f"sends HTTP requests to {host}" for host in options.http.hosts]
    if options.kv is not None:
        path = options.kv.path
        where = "memory" if path is None else f"the file {os.fspath(path)}"
        words.append(f"keeps texts in {where}")
    words += [f"reads the value {name} of its configuration" for name in options.config or ()]
    imports = options.imports or {}
    words += [
        f"calls {module}.{name} of the host" for module in imports for name in imports[module]
    ]
    return tuple(words)


def _of_wasi(wasi: Wasi) -> Iterator[str]:
    for guest, directory in wasi.directories.items():
        verb = "reads" if directory.read_only else "writes"
        if isinstance(directory, HostDirectory):
            yield f"{verb} files below {directory.path}, as {guest}"
        else:
            yield f"{verb} files in memory, as {guest}"
    for name in wasi.env:
        yield f"reads the variable {name}"
    if wasi.stdin is not None and wasi.stdin != b"":
        yield "reads the standard input"
    if wasi.clock == "host":
        yield "reads the clock"
    if wasi.random == "host":
        yield "gets random numbers"
