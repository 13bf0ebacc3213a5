"""The manager: loaded plugins by name. A failed load does not change it."""

from __future__ import annotations

import os

# What `threading` hands out, and takes longer to import.
from _thread import RLock

from purewasm_plugins.engine import Engine
from purewasm_plugins.errors import (
    DuplicatePluginError,
    PluginError,
    PluginNotFoundError,
    ToolError,
)
from purewasm_plugins.plugin.files import PluginFile, plugin_file
from purewasm_plugins.plugin.loading import reported
from purewasm_plugins.plugin.options import PluginOptions
from purewasm_plugins.plugin.plugin import WasmPlugin
from purewasm_plugins.plugin.tools import RegisteredTool
from purewasm_plugins.runtime.imports import Imports
from purewasm_plugins.runtime.limits import ResourceLimits
from purewasm_plugins.support.records import Record
from purewasm_plugins.support.typed import TYPE_CHECKING, Any, Callable, Iterator, Mapping
from purewasm_plugins.tools import ToolRegistry

if TYPE_CHECKING:
    from pathlib import Path

    from purewasm_plugins.plugin.watching import PluginChange, Watch
else:
    # Most programs watch no files: it is imported where they do.
    PluginChange = Watch = Any


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


class DiscoveryReport(Record):
    """The result of loading all plugins that were found.

    Attributes:
        loaded: the plugins that were loaded.
        failed: what each of the others is from, in words, and its error, as in `DirectoryReport`.
    """

    loaded: tuple[WasmPlugin, ...]
    failed: tuple[tuple[str, PluginError], ...]


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
        #: The files of those plugins that were loaded from one, by the plugins' names.
        self._files: dict[str, PluginFile] = {}
        #: The folders that were loaded, in their order.
        self._folders: dict[str, None] = {}
        #: Held where a plugin is replaced, in a registry, too.
        self._lock = RLock()

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
        file = plugin_file(path, self._options if options is None else options)
        return self._add(file.load(), file)

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
        # Imported here: it takes a tenth of the time to the first answer of a process.
        from purewasm_plugins.plugin.discovery import wasm_files

        files = wasm_files(path)
        self._folders[os.path.abspath(path)] = None
        loaded: list[WasmPlugin] = []
        failed: list[tuple[Path, PluginError]] = []
        for file in files:
            try:
                loaded.append(self.load(file))
            except Exception as error:
                failed.append((file, reported(error)))
        return DirectoryReport(tuple(loaded), tuple(failed))

    def discover(self, folder: str | os.PathLike[str] | None = None) -> DiscoveryReport:
        """Load the plugins of a folder, and then those of installed packages.

        A package declares a plugin as an entry point of the group `purewasm.plugins`, whose value
        names a file: `my_package.plugins:json.wasm`. Nothing of the package is imported. The
        environment variable PUREWASM_PLUGINS restricts the entry points to those whose names it
        lists, with commas between them; where it is empty, there are none.

        Args:
            folder: the folder, which must be there; None for that of the user, which need not:
                `purewasm/plugins` in `$XDG_CONFIG_HOME` or `~/.config`, on macOS in
                `~/Library/Application Support`, on Windows in `%APPDATA%`.

        Returns:
            The loaded plugins and the others with their errors. Of two plugins of one name, the
            first is loaded.

        Raises:
            PluginFileError: the folder cannot be read.
        """
        from purewasm_plugins.plugin.discovery import find_plugins, plugins_folder

        loaded: list[WasmPlugin] = []
        failed: list[tuple[str, PluginError]] = []
        for found in find_plugins(folder):
            try:
                loaded.append(self.load(found.file()))
            except Exception as error:
                failed.append((found.origin, reported(error)))
        chosen = plugins_folder() if folder is None else folder
        if chosen is not None:
            self._folders[os.path.abspath(chosen)] = None
        return DiscoveryReport(tuple(loaded), tuple(failed))

    def load_manifest(
        self, path: str | os.PathLike[str], *, environ: Mapping[str, str] | None = None
    ) -> DiscoveryReport:
        """Load the plugins of a manifest, each with the limits and grants that it says.

        Where a plugin's file has another hash than the manifest, or its lock file, says, nothing of
        it runs. What the manifest does not say, the manager's options do; its grants are all that
        there are.

        Args:
            path: the manifest: TOML, or JSON where the name ends in `.json`.
            environ: where secrets are from; None for the environment of this process.

        Returns:
            The loaded plugins, and the others with their errors.

        Raises:
            PluginFileError: the manifest, or its lock file, cannot be read.
            ManifestError: it is none; `file`, `key` and `line` say where.
        """
        # Imported here: most programs have no manifest.
        from purewasm_plugins.plugin.manifest import read_manifest

        manifest = read_manifest(path)
        loaded: list[WasmPlugin] = []
        failed: list[tuple[str, PluginError]] = []
        for entry in manifest.plugins:
            try:
                file = manifest.plugin_file(
                    entry, self._options, os.environ if environ is None else environ
                )
                loaded.append(self._add(file.load(), file))
            except Exception as error:
                failed.append((f"the plugin '{entry.name}' of {path}", reported(error)))
        return DiscoveryReport(tuple(loaded), tuple(failed))

    @classmethod
    def from_manifest(
        cls,
        path: str | os.PathLike[str],
        options: PluginOptions | None = None,
        *,
        environ: Mapping[str, str] | None = None,
    ) -> WasmPluginManager:
        """Make a manager with all plugins of a manifest.

        Args:
            path, environ: as for `load_manifest`.
            options: what holds where the manifest says nothing.

        Raises:
            ManifestError: the manifest is wrong.
            PluginHashError: a plugin's file is not the one that was expected.
            PluginError: the manifest, or a plugin, cannot be loaded.
        """
        manager = cls(options)
        for _, error in manager.load_manifest(path, environ=environ).failed:
            raise error
        return manager

    @property
    def files(self) -> Mapping[str, PluginFile]:
        """The files of the plugins that were loaded from one, by the plugins' names."""
        return dict(self._files)

    @property
    def folders(self) -> tuple[str, ...]:
        """The folders that `load_directory` and `discover` have loaded."""
        return tuple(self._folders)

    def reload(self, name: str, *, registry: ToolRegistry | None = None) -> WasmPlugin:
        """Load a plugin's file again, and put the new plugin in the place of the old one.

        The new one is loaded completely before. Running calls end on the old one, which is not
        closed; later calls run on the new one, whose state begins anew.

        Args:
            name: the plugin.
            registry: where the tools of the old one are replaced, too, all at once. They keep their
                prefix.

        Returns:
            The new plugin; the old one where the file has the same bytes.

        Raises:
            PluginNotFoundError: no plugin of that name is loaded.
            PluginError: it was loaded from bytes; or the file cannot be loaded, or is now a plugin
                with the name of another one. The old one stays.
            ToolError: its tools cannot be registered. The old ones stay.
        """
        old = self._plugins.get(name)
        if old is None:
            raise PluginNotFoundError(name, tuple(self._plugins))
        if name not in self._files:
            raise PluginError(
                f"Plugin '{name}' was not loaded from a file, so there is none to reload"
            )
        file = self._files[name].again()
        new = file.load()
        if new.module.data == old.module.data:
            return old
        with self._lock:
            if self._plugins.get(name) is old:
                self._replace(old, new, file, registry)
                return new
        # Another thread has unloaded or reloaded it meanwhile, perhaps before the last change.
        return self.reload(name, registry=registry)

    def _replace(
        self, old: WasmPlugin, new: WasmPlugin, file: PluginFile, registry: ToolRegistry | None
    ) -> None:
        other = self._plugins.get(new.name)
        if other is not None and other is not old:
            raise DuplicatePluginError(new.name, other.version, new.version)
        if registry is not None:
            _exchange_tools(registry, old, new)
        if new.name != old.name:
            self.unload(old.name)
        self._plugins[new.name] = new
        self._files[new.name] = file

    def watch(
        self,
        listener: Callable[[PluginChange], object] | None = None,
        *,
        registry: ToolRegistry | None = None,
        interval: float | None = 1.0,
    ) -> Watch:
        """Watch the files of the plugins, and reload those that change.

            with manager.watch(print, registry=registry):
                serve(registry)

        A new `.wasm` file in a folder that `load_directory` or `discover` has loaded becomes a
        plugin, too. A file that cannot be loaded leaves the old plugin as it is, and so does one
        that is gone. Changes are logged to `purewasm_plugins.plugin`.

        Args:
            listener: called with each change, in the thread of the watch, after it has happened;
                what it raises is logged.
            registry: where the tools are replaced, or registered where the file is new.
            interval: seconds between two looks at the files by a thread, which takes a file once
                two looks saw the same. None for no thread: `check` of the result looks once. In
                Pyodide there is no thread.

        Returns:
            The watch; `close` ends it, and so does leaving its `with` block.

        Raises:
            InvalidOptionError: the interval is no number of seconds above 0.
        """
        # Imported here: most programs do not watch.
        from purewasm_plugins.plugin.watching import Watch

        return Watch(self, listener, registry, interval)

    def get(self, name: str) -> WasmPlugin | None:
        """Return the plugin with that name, or None."""
        return self._plugins.get(name)

    def unload(self, name: str) -> bool:
        """Remove a plugin, and return whether there was one with that name.

        The plugin is not closed: its tools that are in a registry still work.
        """
        self._files.pop(name, None)
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

    def _add(self, plugin: WasmPlugin, file: PluginFile | None = None) -> WasmPlugin:
        with self._lock:
            loaded = self._plugins.setdefault(plugin.name, plugin)
            if loaded is not plugin:
                raise DuplicatePluginError(plugin.name, loaded.version, plugin.version)
            if file is not None:
                self._files[plugin.name] = file
        return plugin


def _exchange_tools(registry: ToolRegistry, old: WasmPlugin, new: WasmPlugin) -> None:
    """Put the tools of a plugin in the place of another's, if the registry has those.

    A tool of the same name keeps the name in the registry. A new one gets the prefix of the first.
    One that the old plugin has, and the registry does not, stays out of it.

    Raises:
        ToolError: a new one cannot be registered; nothing has changed.
    """
    names: dict[str, str] = {}
    for registered in registry:
        tool = registry.get(registered)
        if isinstance(tool, RegisteredTool) and tool.plugin is old:
            names[tool.tool.name] = registered
    if old.tools and not names:
        return
    prefix = next((text.removesuffix(name) for name, text in names.items()), "")
    left_out = {tool.name for tool in old.tools} - names.keys()
    tools = [
        tool.renamed(names.get(tool.tool.name, prefix + tool.tool.name))
        for tool in new.registrable_tools()
        if tool.tool.name not in left_out
    ]
    registry.exchange(names.values(), tools)
