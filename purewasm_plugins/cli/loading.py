"""Files and plugins for the commands; each error becomes one line and an exit status."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import TYPE_CHECKING

from purewasm_plugins.cli.exits import NO_ROOM, Exit, Failure, advice
from purewasm_plugins.cli.granted import Grants
from purewasm_plugins.cli.output import print_error, progress
from purewasm_plugins.engine import Engine
from purewasm_plugins.errors import (
    DuplicatePluginError,
    InstantiateError,
    MissingExportError,
    OutOfMemory,
    PluginError,
    PluginFileError,
    TextError,
    ValidationError,
    WasmError,
)
from purewasm_plugins.module import Module, read_module
from purewasm_plugins.plugin import PluginOptions, PluginTool, WasmPlugin, WasmPluginManager
from purewasm_plugins.plugin.loading import compile_plugin
from purewasm_plugins.runtime.limits import ResourceLimits

if TYPE_CHECKING:
    from purewasm_plugins.wasi.grants import Wasi


def files_in(folder: str) -> list[str]:
    """Return the paths of the `.wasm` files in a folder, or else in the folders in it, sorted.

    Raises:
        Failure: there are none.
    """
    try:
        inside = sorted(entry.path for entry in os.scandir(folder))
        found = _wasm_files(inside)
        if not found:
            for path in inside:
                if os.path.isdir(path):
                    found += _wasm_files(sorted(entry.path for entry in os.scandir(path)))
    except OSError as error:
        raise Failure(f"cannot read '{error.filename}': {error.strerror}", Exit.PLUGIN) from error
    if not found:
        raise Failure(f"the directory '{folder}' has no .wasm files", Exit.PLUGIN)
    return found


def _wasm_files(paths: list[str]) -> list[str]:
    return [path for path in paths if path.endswith(".wasm")]


def expanded(paths: Iterable[str]) -> tuple[list[str], Exit]:
    """Replace each directory among paths by the `.wasm` files in it.

    A directory without such files is reported on standard error.

    Returns:
        The paths, and the exit status: `Exit.PLUGIN` where a directory was reported.
    """
    found: list[str] = []
    status = Exit.OK
    for path in paths:
        try:
            found += files_in(path) if os.path.isdir(path) else [path]
        except Failure as failure:
            print_error(failure.message)
            status = Exit.PLUGIN
    return found, status


def read_file(path: str, kind: str = "plugin") -> bytes:
    """Return the module in a file; where no file has that name, in the file that `_named` finds.

    Args:
        path: the file, or a name.
        kind: what it is, for the error: "plugin" or "program".

    Raises:
        Failure: it cannot be read.
    """
    try:
        return read_module(_file(path, kind), kind)
    except PluginError as error:
        raise Failure(str(error), Exit.PLUGIN) from error
    except OutOfMemory:
        raise Failure(f"{path}: {NO_ROOM}", Exit.PLUGIN) from None
    except WasmError as error:
        raise text_failure(error, path) from error


def _file(path: str, kind: str) -> str | os.PathLike[str]:
    """Return the file that a path or a name stands for.

    Raises:
        Failure: it is a directory, or could be a name and is none.
    """
    if os.path.isdir(path):
        found = files_in(path)
        count = f"{len(found)} .wasm file{'s' * (len(found) != 1)}"
        message = f"'{path}' is a directory, with {count}: name one, for example {found[0]}"
        raise Failure(message, Exit.PLUGIN)
    return path if os.path.lexists(path) else _named(path, kind)


def text_failure(error: WasmError, path: str) -> Failure:
    """Return what ends a command for a text that is no valid module: the place, and the line."""
    place = error.text if isinstance(error, ValidationError) else error
    if isinstance(place, TextError):
        return Failure(str(place.in_file(path)), Exit.PLUGIN, place.excerpt)
    return Failure(f"{path}: no valid module: {error}", Exit.PLUGIN)


def _named(path: str, kind: str) -> str | os.PathLike[str]:
    """Return the file of an example, or of a plugin that is found; the path itself if it is none.

    Raises:
        Failure: it could be such a name, and is none.
    """
    if not path.replace("-", "_").isidentifier():
        return path
    # Imported here, with `pathlib`: the path of a file needs neither.
    from purewasm_plugins.bundled import example, examples
    from purewasm_plugins.cli.found import found_plugins
    from purewasm_plugins.support.suggestions import similar_name

    if path in examples():
        return example(path)
    found = {one.name: one for one in reversed(found_plugins())}
    if path in found:
        return found[path].file()
    similar = similar_name(path, [*examples(), *found])
    hint = f"did you mean '{similar}'?" if similar else "'purewasm examples' lists the latter"
    raise Failure(f"there is no file and no example {kind} '{path}'; {hint}", Exit.PLUGIN)


def load_module(path: str, cache_dir: str | None = None) -> Module:
    """Return the module in a file, whether it is a plugin or not.

    Args:
        path: the file.
        cache_dir: as for `Module.compile`.

    Raises:
        Failure: it cannot be read, or is no valid module.
    """
    data = read_file(path)
    try:
        with progress(f"loading {os.path.basename(path)}"):
            return compile_plugin(data, cache_dir)
    except PluginError as error:
        raise Failure(f"{path}: {error}", Exit.PLUGIN) from error
    except MemoryError:
        raise Failure(f"{path}: {NO_ROOM}", Exit.PLUGIN) from None


def is_program(module: Module | bytes) -> bool:
    """Return whether a valid module is a program, which `exec` runs, and no plugin."""
    # Imported here: this asks for the end of an error.
    from purewasm_plugins.command import check_command

    try:
        compiled = Module.compile(module) if isinstance(module, bytes) else module
        check_command(compiled)
    except WasmError:
        return False
    return "plugin_tool_execute" not in compiled.exports


def find_tool(plugin: WasmPlugin, wanted: str) -> PluginTool:
    """Return the tool of a plugin that a user means: by its name, or else by its index.

    Raises:
        ToolExecutionError: there is no such tool, or there are two of that name.
    """
    by_index = wanted.removeprefix("-").isdecimal() and len(wanted) < 10
    if by_index and all(tool.name != wanted for tool in plugin.tools):
        return plugin.find_tool(int(wanted))
    return plugin.find_tool(wanted)


def load_plugin(
    path: str,
    limits: ResourceLimits,
    engine: str | Engine | None = None,
    cache_dir: str | None = None,
    wasi: Wasi | None = None,
    grants: Grants | None = None,
) -> WasmPlugin:
    """Return the plugin in a file.

    Raises:
        Failure: it cannot be loaded.
    """
    data = read_file(path)
    granted = None if grants is None else grants.options(path)
    try:
        with progress(f"loading {os.path.basename(path)}"):
            return WasmPlugin.load_from_bytes(
                data, granted, engine=engine, limits=limits, cache_dir=cache_dir, wasi=wasi
            )
    except PluginError as error:
        raise _load_failure(path, error) from error
    except MemoryError:
        raise Failure(f"{path}: {NO_ROOM}", Exit.PLUGIN) from None


def load_into(manager: WasmPluginManager, path: str, options: PluginOptions) -> WasmPlugin:
    """Load the plugin in a file, and add it to a manager, which then knows the file.

    Raises:
        Failure: it cannot be loaded, or the manager has a plugin of that name.
    """
    try:
        with progress(f"loading {os.path.basename(path)}"):
            return manager.load(_file(path, "plugin"), options)
    except DuplicatePluginError as error:
        other = manager.files[error.plugin].path
        message = f"{path}: there is a plugin '{error.plugin}' already: {other}"
        raise Failure(message, Exit.PLUGIN) from error
    except PluginFileError as error:
        raise Failure(str(error), Exit.PLUGIN) from error
    except PluginError as error:
        raise _load_failure(path, error) from error
    except MemoryError:
        raise Failure(f"{path}: {NO_ROOM}", Exit.PLUGIN) from None


def _load_failure(path: str, error: PluginError) -> Failure:
    ending = advice(error)
    if isinstance(error, (InstantiateError, MissingExportError)) and is_program(read_file(path)):
        ending = "; it is a program, and 'purewasm exec' runs it"
    return Failure(f"{path}: {error}{ending}", Exit.PLUGIN)
