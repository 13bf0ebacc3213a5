"""From a plugin's bytes to a compiled module, with the errors of plugins."""

from __future__ import annotations

import os

from purewasm_plugins.errors import CompileError, DecodeError, OutOfMemory, ValidationError
from purewasm_plugins.module import NO_ROOM, Module

__all__ = ["compile_plugin"]


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
