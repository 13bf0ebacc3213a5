"""The manager: loaded plugins by name. A failed load does not change it."""

from __future__ import annotations

import os

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
from purewasm_plugins.support.typed import TYPE_CHECKING, Any, Iterator, Mapping
from purewasm_plugins.tools import ToolRegistry

if TYPE_CHECKING:
    from pathlib import Path


class DirectoryReport(Record):
    """The result of loading a directory.

    Attributes:
        loaded: the plugins that were loaded, in the order of their file names.
        failed: the file and the error of each plugin that was not loaded. Another exception,
            such as that of a host function, is the `__cause__` of a `PluginError`. The
            errors have no traceback: it would keep the plugin's memory alive.
    """

    loaded: tuple[WasmPlugin, ...]
    failed: tuple[tuple[Path, PluginError], ...]


class RegistrationReport(Record):
    """The result of registering every plugin.

    Attributes:
        registered: the plugins whose tools are all in the registry.
        failed: each plugin of which no tool was registered, and the error.
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
            options: the options of its plugins, unless `load` gets others.
            engine, limits, imports, cache_dir: replace the fields of `options`.

        Raises:
            InvalidOptionError: an option has a wrong type or value.
        """
        self._options = PluginOptions.merged(options, engine, limits, imports, cache_dir)
        self._plugins: dict[str, WasmPlugin] = {}

    def load(
        self, path: str | os.PathLike[str], options: PluginOptions | None = None
    ) -> WasmPlugin:
        """Load a plugin from a file and add it.

        Args:
            path: the file.
            options: the options of this plugin, in the place of all of the manager's: a field that
                is None means the default, not the manager's value. None for those of the manager.

        Raises:
            DuplicatePluginError: a plugin with the same name is already loaded.
            PluginError: the plugin cannot be loaded.
        """
        return self._add(WasmPlugin.load(path, self._options if options is None else options))

    def load_from_bytes(self, data: bytes, options: PluginOptions | None = None) -> WasmPlugin:
        """Load a plugin from the bytes of a `.wasm` file and add it, as `load` does.

        Raises:
            PluginError: as for `load`.
        """
        chosen = self._options if options is None else options
        return self._add(WasmPlugin.load_from_bytes(data, chosen))

    def load_directory(self, path: str | os.PathLike[str]) -> DirectoryReport:
        """Load every `*.wasm` file of a directory, in the order of their names.

        Returns:
            The loaded plugins, and the files that failed with their errors. The other files are
            still loaded after an error.

        Raises:
            PluginFileError: the directory cannot be read.
        """
        # Imported here: the import takes a tenth of the time to the first answer of a process.
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
        """Return the plugin with that name, or None."""
        return self._plugins.get(name)

    def unload(self, name: str) -> bool:
        """Remove a plugin, and return whether there was one with that name.

        The plugin is not closed: its tools that are in a registry still work.
        """
        return self._plugins.pop(name, None) is not None

    def register_all(
        self, registry: ToolRegistry, *, prefix: str | None = None, replace: bool = False
    ) -> RegistrationReport:
        """Register every tool of every plugin, in the order in which they were loaded.

        Args:
            registry: the registry.
            prefix: text before each tool's name, in which `{plugin}` is replaced by the name of the
                plugin: `prefix="{plugin}_"` avoids duplicates between plugins.
            replace: whether tools replace registered tools with the same names.

        Returns:
            The registered plugins, and the plugins that failed with the errors of
            `WasmPlugin.register_into_registry`. The other plugins are still registered after an
            error.
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
            PluginNotFoundError: no plugin with that name is loaded.
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
