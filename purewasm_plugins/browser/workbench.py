"""The Python side of the playground's worker: it answers the page's requests in JSON.

The page sends `{"method", "params"}` and draws the answer. This module runs in any Python. In the
browser it runs inside Pyodide, where a running call cannot be interrupted: to stop a plugin the
page ends the worker.
"""

from __future__ import annotations

import gc
import json
import platform
import sys
import time
from collections.abc import Callable, Mapping
from typing import Any

import purewasm_plugins
from purewasm_plugins import (
    InvalidArgumentsError,
    PluginError,
    PureWasmError,
    ResourceLimits,
    WasmError,
    WasmPlugin,
)
from purewasm_plugins.browser import describe
from purewasm_plugins.browser.memory import MemoryView
from purewasm_plugins.browser.observe import Observed, Observer
from purewasm_plugins.engine.instantiate import ENGINES, engine_named
from purewasm_plugins.module import Module
from purewasm_plugins.plugin.loading import compile_plugin
from purewasm_plugins.plugin.summary import module_summary, plugin_summary
from purewasm_plugins.support.json_text import read_json, write_json
from purewasm_plugins.tools.registry import schema_validator


class Workbench:
    """The plugin that the page shows, and the answers to the page's requests about it."""

    def __init__(self) -> None:
        self._module: Module | None = None
        self._plugin: WasmPlugin | None = None
        self._observer = Observer()
        self._memory = MemoryView()
        #: `Debugging.handle` of the open debugger session.
        self._debugger: Callable[..., dict[str, Any]] | None = None
        self._methods: Mapping[str, Callable[..., dict[str, Any]]] = {
            "about": self.about,
            "load": self.load,
            "run": self.run,
            "function": self.function,
            "memory": self.memory,
            "debug": self.debug,
        }

    def handle(self, request: str, data: Any = None) -> str:
        """Answer one request.

        Args:
            request: JSON, `{"method": name, "params": {…}}`.
            data: bytes that the method takes, in any object with the buffer protocol.

        Returns:
            JSON: the result of the method, or `{"error": {…}}`.
        """
        try:
            asked = _read(request)
            params = asked.get("params") or {}
            if data is not None:
                params["data"] = bytes(data)
            answer = self._methods[asked["method"]](**params)
        except PureWasmError as error:
            answer = {"error": describe.error(error)}
        except MemoryError:
            answer = {"error": describe.out_of_memory()}
        except Exception as error:
            # The page waits for an answer to every request.
            answer = {"error": describe.unexpected(error)}
        return json.dumps(answer)

    def about(self) -> dict[str, Any]:
        """Return the versions, the available engines and the default limits."""
        return {
            "version": purewasm_plugins.__version__,
            "python": f"{platform.python_implementation()} {platform.python_version()}",
            "platform": sys.platform,
            "engines": [name for name in ENGINES if _available(name)],
            "limits": _default_limits(),
        }

    def load(
        self,
        data: bytes,
        engine: str | None = None,
        limits: Mapping[str, Any] | None = None,
    ) -> dict[str, Any]:
        """Load a plugin.

        For a valid module that is not a plugin the answer has an error and the module's
        description.

        Args:
            data: the content of the file.
            engine: the name of an engine; None for the default.
            limits: fields of `ResourceLimits`.
        """
        self._module = self._plugin = self._debugger = None
        self._observer = Observer()
        self._memory = MemoryView()
        # An instance is a reference cycle of megabytes, and the browser's memory never shrinks.
        gc.collect()
        started = time.perf_counter()
        answer: dict[str, Any] = {"size": len(data), "plugin": None, "module": None, "error": None}
        try:
            self._module = compile_plugin(data)
            answer["module"] = module_summary(self._module.valid.module)
            observed = Observed(engine_named(engine), self._observer)
            self._plugin = WasmPlugin(
                self._module, engine=observed, limits=ResourceLimits(**(limits or {}))
            )
            answer["plugin"] = plugin_summary(self._plugin)
            self._memory = MemoryView.of(self._plugin.instance)
        except (PureWasmError, ValueError) as error:
            answer["error"] = describe.error(error, data)
        except MemoryError:
            answer["error"] = describe.out_of_memory()
        answer["ms"] = _since(started)
        answer["memory"] = self._memory.summary()
        return answer

    def run(self, tool: int, input: str | None = None, arguments: Any = None) -> dict[str, Any]:
        """Run a tool.

        Args:
            tool: the index of the tool.
            input: the input of the tool; or
            arguments: the arguments that the tool's schema describes, or their JSON text.

        Returns:
            The output or the error, the time and fuel used, and the changes in memory.
        """
        plugin = self._plugin
        if plugin is None:
            raise PluginError("there is no plugin to run: load one first")
        answer: dict[str, Any] = {"output": None, "error": None}
        observer = self._observer
        observer.forget()
        started = time.perf_counter()
        try:
            if input is None:
                input = _arguments(plugin, tool, arguments)
            answer["input"] = input
            started = time.perf_counter()
            answer["output"] = plugin.execute_tool(tool, input)
        except PureWasmError as error:
            answer["error"] = describe.error(error)
        except MemoryError:
            answer["error"] = describe.out_of_memory()
        answer["ms"] = _since(started)
        answer["fuel"] = observer.fuel
        if observer.instance is not None:
            # The plugin's own time, without the time that the observer takes.
            answer["ms"] = round(observer.seconds * 1000, 3)
            self._memory = MemoryView.after(observer, answer["output"])
        answer["memory"] = self._memory.summary()
        return answer

    def function(self, index: int) -> dict[str, Any]:
        """Return a function's disassembly, and the Python that the translator makes of it."""
        if self._module is None:
            raise PluginError("there is no module to look into: load one first")
        return describe.function(self._module.valid, index)

    def memory(self, start: int, size: int) -> dict[str, Any]:
        """Return a piece of the memory and the marks in it."""
        return self._memory.piece(start, size)

    def debug(self, do: str, **params: Any) -> dict[str, Any]:
        """Open a debugger session on a call, or send the open session a request.

        Args:
            do: "open", with the parameters of `run`; or a request of `Debugging.handle`.
            params: the parameters.

        Returns:
            The answer of `Debugging.handle`; after "open" the state and the plugin's functions.
        """
        if do == "open":
            return self._open_debugger(**params)
        if self._debugger is None:
            raise PluginError("there is no call to step through: open one first")
        return self._debugger(do, **params)

    def _open_debugger(
        self, tool: int, input: str | None = None, arguments: Any = None
    ) -> dict[str, Any]:
        plugin = self._plugin
        if plugin is None:
            raise PluginError("there is no plugin to debug: load one first")
        if input is None:
            input = _arguments(plugin, tool, arguments)
        # Imported here: the page starts without the debugger.
        from purewasm_plugins.browser.debugging import Debugging

        debugging = Debugging(plugin, tool, input)
        self._debugger = debugging.handle
        # As in `load`: the previous session held an instance.
        gc.collect()
        return {**debugging.state(), "functions": debugging.functions()}


def _read(request: str) -> dict[str, Any]:
    """Read a request; its arguments may be nested too deep."""
    try:
        asked: dict[str, Any] = read_json(request)
    except ValueError as error:
        raise PluginError(f"the request cannot be read: {error}") from None
    return asked


def _arguments(plugin: WasmPlugin, tool: int, arguments: Any) -> str:
    """Check a tool's arguments against its schema, and return them as JSON."""
    if not 0 <= tool < len(plugin.tools):
        raise PluginError(f"there is no tool {tool}; the plugin has {len(plugin.tools)}")
    chosen = plugin.tools[tool]
    if isinstance(arguments, str):
        try:
            arguments = read_json(arguments)
        except ValueError as error:
            raise InvalidArgumentsError(chosen.name, f"they are not JSON: {error}") from None
    if chosen.schema is not None:
        schema_validator(chosen.name, chosen.schema)(arguments)
    try:
        return write_json(arguments)
    except ValueError as error:
        raise InvalidArgumentsError(chosen.name, f"they cannot be written: {error}") from None


def _default_limits() -> dict[str, Any]:
    limits = ResourceLimits()
    return {name: getattr(limits, name) for name in ("timeout", "fuel", "memory_pages")}


def _available(name: str) -> bool:
    try:
        engine_named(name)
    except WasmError:
        return False
    return True


def _since(started: float) -> float:
    return round((time.perf_counter() - started) * 1000, 3)
