"""From a plugin's bytes to a compiled module, with the errors of plugins."""

from __future__ import annotations

import os

from purewasm_plugins.errors import (
    CompileError,
    DecodeError,
    OutOfMemory,
    PluginError,
    TextError,
    ValidationError,
)
from purewasm_plugins.module import NO_ROOM, Module, read_module

__all__ = ["compile_plugin", "read_plugin", "reported"]


def read_plugin(path: str | os.PathLike[str]) -> bytes:
    """Read a plugin's file, as `read_module` does.

    Raises:
        PluginFileError: the file cannot be read.
        CompileError: its text is no valid module.
    """
    try:
        return read_module(path)
    except (TextError, DecodeError, ValidationError) as error:
        raise CompileError(str(error)) from error
    except OutOfMemory:
        raise CompileError(NO_ROOM) from None


def compile_plugin(data: bytes, cache_dir: str | os.PathLike[str] | None = None) -> Module:
    """Decode and validate a plugin's bytes.

    Args:
        data: the bytes.
        cache_dir: as for `Module.compile`.

    Raises:
        CompileError: they are no valid WebAssembly module.
        PluginError: the cache directory cannot be used.
    """
    try:
        return Module.compile(data, cache_dir=cache_dir)
    except (DecodeError, ValidationError) as error:
        raise CompileError(str(error)) from error
    except OutOfMemory:
        raise CompileError(NO_ROOM) from None


def reported(error: Exception) -> PluginError:
    """Convert an error to a `PluginError` without a traceback.

    The frames of the traceback would keep the plugin's memory alive.
    """
    if isinstance(error, PluginError):
        report = error
    else:
        report = PluginError(f"Failed to load plugin: {type(error).__name__}: {error}")
        report.__cause__ = error
    chain: list[BaseException | None] = [report]
    for link in chain:
        if link is not None:
            link.__traceback__ = None
            chain += [one for one in (link.__cause__, link.__context__) if one not in chain]
    return report
