"""One instance of a plugin: what its exports say of it, and calls of its tools."""

from __future__ import annotations

import gc

# `weakref` takes a millisecond, and this is what it hands out.
from _weakref import ref

from purewasm_plugins.engine import Engine
from purewasm_plugins.engine.instantiate import engine_named
from purewasm_plugins.errors import (
    AbiVersionError,
    Cancelled,
    DeadlineExceeded,
    InstantiateError,
    OutOfFuel,
    ResourceLimitError,
    StringError,
    ToolExecutionError,
    WasmError,
)
from purewasm_plugins.module import Module, instantiate
from purewasm_plugins.plugin import abi
from purewasm_plugins.plugin.granted import granted_imports, granted_wasi
from purewasm_plugins.plugin.options import PluginOptions
from purewasm_plugins.plugin.strings import OwnStrings, input_place, read_string
from purewasm_plugins.plugin.tools import PluginTool
from purewasm_plugins.runtime.instance import Function, Instance
from purewasm_plugins.runtime.memory import GrowRefusal, Memory
from purewasm_plugins.support.typed import Any, Callable, Mapping, Sequence

__all__ = ["DISCARDED", "CallAborted", "Session", "open_session"]

#: Bytes of memory in discarded instances after which they are collected. An instance and its
#: functions refer to each other, and Python, which counts objects, does not see how large they are.
_COLLECT_AFTER = 64 * 1024 * 1024


def open_session(
    module: Module,
    options: PluginOptions,
    reserve: int,
    entered: Callable[[Instance], None],
) -> Session:
    """Make an instance of a plugin and initialise it.

    Args:
        module: the plugin.
        options: how it is run.
        reserve: pages that are left for it to grow into, if inputs lie behind its own pages.
        entered: called with the instance before any of its code runs.

    Raises:
        InstantiateError: an import is missing, a limit is exceeded, or starting it trapped.
        WrongExportTypeError, AbiVersionError: it does not keep the ABI.
        ToolExecutionError: `plugin_abi_version` trapped.
    """
    DISCARDED.collect(_COLLECT_AFTER)
    try:
        engine = _Announcing(engine_named(options.engine, module.cache), entered)
        instance = instantiate(
            module.valid,
            granted_imports(module, options),
            engine=engine,
            limits=options.limits,
            wasi=granted_wasi(options),
        )
    except WasmError as error:
        raise InstantiateError(error.summary) from error
    return Session(instance, reserve)


class CallAborted(Exception):
    """A call of a tool ended early: its instance is not to be used again.

    The text says why, `__cause__` is the `WasmError`.

    Attributes:
        ended: whether a limit of time or fuel, or a cancellation, ended it.
    """

    def __init__(self, details: str, ended: bool) -> None:
        super().__init__(details)
        self.ended = ended


class Session:
    """An instance of a plugin, and the exports of the ABI in it.

    Attributes:
        instance: the instance.
        calls: how many tools were executed in it.
    """

    def __init__(self, instance: Instance, reserve: int) -> None:
        self.instance = instance
        self.calls = 0
        self._reserve = reserve
        self._memory: Memory | None = None
        self._execute: Callable[[int, int], int] | None = None
        self._error: Callable[[], int] | None = None
        self._output_bytes = instance.limits.output_bytes
        self._strings = OwnStrings(self._output_bytes)
        initialize = abi.optional_function(instance, "_initialize")
        if initialize is not None:
            try:
                initialize()
            except WasmError as error:
                raise InstantiateError(f"_initialize: {error.summary}") from error
        version = abi.optional_function(instance, "plugin_abi_version")
        if version is not None:
            found = self._call(version, "plugin_abi_version")
            if found != abi.ABI_VERSION:
                raise AbiVersionError(str(found), abi.ABI_VERSION)

    @property
    def memory(self) -> Memory:
        """The exported memory, looked up when a string is first read."""
        if self._memory is None:
            self._memory = abi.exported_memory(self.instance)
        return self._memory

    def string(self, export: str) -> str:
        """Return the string that a function without parameters points to."""
        return self._read(abi.required_function(self.instance, export), export)

    def tools(self) -> tuple[PluginTool, ...]:
        """Return every tool, as the plugin describes it."""
        count_export = abi.required_function(self.instance, "plugin_tools_count")
        count = self._call(count_export, "plugin_tools_count")
        if not 0 <= count <= abi.MAX_TOOLS:
            raise ToolExecutionError(
                "plugin_tools_count",
                f"the plugin says it has {count} tools, and 0 to {abi.MAX_TOOLS} are possible",
            )
        name = abi.required_function(self.instance, "plugin_tool_name")
        description = abi.required_function(self.instance, "plugin_tool_description")
        abi.required_function(self.instance, "plugin_tool_execute")
        schema = abi.optional_function(self.instance, "plugin_tool_schema")
        output_schema = abi.optional_function(self.instance, "plugin_tool_output_schema")
        abi.optional_function(self.instance, "plugin_tool_error")
        return tuple(
            PluginTool(
                self._read(name, "plugin_tool_name", index),
                self._read(description, "plugin_tool_description", index),
                index,
                None if schema is None else self._schema(schema, index),
                None if output_schema is None else self._output_schema(output_schema, index),
            )
            for index in range(count)
        )

    def execute(self, index: int, data: bytes) -> tuple[str, bool]:
        """Execute a tool on the bytes of its input.

        Returns:
            The tool's output, and False; or the reason that it reported for its failure, and True.

        Raises:
            StringError: the input cannot be passed, or the output cannot be read. The instance can
                be used again.
            CallAborted: the call ended early. The instance must not be used again.
        """
        memory = self.memory
        if self._execute is None:
            self._find_exports(memory)
        memory.grow_refusal = None
        self.calls += 1
        inputs, wasi = self._inputs, self.instance.wasi
        wasi.begin_call()
        try:
            try:
                operation = self.instance.budget.operation
                try:
                    pointer = self._execute(index, inputs.put(data))  # type: ignore[misc]
                finally:
                    if operation is not None:
                        operation.keep_fuel()
                failure = 0 if self._error is None else self._error()
            except BaseException as error:
                inputs.abandon()
                if isinstance(error, ResourceLimitError) and error.limit == "memory_pages":
                    raise StringError(
                        "there is no room for the input: memory would have"
                        f" {error.requested} pages with it, and {error.refusal}"
                    ) from error
                raise
            finally:
                wasi.finish_call()
            try:
                text = read_string(memory, failure or pointer, self._output_bytes)
            finally:
                inputs.release()
        except StringError:
            raise
        except WasmError as error:
            ended = isinstance(error, (OutOfFuel, DeadlineExceeded, Cancelled))
            raise CallAborted(error.summary + _refused_growth(memory), ended) from error
        return text, failure != 0

    def _find_exports(self, memory: Memory) -> None:
        """Look up what `execute` calls."""
        error = abi.optional_function(self.instance, "plugin_tool_error")
        self._error = None if error is None else error.entry
        self._inputs = input_place(self.instance, memory, self._reserve)
        self._execute = abi.required_function(self.instance, "plugin_tool_execute").entry

    def _output_schema(self, export: Function, index: int) -> Mapping[str, Any] | None:
        """Return the schema of a tool's output; None where it is empty, for any text."""
        name = "plugin_tool_output_schema"
        text = self._read(export, name, index)
        return None if not text else self._parsed(text, name, index)

    def _schema(self, export: Function, index: int) -> Mapping[str, Any]:
        name = "plugin_tool_schema"
        return self._parsed(self._read(export, name, index), name, index)

    def _parsed(self, text: str, name: str, index: int) -> Mapping[str, Any]:
        # Imported here: a plugin without schemas needs no JSON.
        from purewasm_plugins.support.json_text import read_json

        try:
            schema = read_json(text)
        except ValueError as error:
            details = f"the schema of tool {index} is not JSON: {error}"
            raise ToolExecutionError(name, details) from None
        if not isinstance(schema, dict):
            raise ToolExecutionError(name, f"the schema of tool {index} is no JSON object")
        return schema

    def _call(self, function: Function, export: str, *arguments: int) -> Any:
        operation = self.instance.budget.operation
        try:
            if operation is not None:
                operation.check()
            return function(*arguments)
        except WasmError as error:
            raise ToolExecutionError(export, error.summary) from error

    def _read(self, function: Function, export: str, *arguments: int) -> str:
        pointer = self._call(function, export, *arguments) & 0xFFFFFFFF
        try:
            data = self._strings.read(self.memory, pointer, export)
        except StringError as error:
            raise ToolExecutionError(export, str(error)) from None
        return data.decode("utf-8", "replace")


def _refused_growth(memory: Memory) -> str:
    """Return the words about a refused `memory.grow`, which a plugin may have trapped after."""
    if memory.grow_refusal is None:
        return ""
    if memory.grow_refusal is GrowRefusal.LIMIT:
        advice = "the limit memory_pages can be raised"
    else:
        advice = "the next call may grow further; plugin_alloc would avoid this"
    return f"; memory.grow had been refused at {memory.pages} pages ({advice})"


class _Announcing:
    """An engine that reports an instance before any of its code runs."""

    def __init__(self, engine: Engine, linked: Callable[[Instance], None]) -> None:
        self.name = engine.name
        self._engine = engine
        self._linked = linked

    def link(self, instance: Instance) -> Sequence[Callable[..., Any]]:
        """Make the functions callable, as `Engine.link` does."""
        entries = self._engine.link(instance)
        self._linked(instance)
        return entries


class _Discarded:
    """The discarded instances that have not been freed yet."""

    def __init__(self) -> None:
        self._instances: list[ref[Instance]] = []

    def add(self, instance: Instance) -> None:
        """Discard an instance: it must not be used again."""
        instance.discard()
        self._instances.append(ref(instance))

    def collect(self, after: int) -> None:
        """Have Python collect them if their memories have at least `after` bytes.

        An instance of the translator is freed without that, once no exception has its frames.
        """
        alive = [found for found in self._instances if found() is not None]
        self._instances = alive
        instances = [instance for found in alive if (instance := found()) is not None]
        if sum(len(memory.raw) for one in instances for memory in one.memories) >= after:
            del instances
            gc.collect()
            self._instances = []


DISCARDED = _Discarded()
