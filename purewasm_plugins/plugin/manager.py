"""Many plugins by name. A failed load leaves the manager as it was."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from purewasm_plugins.engine import Engine
from purewasm_plugins.errors import (
    DuplicatePluginError,
    PluginError,
    PluginFileError,
    PluginNotFoundError,
    ToolError,
)
from purewasm_plugins.plugin.options import PluginOptions
from purewasm_plugins.plugin.plugin import WasmPlugin
from purewasm_plugins.runtime.imports import Imports
from purewasm_plugins.runtime.limits import ResourceLimits
from purewasm_plugins.support.records import Record
from purewasm_plugins.tools import ToolRegistry

if TYPE_CHECKING:
    from pathlib import Path


class DirectoryReport(Record):
    """The result of loading a directory.

    Attributes:
        loaded: the plugins that were loaded, in the order of their file names.
        failed: the file and the error of each that was not. Any other exception, a host function's
            for example, is the `__cause__` of a `PluginError`. Errors are kept without Python's
            traceback: it would keep the plugin's memory.
    """

    loaded: tuple[WasmPlugin, ...]
    failed: tuple[tuple[Path, PluginError], ...]


class RegistrationReport(Record):
    """The result of registering every plugin.

    Attributes:
        registered: the plugins whose tools are all in the registry now.
        failed: each plugin that has none there, and the error.
    """

    registered: tuple[WasmPlugin, ...]
    failed: tuple[tuple[WasmPlugin, ToolError], ...]


class WasmPluginManager:
    """Loaded plugins by name, in the order in which they were loaded.

    Iterating gives the plugins; `in` takes a name.
    """

    def __init__(
        self,
        options: PluginOptions | None = None,
        *,
        engine: str | Engine | None = None,
        limits: ResourceLimits | None = None,
        imports: Imports | None = None,
        cache_dir: str | os.PathLike[str] | None = None,
    ) -> None:
        """Make an empty manager.

        Args:
            options: how its plugins are run, unless `load` is given other options.
            engine, limits, imports, cache_dir: in place of the fields of `options`.

        Raises:
            InvalidOptionError: an option has a wrong type or value.
        """
        self._options = PluginOptions.merged(options, engine, limits, imports, cache_dir)
        self._plugins: dict[str, WasmPlugin] = {}

    def load(
        self, path: str | os.PathLike[str], options: PluginOptions | None = None
    ) -> WasmPlugin:
        """Load a plugin from a file and keep it.

        Args:
            path: the file.
            options: how this plugin is run; None for the options of the manager.

        Raises:
            DuplicatePluginError: a plugin of its name is loaded already.
            PluginError: it cannot be loaded.
        """
        return self._add(WasmPlugin.load(path, self._options if options is None else options))

    def load_from_bytes(self, data: bytes, options: PluginOptions | None = None) -> WasmPlugin:
        """Load a plugin from the bytes of a `.wasm` file and keep it, as `load` does.

        Raises:
            PluginError: as for `load`.
        """
        chosen = self._options if options is None else options
        return self._add(WasmPlugin.load_from_bytes(data, chosen))

    def load_directory(self, path: str | os.PathLike[str]) -> DirectoryReport:
        """Load every `*.wasm` file of a directory, in the order of their names.

        Returns:
            The plugins that were loaded, and each file that was not with its error; one error does
            not stop the rest.

        Raises:
            PluginFileError: the directory cannot be read.
        """
        # Imported here: it takes a tenth of the time from a new process to its first answer.
        from pathlib import Path

        try:
            files = sorted(entry for entry in Path(path).iterdir() if entry.suffix == ".wasm")
        except OSError as error:
            details = error.strerror or str(error)
            raise PluginFileError(str(path), details, "plugin directory") from error
        loaded: list[WasmPlugin] = []
        failed: list[tuple[Path, PluginError]] = []
        for file in files:
            try:
                loaded.append(self.load(file))
            except Exception as error:
                failed.append((file, _reported(error)))
        return DirectoryReport(tuple(loaded), tuple(failed))

    def get(self, name: str) -> WasmPlugin | None:
        """Return the plugin of that name, or None."""
        return self._plugins.get(name)

    def unload(self, name: str) -> bool:
        """Remove a plugin, and return whether there was one of that name.

        It is not closed: tools of it that a registry holds go on working.
        """
        return self._plugins.pop(name, None) is not None

    def register_all(
        self, registry: ToolRegistry, *, prefix: str | None = None, replace: bool = False
    ) -> RegistrationReport:
        """Register every tool of every plugin, in the order in which they were loaded.

        Args:
            registry: where.
            prefix: put before each tool's name; `{plugin}` in it becomes the name of the tool's
                plugin: `prefix="{plugin}_"` keeps the tools of two plugins apart.
            replace: put the tools in the place of earlier ones of their names.

        Returns:
            The plugins that were registered, and each plugin that was not with its error, as
            `WasmPlugin.register_into_registry` raises it; one error does not stop the rest.
        """
        registered: list[WasmPlugin] = []
        failed: list[tuple[WasmPlugin, ToolError]] = []
        for plugin in self:
            try:
                own = None if prefix is None else prefix.replace("{plugin}", plugin.name)
                plugin.register_into_registry(registry, prefix=own, replace=replace)
            except ToolError as error:
                failed.append((plugin, error))
            else:
                registered.append(plugin)
        return RegistrationReport(tuple(registered), tuple(failed))

    def execute_tool(
        self,
        plugin: str,
        tool: int | str,
        input: str | Mapping[str, Any],
        *,
        timeout: float | None = None,
    ) -> str:
        """Run a tool of a plugin by name, as `WasmPlugin.execute_tool` does.

        Raises:
            PluginNotFoundError: no plugin of that name is loaded.
            ToolExecutionError, InvalidArgumentsError: as for `WasmPlugin.execute_tool`.
        """
        found = self._plugins.get(plugin)
        if found is None:
            raise PluginNotFoundError(plugin, tuple(self._plugins))
        return found.execute_tool(tool, input, timeout=timeout)

    def __iter__(self) -> Iterator[WasmPlugin]:
        return iter(list(self._plugins.values()))

    def __len__(self) -> int:
        return len(self._plugins)

    def __contains__(self, name: object) -> bool:
        return name in self._plugins

    def _add(self, plugin: WasmPlugin) -> WasmPlugin:
        loaded = self._plugins.get(plugin.name)
        if loaded is not None:
            raise DuplicatePluginError(plugin.name, loaded.version, plugin.version)
        self._plugins[plugin.name] = plugin
        return plugin


def _reported(error: Exception) -> PluginError:
    """Return an error as a report keeps it: a `PluginError`, without Python's traceback.

    The frames of the traceback would keep the plugin's memory.
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
