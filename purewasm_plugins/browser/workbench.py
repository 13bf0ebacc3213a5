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
    NotACommandError,
    PluginError,
    PureWasmError,
    ResourceLimits,
    Wasi,
    WasmError,
    WasmPlugin,
)
from purewasm_plugins.browser import describe
from purewasm_plugins.browser.commands import read_environment, split_arguments
from purewasm_plugins.browser.console import Console
from purewasm_plugins.browser.files import QUOTAS, Files
from purewasm_plugins.browser.memory import MemoryView
from purewasm_plugins.browser.observe import EXECUTE, Observed, Observer
from purewasm_plugins.command import check_command, start
from purewasm_plugins.engine import Engine
from purewasm_plugins.engine.instantiate import ENGINES, engine_named
from purewasm_plugins.module import Module
from purewasm_plugins.plugin.loading import compile_plugin
from purewasm_plugins.plugin.summary import module_summary, plugin_summary
from purewasm_plugins.runtime.instance import Instance
from purewasm_plugins.support.json_text import read_json, write_json
from purewasm_plugins.tools.registry import schema_validator
from purewasm_plugins.wasi.linking import imports_wasi

#: Limits of commands. They recurse deeper than plugins, and have larger functions. A trap in 3,000
#: active functions is within the browser's stack, in 4,000 it is not.
_MORE_FOR_COMMANDS = {"call_depth": 2_000, "translated_characters": 4_000_000}


class Workbench:
    """The plugin or command that the page shows, and the answers to the requests about it.

    Attributes:
        attached: bytes that belong to the last answer, or None.
    """

    def __init__(self, show: Callable[[int, str], object] = lambda stream, text: None) -> None:
        """Take the function that shows what a module writes; see `Console`."""
        self.attached: bytes | None = None
        self._console = Console(show)
        self._files = Files()
        self._module: Module | None = None
        self._plugin: WasmPlugin | None = None
        #: Makes an instance of the command from the fields of its form; None for a plugin.
        self._command: Callable[..., Instance] | None = None
        self._observer = Observer()
        self._memory = MemoryView()
        #: `Debugging.handle` of the open debugger session.
        self._debugger: Callable[..., dict[str, Any]] | None = None
        self._methods: Mapping[str, Callable[..., dict[str, Any]]] = {
            "about": self.about,
            "load": self.load,
            "run": self.run,
            "start": self.start,
            "files": self._files.handle,
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
            JSON: the result of the method, or `{"error": {…}}`. `attached` has what is no JSON.
        """
        self.attached = None
        try:
            asked = _read(request)
            params = asked.get("params") or {}
            if data is not None:
                params["data"] = bytes(data)
            answer = self._methods[asked["method"]](**params)
            self.attached = answer.pop("attached", None)
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
        """Load a plugin or a command.

        For a valid module that is neither the answer has an error and the module's description.

        Args:
            data: the content of the file.
            engine: the name of an engine; None for the default.
            limits: fields of `ResourceLimits`.
        """
        self._module = self._plugin = self._command = self._debugger = None
        self._observer = Observer()
        self._memory = MemoryView()
        # An instance is a reference cycle of megabytes, and the browser's memory never shrinks.
        gc.collect()
        started = time.perf_counter()
        self._console.begin()
        answer: dict[str, Any] = {"size": len(data), "plugin": None, "module": None, "error": None}
        answer["command"] = answer["wasi"] = False
        try:
            self._module = module = compile_plugin(data)
            answer["module"] = module_summary(module.valid.module)
            answer["wasi"] = imports_wasi(module.valid.module)
            more = _MORE_FOR_COMMANDS if _is_command(module) else {}
            chosen = ResourceLimits(**more, **(limits or {}))
            if more:
                self._load_command(module, engine, chosen)
                answer["command"] = True
            else:
                answer["plugin"] = plugin_summary(self._load_plugin(module, engine, chosen))
        except (PureWasmError, ValueError) as error:
            answer["error"] = describe.error(error, data)
        except MemoryError:
            answer["error"] = describe.out_of_memory()
        self._console.end()
        answer["ms"] = _since(started)
        answer["memory"] = self._memory.summary()
        return answer

    def _load_plugin(
        self, module: Module, engine: str | None, limits: ResourceLimits
    ) -> WasmPlugin:
        observed = Observed(engine_named(engine), self._observer)
        plugin = WasmPlugin(module, engine=observed, limits=limits, wasi=self._granted())
        self._memory = MemoryView.of(plugin.instance)
        self._plugin = plugin
        return plugin

    def _load_command(self, module: Module, engine: str | None, limits: ResourceLimits) -> None:
        """Prepare a command, and make an instance to see that nothing is missing."""

        def instance(
            name: str = "",
            args: str = "",
            env: str = "",
            stdin: str = "",
            engine: str | Engine | None = engine,
        ) -> Instance:
            wasi = self._granted(
                args=(name, *split_arguments(args)),
                env=read_environment(env),
                stdin=stdin.encode(errors="replace"),
            )
            return module.instantiate(engine=engine, limits=limits, wasi=wasi)

        first = instance()
        self._memory = MemoryView.of(first)
        first.discard()
        self._command = instance

    def _granted(self, **grants: Any) -> Wasi:
        """Return what a module may touch: the console, the files, the clocks and random numbers."""
        return Wasi(
            stdout=self._console.stdout,
            stderr=self._console.stderr,
            directories={"/": self._files.directory},
            clock="host",
            random="host",
            quotas=QUOTAS,
            **grants,
        )

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
        self._console.begin()
        started = time.perf_counter()
        try:
            input = _input(plugin, tool, input, arguments)
            answer["input"] = input
            started = time.perf_counter()
            answer["output"] = plugin.execute_tool(tool, input)
        except PureWasmError as error:
            answer["error"] = describe.error(error)
        except MemoryError:
            answer["error"] = describe.out_of_memory()
        self._console.end()
        answer["ms"] = _since(started)
        answer["fuel"] = observer.fuel
        if observer.instance is not None:
            # The plugin's own time, without the time that the observer takes.
            answer["ms"] = round(observer.seconds * 1000, 3)
            self._memory = MemoryView.after(observer, answer["output"])
        answer["memory"] = self._memory.summary()
        return answer

    def start(self, **fields: str) -> dict[str, Any]:
        """Run the command.

        Args:
            fields: those of its form: "name", the first argument; "args", a line of others as for
                a shell; "env", lines of the form NAME=value; "stdin", the standard input.

        Returns:
            The exit code or the error, the time and the fuel used, and what quotas refused.
        """
        if self._command is None:
            raise PluginError("there is no command to run: load one first")
        self._console.begin()
        answer: dict[str, Any] = {"exit_code": None, "error": None, "fuel": 0, "refused": []}
        # As in `load`: the previous run had an instance.
        gc.collect()
        started = time.perf_counter()
        try:
            instance = self._command(**fields)
            try:
                answer["exit_code"] = start(instance)
            finally:
                answer["fuel"] = instance.fuel_used
                answer["refused"] = describe.refused(instance.wasi.exceeded)
                self._memory = MemoryView.of(instance)
                instance.discard()
        except PureWasmError as error:
            answer["error"] = describe.error(error)
        except MemoryError:
            answer["error"] = describe.out_of_memory()
        self._console.end()
        answer["ms"] = _since(started)
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

    def _open_debugger(self, **fields: Any) -> dict[str, Any]:
        # Imported here: the page starts without the debugger.
        from purewasm_plugins.browser.debugging import Debugging

        self._console.begin()
        plugin, command = self._plugin, self._command
        if plugin is not None:
            tool = fields["tool"]
            debugging = Debugging.of_tool(plugin, tool, _input(plugin, **fields))
        elif command is not None:
            debugging = Debugging.of_command(lambda engine: command(engine=engine, **fields))
        else:
            raise PluginError("there is no plugin or command to debug: load one first")
        self._debugger = debugging.handle
        # As in `load`: the previous session held an instance.
        gc.collect()
        return {**debugging.state(), "functions": debugging.functions()}


def _is_command(module: Module) -> bool:
    """Return whether a module is a command, and no plugin."""
    if EXECUTE in module.exports:
        return False
    try:
        check_command(module)
    except NotACommandError:
        return False
    return True


def _read(request: str) -> dict[str, Any]:
    """Read a request; its arguments may be nested too deep."""
    try:
        asked: dict[str, Any] = read_json(request)
    except ValueError as error:
        raise PluginError(f"the request cannot be read: {error}") from None
    return asked


def _input(plugin: WasmPlugin, tool: int, input: str | None = None, arguments: Any = None) -> str:
    """Return the input of a call: the one that is given, or arguments as JSON.

    Raises:
        InvalidArgumentsError: the arguments do not fit the tool's schema.
    """
    if input is not None:
        return input
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
