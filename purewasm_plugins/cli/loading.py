"""Reading and loading plugins for commands: what goes wrong becomes the command's error."""

from __future__ import annotations

import os

from purewasm_plugins.cli.exits import NO_ROOM, Exit, Failure
from purewasm_plugins.cli.output import progress
from purewasm_plugins.engine import Engine
from purewasm_plugins.errors import PluginError
from purewasm_plugins.plugin import WasmPlugin
from purewasm_plugins.plugin.plugin import compile_module, directory_cache, read_module
from purewasm_plugins.runtime.limits import ResourceLimits
from purewasm_plugins.wasm import ValidModule


def read_file(path: str) -> bytes:
    """The bytes of a plugin's file.

    Raises:
        Failure: it cannot be read.
    """
    try:
        return read_module(path)
    except PluginError as error:
        raise Failure(str(error), Exit.PLUGIN) from error


def load_module(path: str) -> ValidModule:
    """The module in a file, whether it is a plugin or not.

    Raises:
        Failure: it cannot be read, or is no valid module.
    """
    data = read_file(path)
    try:
        with progress(f"loading {os.path.basename(path)}"):
            return compile_module(data)
    except PluginError as error:
        raise Failure(f"{path}: {error}", Exit.PLUGIN) from error
    except MemoryError:
        raise Failure(f"{path}: {NO_ROOM}", Exit.PLUGIN) from None


def load_plugin(
    path: str,
    limits: ResourceLimits,
    engine: str | Engine | None,
    cache_dir: str | None = None,
) -> WasmPlugin:
    """The plugin in a file.

    Raises:
        Failure: it cannot be loaded, or the cache directory cannot be used.
    """
    try:
        directory_cache(cache_dir)
    except PluginError as error:
        raise Failure(str(error), Exit.USAGE) from error
    data = read_file(path)
    try:
        with progress(f"loading {os.path.basename(path)}"):
            return WasmPlugin.load_from_bytes(
                data, engine=engine, limits=limits, cache_dir=cache_dir
            )
    except PluginError as error:
        raise Failure(f"{path}: {error}", Exit.PLUGIN) from error
    except MemoryError:
        raise Failure(f"{path}: {NO_ROOM}", Exit.PLUGIN) from None
