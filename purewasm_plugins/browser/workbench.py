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
    Wasi,
    WasmError,
    WasmPlugin,
)
from purewasm_plugins.browser import describe, editing
from purewasm_plugins.browser.commands import read_environment, split_arguments
from purewasm_plugins.browser.console import Console
from purewasm_plugins.browser.editing import SourceText, kind_of, module_of
from purewasm_plugins.browser.files import QUOTAS, Files
from purewasm_plugins.browser.functions import Functions
from purewasm_plugins.browser.memory import MemoryView
from purewasm_plugins.browser.observe import Observed, Observer
from purewasm_plugins.command import start
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
    """The plugin, command or module that the page shows, and the answers to the requests about it.

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
        #: The text that the module was assembled from, or None.
        self._text: str | None = None
        #: Makes an instance of the command from the fields of its form; None for a plugin.
        self._command: Callable[..., Instance] | None = None
        #: The functions of a module that is neither a plugin nor a command.
        self._functions: Functions | None = None
        self._observer = Observer()
        self._memory = MemoryView()
        #: `Debugging.handle` of the open debugger session.
        self._debugger: Callable[..., dict[str, Any]] | None = None
        self._methods: Mapping[str, Callable[..., dict[str, Any]]] = {
            "about": self.about,
            "load": self.load,
            "run": self.run,
            "start": self.start,
            "call": self.call,
            "check": editing.check,
            "assemble": editing.assemble,
            "text": self.text,
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
        data: bytes = b"",
        engine: str | None = None,
        limits: Mapping[str, Any] | None = None,
        text: str | None = None,
    ) -> dict[str, Any]:
        """Load a plugin, a command, or a module whose functions can be called.

        For a valid module that is none of these the answer has an error and its description.

        Args:
            data: the content of the file; or
            text: a module in the text format.
            engine: the name of an engine; None for the default.
            limits: fields of `ResourceLimits`.

        Returns:
            "plugin": its summary, or None. "command": whether it is one. "callable": the functions
            that can be called, or None.
        """
        self._module = self._plugin = self._command = self._functions = self._debugger = None
        self._observer = Observer()
        self._memory = MemoryView()
        # An instance is a reference cycle of megabytes, and the browser's memory never shrinks.
        gc.collect()
        started = time.perf_counter()
        self._console.begin()
        answer: dict[str, Any] = {"size": len(data), "plugin": None, "module": None, "error": None}
        answer |= {"command": False, "wasi": False, "callable": None}
        self._text = text
        try:
            self._module = module = compile_plugin(data) if text is None else module_of(text)
            answer["size"] = len(module.data)
            answer["module"] = module_summary(module.valid.module)
            answer["wasi"] = imports_wasi(module.valid.module)
            self._load(module, engine, limits or {}, answer)
        except (PureWasmError, ValueError) as error:
            answer["error"] = describe.error(error, data)
        except MemoryError:
            answer["error"] = describe.out_of_memory()
        self._console.end()
        answer["ms"] = _since(started)
        answer["memory"] = self._memory.summary()
        return answer

    def _load(
        self,
        module: Module,
        engine: str | None,
        limits: Mapping[str, Any],
        answer: dict[str, Any],
    ) -> None:
        """Make what the page shows of a module, and put it into the answer."""
        match kind_of(module):
            case "command":
                chosen = ResourceLimits(**_MORE_FOR_COMMANDS, **limits)
                self._load_command(module, engine, chosen)
                answer["command"] = True
            case "functions":
                self._load_functions(module, engine, ResourceLimits(**limits))
                answer["callable"] = editing.exported_functions(module)
            case _:
                plugin = self._load_plugin(module, engine, ResourceLimits(**limits))
                answer["plugin"] = plugin_summary(plugin)

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

    def _load_functions(self, module: Module, engine: str | None, limits: ResourceLimits) -> None:
        def instance(engine: str | Engine | None = engine) -> Instance:
            return module.instantiate(engine=engine, limits=limits, wasi=self._granted())

        functions = Functions(instance)
        self._memory = MemoryView.of(functions.instance)
        self._functions = functions

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

    def call(self, function: str, arguments: list[str]) -> dict[str, Any]:
        """Call an exported function.

        Args:
            function: the name of the export.
            arguments: a text for each parameter, as `parse_value` takes them.

        Returns:
            The results as text with their types, or the error; the time and the fuel used.
        """
        if self._functions is None:
            raise PluginError("there is no function to call: load a module first")
        self._console.begin()
        started = time.perf_counter()
        answer: dict[str, Any] = {"output": None, "says": "", "error": None, "fuel": 0}
        try:
            answer |= self._functions.call(function, arguments)
        except PureWasmError as error:
            answer["error"] = describe.error(error)
        except MemoryError:
            answer["error"] = describe.out_of_memory()
        self._console.end()
        answer["ms"] = _since(started)
        answer["fuel"] = self._functions.fuel
        self._memory = MemoryView.of(self._functions.instance)
        answer["memory"] = self._memory.summary()
        return answer

    def text(self) -> dict[str, Any]:
        """Return the module as text: the one that it was assembled from, if any."""
        if self._text is not None:
            return {"text": self._text}
        if self._module is None:
            raise PluginError("there is no module to show as text: load one first")
        return editing.text_of(self._module.valid.module)

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
            do: "open", with the parameters of `run`, `start` or `call`; or a request of
                `Debugging.handle`.
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
        plugin, command, functions = self._plugin, self._command, self._functions
        if plugin is not None:
            tool = fields["tool"]
            debugging = Debugging.of_tool(plugin, tool, _input(plugin, **fields))
        elif command is not None:
            debugging = Debugging.of_command(lambda engine: command(engine=engine, **fields))
        elif functions is not None:
            name = fields["function"]
            values = functions.values(name, fields["arguments"])
            debugging = Debugging.of_function(functions.instantiate, name, values)
        else:
            raise PluginError("there is no plugin or command to debug: load one first")
        if self._text is not None:
            debugging.source = SourceText(self._text)
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
