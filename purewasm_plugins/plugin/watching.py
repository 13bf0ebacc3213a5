"""Plugins whose files change while the program runs."""

from __future__ import annotations

import logging
import sys
import threading

from purewasm_plugins.errors import InvalidOptionError, PluginError, PureWasmError, ToolError
from purewasm_plugins.plugin.discovery import wasm_files
from purewasm_plugins.plugin.files import PluginFile, Stamp, stamp_of
from purewasm_plugins.plugin.loading import reported
from purewasm_plugins.plugin.output import LOGGER
from purewasm_plugins.plugin.plugin import WasmPlugin
from purewasm_plugins.support.records import Record
from purewasm_plugins.support.typed import Callable, Iterator, Mapping, Protocol
from purewasm_plugins.tools import ToolRegistry

__all__ = ["PluginChange", "Watch"]

_LOG = logging.getLogger(LOGGER)


class PluginChange(Record):
    """A change of a plugin's file, and its effect.

    Attributes:
        path: the file.
        plugin: the plugin that is now loaded from it; None where there is none.
        previous: the one that was loaded from it before; None where there was none.
        error: why the file could not be loaded, or None. `plugin` is then `previous`.
    """

    path: str
    plugin: WasmPlugin | None
    previous: WasmPlugin | None
    error: PureWasmError | None = None


class _Manager(Protocol):
    """What is watched: `WasmPluginManager`."""

    @property
    def files(self) -> Mapping[str, PluginFile]:
        """The files of the plugins by their names."""

    @property
    def folders(self) -> tuple[str, ...]:
        """The folders whose new files become plugins."""

    def get(self, name: str) -> WasmPlugin | None:
        """Return the plugin of that name."""

    def load(self, path: str) -> WasmPlugin:
        """Load a plugin from a file."""

    def unload(self, name: str) -> bool:
        """Remove a plugin."""

    def reload(self, name: str, *, registry: ToolRegistry | None = None) -> WasmPlugin:
        """Load a plugin's file again, and put it in the place of the old one."""


class Watch:
    """A watch over the files of a manager's plugins; `WasmPluginManager.watch` begins one.

    Leaving its `with` block, or `close`, ends it. Until then its thread keeps the manager alive.
    """

    def __init__(
        self,
        manager: _Manager,
        listener: Callable[[PluginChange], object] | None,
        registry: ToolRegistry | None,
        interval: float | None,
    ) -> None:
        """Begin; `WasmPluginManager.watch` describes the parameters.

        Raises:
            InvalidOptionError: the interval is no number of seconds.
        """
        number = isinstance(interval, (int, float)) and not isinstance(interval, bool)
        if interval is not None and not (number and 0 < interval <= threading.TIMEOUT_MAX):
            details = f"it must be a number of seconds above 0, or None: {interval!r}"
            raise InvalidOptionError("interval", details)
        self._manager = manager
        self._listener = listener
        self._registry = registry
        #: What each file had when it was last taken, and at the last look.
        self._taken: dict[str, Stamp | None] = {}
        self._seen: dict[str, Stamp] = {}
        self._lock = threading.RLock()
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None
        #: The thread that looks now, by its `threading.get_ident`.
        self._looking: int | None = None
        loaded = self._loaded()
        for path in self._paths(loaded):
            self._taken[path] = loaded[path][1] if path in loaded else stamp_of(path)
        if interval is not None and sys.platform not in ("emscripten", "wasi"):
            self._thread = threading.Thread(
                target=self._run, args=(interval,), name="purewasm-watch", daemon=True
            )
            self._thread.start()

    def check(self) -> tuple[PluginChange, ...]:
        """Look at the files now, and take those that have changed.

        Returns:
            The changes, which the listener has been told.
        """
        return self._look(settled=False)

    def close(self) -> None:
        """End the watch. A look that runs in another thread is waited for.

        A listener may do it, too.
        """
        self._ended.set()
        if self._thread is not None and self._looking != threading.get_ident():
            self._thread.join()

    def __enter__(self) -> Watch:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def _run(self, interval: float) -> None:
        while not self._ended.wait(interval):
            self._look(settled=True)

    def _look(self, *, settled: bool) -> tuple[PluginChange, ...]:
        """Take the files that have changed.

        Args:
            settled: whether a file is taken only after two looks in a row saw the same: it may be
                in the middle of being written.
        """
        with self._lock:
            outer, self._looking = self._looking, threading.get_ident()
            try:
                return tuple(self._changes(settled))
            finally:
                self._looking = outer

    def _changes(self, settled: bool) -> Iterator[PluginChange]:
        loaded = self._loaded()
        for path in self._paths(loaded):
            # It may have ended while this thread waited for another's look.
            if settled and self._ended.is_set():
                return
            name, taken = loaded.get(path, (None, None))
            if name is not None:
                self._taken.setdefault(path, taken)
            stamp = stamp_of(path)
            # A file that is gone leaves its plugin as it is: many programs replace a file so.
            if stamp is None or stamp == self._taken.get(path):
                continue
            if settled and self._seen.get(path) != stamp:
                self._seen[path] = stamp
                continue
            self._taken[path] = stamp
            change = self._added(path) if name is None else self._changed(path, name)
            if change is not None:
                self._tell(change)
                yield change

    def _loaded(self) -> dict[str, tuple[str, Stamp | None]]:
        """Return the names of the plugins and the stamps of their files, by the files.

        Read at once: another thread may unload a plugin at any time.
        """
        return {file.path: (name, file.stamp) for name, file in self._manager.files.items()}

    def _paths(self, loaded: Mapping[str, object]) -> Iterator[str]:
        """Yield the files of the plugins, and then the other ones of their folders."""
        yield from loaded
        for folder in self._manager.folders:
            try:
                paths = map(str, wasm_files(folder))
            except PluginError:
                # It may come back.
                continue
            yield from (path for path in paths if path not in loaded)

    def _changed(self, path: str, name: str) -> PluginChange | None:
        old = self._manager.get(name)
        try:
            new = self._manager.reload(name, registry=self._registry)
        except ToolError as error:
            return PluginChange(path, old, old, error)
        except Exception as error:
            return PluginChange(path, old, old, reported(error))
        return None if new is old else PluginChange(path, new, old)

    def _added(self, path: str) -> PluginChange:
        try:
            plugin = self._manager.load(path)
        except Exception as error:
            return PluginChange(path, None, None, reported(error))
        try:
            if self._registry is not None:
                plugin.register_into_registry(self._registry)
        except ToolError as error:
            self._manager.unload(plugin.name)
            return PluginChange(path, None, None, error)
        return PluginChange(path, plugin, None)

    def _tell(self, change: PluginChange) -> None:
        if change.error is not None:
            effect = "it is not loaded" if change.plugin is None else "the old one stays loaded"
            _LOG.warning("%s: %s; %s", change.path, change.error, effect)
        else:
            _LOG.info("%s: loaded", change.path)
        if self._listener is None:
            return
        try:
            self._listener(change)
        except Exception:
            _LOG.exception("a listener for changes of plugins failed")
