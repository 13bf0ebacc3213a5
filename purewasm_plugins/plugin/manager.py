"""Many plugins by name. A failed load leaves the manager as it was."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING

from purewasm_plugins.engine import Engine
from purewasm_plugins.errors import (
    DuplicatePluginError,
    PluginError,
    PluginFileError,
    PluginNotFoundError,
    ToolError,
)
from purewasm_plugins.plugin.plugin import WasmPlugin
from purewasm_plugins.runtime.imports import Imports
from purewasm_plugins.runtime.limits import ResourceLimits
from purewasm_plugins.support.records import Record
from purewasm_plugins.tools import ToolRegistry

if TYPE_CHECKING:
    from pathlib import Path


class DirectoryReport(Record):
    """What came of loading a directory.

    Attributes:
        loaded: the plugins that were loaded, in the order of their file names.
        failed: the file and the error of each that was not. What else than a `PluginError` went
            wrong, a host function's exception for example, is the `__cause__` of one. Errors are
            kept without Python's traceback: it would keep the plugin's memory.
    """

    loaded: tuple[WasmPlugin, ...]
    failed: tuple[tuple[Path, PluginError], ...]


class RegistrationReport(Record):
    """What came of registering every plugin.

    Attributes:
        registered: the plugins whose tools are all in the registry now.
        failed: each plugin that has none there, and why.
    """

    registered: tuple[WasmPlugin, ...]
    failed: tuple[tuple[WasmPlugin, ToolError], ...]


class WasmPluginManager:
    """Loaded plugins by name, in the order in which they were loaded.

    Iterating gives the plugins; `in` takes a name.
    """

    def __init__(
        self,
        *,
        engine: str | Engine | None = None,
        limits: ResourceLimits | None = None,
        imports: Imports | None = None,
        cache_dir: str | os.PathLike[str] | None = None,
    ) -> None:
        """Make an empty manager.

        Args:
            engine, limits, imports, cache_dir: what its plugins are loaded with; see
                `WasmPlugin.load_from_bytes`.
        """
        self._engine = engine
        self._limits = limits
        self._imports = imports
        self._cache_dir = cache_dir
        self._plugins: dict[str, WasmPlugin] = {}

    def load(self, path: str | os.PathLike[str]) -> WasmPlugin:
        """Load a plugin from a file and keep it.

        Raises:
            PluginError: it cannot be loaded, or a plugin of its name is loaded already.
        """
        return self._add(
            WasmPlugin.load(
                path,
                engine=self._engine,
                limits=self._limits,
                imports=self._imports,
                cache_dir=self._cache_dir,
            )
        )

    def load_from_bytes(self, data: bytes) -> WasmPlugin:
        """Load a plugin from the bytes of a `.wasm` file and keep it.

        Raises:
            PluginError: as for `load`.
        """
        return self._add(
            WasmPlugin.load_from_bytes(
                data,
                engine=self._engine,
                limits=self._limits,
                imports=self._imports,
                cache_dir=self._cache_dir,
            )
        )

    def load_directory(self, path: str | os.PathLike[str]) -> DirectoryReport:
        """Load every `*.wasm` file of a directory, sorted by name.

        Returns:
            What was loaded, and each file that was not with its error; one does not stop the rest.

        Raises:
            PluginError: the directory cannot be read.
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
        """Forget a plugin; whether there was one of that name.

        A registry that holds its tools goes on holding them.
        """
        return self._plugins.pop(name, None) is not None

    def register_all(self, registry: ToolRegistry) -> RegistrationReport:
        """Register every tool of every plugin, in the order in which they were loaded.

        Returns:
            What was registered, and each plugin that was not with its error, as
            `WasmPlugin.register_into_registry` raises it; one does not stop the rest.
        """
        registered: list[WasmPlugin] = []
        failed: list[tuple[WasmPlugin, ToolError]] = []
        for plugin in self:
            try:
                plugin.register_into_registry(registry)
            except ToolError as error:
                failed.append((plugin, error))
            else:
                registered.append(plugin)
        return RegistrationReport(tuple(registered), tuple(failed))

    def execute_tool(
        self, plugin: str, tool: int | str, input: str, *, timeout: float | None = None
    ) -> str:
        """Run a tool of a plugin by name; see `WasmPlugin.execute_tool`.

        Raises:
            PluginError: no plugin of that name is loaded.
            ToolExecutionError
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
    """Convert an error to one of a plugin, as a report keeps it.

    It has no traceback of Python's, whose frames would keep the plugin's memory.
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
