"""A plugin: an instance that keeps the plugin ABI v1, and its tools.

Loading checks everything that the ABI asks, in the order that `ABI.md` gives, and builds the plugin
completely before it returns it. A call that is cut short, by a trap or by anything else, costs the
plugin its instance: its stack pointer and heap are in the middle of something. The next call gets a
fresh one.
"""

from __future__ import annotations

import gc
import os
import stat
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from threading import get_ident
from typing import Any, NoReturn

from purewasm_plugins.cache.protocol import CodeCache
from purewasm_plugins.engine import Engine, instantiate
from purewasm_plugins.engine.instantiate import engine_named
from purewasm_plugins.errors import (
    AbiVersionError,
    Cancelled,
    CompileError,
    DeadlineExceeded,
    DecodeError,
    InstantiateError,
    OutOfFuel,
    PluginError,
    PluginFileError,
    ResourceLimitError,
    StringError,
    ToolExecutionError,
    Trap,
    ValidationError,
    VersionMismatchError,
    WasmError,
    escape_controls,
)
from purewasm_plugins.plugin import abi
from purewasm_plugins.plugin.strings import (
    LEAST_RESERVE,
    OwnStrings,
    input_place,
    read_string,
)
from purewasm_plugins.runtime.imports import Imports
from purewasm_plugins.runtime.instance import Function, HostException, Instance
from purewasm_plugins.runtime.limits import Operation, ResourceLimits
from purewasm_plugins.runtime.memory import GrowRefusal, Memory, encode_string
from purewasm_plugins.support.records import Record
from purewasm_plugins.tools import Cancellation, ToolDefinition, ToolRegistry, ToolResult
from purewasm_plugins.wasm import ValidModule, decode, load
from purewasm_plugins.wasm.limits import MAX_MODULE_SIZE

#: The environment variable that names a cache directory.
CACHE_VARIABLE = "PUREWASM_CACHE"

#: Bytes of memory in instances thrown away after which they are collected. An instance and its
#: functions refer to each other, and Python, which counts objects, does not see how large they are.
_COLLECT_AFTER = 64 * 1024 * 1024

#: Seconds between two looks of a call that waits for another one: whether it was cancelled.
_PATIENCE = 0.05

NO_ROOM = "there is no room for what it needs on this machine"

#: JSON Schema of the arguments of a tool that gives none: its input, as it is.
DEFAULT_SCHEMA: Mapping[str, Any] = {
    "type": "object",
    "properties": {
        "input": {"type": "string", "description": "The tool's input, passed to it as it is."}
    },
    "required": ["input"],
    "additionalProperties": False,
}


class PluginTool(Record):
    """A tool of a plugin.

    Attributes:
        name, description: as the plugin gives them.
        index: its number in the plugin.
        schema: JSON Schema of its arguments, or None where the plugin gives none. The tool's input
            is then any text, and otherwise the arguments as JSON.
    """

    name: str
    description: str
    index: int
    schema: Mapping[str, Any] | None = None

    @property
    def parameters(self) -> Mapping[str, Any]:
        """The schema, or the one of a single string `input`."""
        return DEFAULT_SCHEMA if self.schema is None else self.schema


class WasmPlugin:
    """A loaded plugin; `load` and `load_from_bytes` make them.

    One call runs at a time: calls from several threads wait for each other.

    Attributes:
        name, version, description: as the plugin gives them.
        tools: its tools, by index.
        module: the module it was loaded from.

    In a process that was forked off, a plugin starts afresh: with a new instance, at its next call.
    """

    name: str
    version: str
    description: str
    tools: tuple[PluginTool, ...]

    def __init__(
        self,
        module: ValidModule,
        *,
        engine: str | Engine | None = None,
        limits: ResourceLimits | None = None,
        imports: Imports | None = None,
        cache: CodeCache | None = None,
    ) -> None:
        """Bring a valid module to life and read what it says of itself.

        All of that has to be done within `limits.timeout`.

        Args:
            module: what `compile_module` made of the plugin's bytes.
            engine, limits, imports: as for `load_from_bytes`.
            cache: where the default engine keeps the code that it makes.

        Raises:
            PluginError: as `load_from_bytes` does, `CompileError` aside.
        """
        self.module = module
        self._limits = limits or ResourceLimits()
        self._engine = engine
        self._cache = cache
        self._imports = imports
        self._forks = FORKS.count
        self._lock = threading.RLock()
        #: The thread whose call runs, by its `threading.get_ident`.
        self._caller: int | None = None
        #: What the next call runs in; None where that must be a fresh instance.
        self._session: _Session | None = None
        #: The instance that the running call is in.
        self._active: Instance | None = None
        self._reserve = LEAST_RESERVE
        operation = Operation(self._limits.timeout)
        try:
            session = self._open(operation)
            self.name = session.string("plugin_name")
            self.version = session.string("plugin_version")
            self.description = session.string("plugin_description")
            if not self.version:
                raise VersionMismatchError(self.version)
            self.tools = session.tools()
            self._by_name = _indices_by_name(self.tools)
            self._session = session
        except MemoryError:
            raise InstantiateError(NO_ROOM) from None
        finally:
            self._close(operation)

    @classmethod
    def load(
        cls,
        path: str | os.PathLike[str],
        *,
        engine: str | Engine | None = None,
        limits: ResourceLimits | None = None,
        imports: Imports | None = None,
        cache_dir: str | os.PathLike[str] | None = None,
    ) -> WasmPlugin:
        """Load a plugin from a `.wasm` file.

        Args:
            path: the file.
            engine, limits, imports, cache_dir: as for `load_from_bytes`.

        Raises:
            PluginError: the file cannot be read, or as `load_from_bytes` does.
        """
        data = read_module(path)
        return cls.load_from_bytes(
            data, engine=engine, limits=limits, imports=imports, cache_dir=cache_dir
        )

    @classmethod
    def load_from_bytes(
        cls,
        data: bytes,
        *,
        engine: str | Engine | None = None,
        limits: ResourceLimits | None = None,
        imports: Imports | None = None,
        cache_dir: str | os.PathLike[str] | None = None,
    ) -> WasmPlugin:
        """Load a plugin from the bytes of a `.wasm` file.

        Args:
            data: the bytes.
            engine: which engine runs it; None for the default.
            limits: what it may use; None for the defaults of `ResourceLimits`.
            imports: what the host gives it, `{module: {name: value}}`, as for `instantiate`.
            cache_dir: a directory that keeps what was validated and translated, for the next
                process; None for the one that the environment variable PUREWASM_CACHE names, or
                else for none. The code in it is run: nobody else may be able to write to it.

        Raises:
            PluginError: the cache directory cannot be used.
            CompileError: the bytes are no valid WebAssembly module.
            InstantiateError: an import is missing, a limit is exceeded, or starting it trapped.
            MissingExportError, WrongExportTypeError: the exports are not those of the ABI.
            VersionMismatchError: its version is empty, or it is of another version of the ABI.
            ToolExecutionError: one of the ABI's functions trapped or answered nonsense; `tool` is
                the name of the function.
        """
        cache = directory_cache(cache_dir)
        module = compile_module(data, cache)
        return cls(module, engine=engine, limits=limits, imports=imports, cache=cache)

    @property
    def limits(self) -> ResourceLimits:
        """What each call may use.

        They cannot be replaced: instances are made with them. `execute_tool` takes a shorter
        timeout for one call, and a plugin can be loaded a second time with other limits.

        Raises:
            PluginError: by assigning to it.
        """
        return self._limits

    @limits.setter
    def limits(self, limits: object) -> NoReturn:
        raise PluginError(
            "The limits of a plugin cannot be replaced: load it again with others, or give"
            " execute_tool a timeout"
        )

    @property
    def instance(self) -> Instance:
        """The instance that runs, for host functions and for `cancel` from another thread.

        Where none runs, it is the instance of the next call: a fresh one where the last call was
        cut short.
        """
        if self._forks != FORKS.count:
            self._start_afresh()
        while (active := self._active) is None:
            if self._lock.acquire(timeout=_PATIENCE):
                operation = Operation(self._limits.timeout)
                try:
                    return self._ready(operation).instance
                finally:
                    self._close(operation)
                    self._lock.release()
        return active

    def execute_tool(
        self,
        tool: int | str,
        input: str,
        *,
        timeout: float | None = None,
        cancellation: Cancellation | None = None,
    ) -> str:
        """Run a tool.

        Args:
            tool: its index or its name.
            input: any text without U+0000 and lone surrogates.
            timeout: seconds that the call may take, if that is less than `limits.timeout`. All
                that it needs counts: waiting for another thread's call of this plugin, making a
                fresh instance, the plugin's allocator, the tool, and freeing the input.
            cancellation: what another thread may end the call with.

        Returns:
            The tool's output.

        Raises:
            ToolExecutionError: there is no such tool; the input cannot be passed; the tool trapped
                or ran out of a limit, or was cancelled; a fresh instance could not be made; its
                output is no string that can be read. `__cause__` is the `Trap`, where there was
                one.
            ValueError, TypeError: the timeout is no number of seconds.
        """
        if isinstance(tool, str):
            label, index = tool, self._index(tool)
        else:
            label, index = self._label(tool), tool
        operation = Operation(self._limits.timeout if timeout is None else self._shortened(timeout))
        if cancellation is not None:
            cancellation.on_request(operation.cancel)
        if self._forks != FORKS.count:
            self._start_afresh()
        if self._caller == get_ident():
            raise ToolExecutionError(
                label, "the plugin is running: one of its host functions called it again"
            )
        try:
            data = encode_string(input)
            if not self._lock.acquire(blocking=False):
                self._wait(label, operation, cancellation is not None)
            self._caller = get_ident()
            return self._execute(label, index, data, operation)
        except StringError as error:
            raise ToolExecutionError(label, str(error)) from error.__cause__
        except MemoryError:
            raise ToolExecutionError(label, NO_ROOM) from None
        except InstantiateError as error:
            details = f"a fresh instance could not be made: {error.details}"
            raise ToolExecutionError(label, details) from error.__cause__
        except HostException as carrier:
            raise carrier.exception from None
        finally:
            if self._caller == get_ident():
                self._close(operation)
                self._caller = None
            self._release()

    def register_into_registry(self, registry: ToolRegistry, *, prefix: str | None = None) -> None:
        """Register every tool of the plugin, or none where one cannot be registered.

        Args:
            registry: where.
            prefix: put before each tool's name as it is; None for nothing.

        Raises:
            DuplicateToolError: a name is registered already, or the plugin has two of it.
            InvalidArgumentsError: a tool's schema is no JSON Schema.
        """
        registry.register_all(self.registrable_tools(prefix=prefix))

    def registrable_tools(self, *, prefix: str | None = None) -> list[RegisteredTool]:
        """Return the tools as a registry takes them."""
        return [RegisteredTool(self, tool, (prefix or "") + tool.name) for tool in self.tools]

    def __repr__(self) -> str:
        # A failure to load can be shown with what its frames hold.
        if not hasattr(self, "tools"):
            return "<WasmPlugin, not loaded>"
        name = escape_controls(f"{self.name} {self.version}")
        return f"<WasmPlugin {name}: {len(self.tools)} tools>"

    def _wait(self, label: str, operation: Operation, cancellable: bool) -> None:
        """Wait until the other calls of the plugin are over."""
        try:
            while True:
                seconds = _PATIENCE if cancellable else threading.TIMEOUT_MAX
                if operation.deadline is not None:
                    seconds = max(0.0, min(seconds, operation.deadline - time.monotonic()))
                if self._lock.acquire(timeout=seconds):
                    return
                operation.check()
        except (DeadlineExceeded, Cancelled) as error:
            details = f"{error.reason} while another call of the plugin ran"
            raise ToolExecutionError(label, details) from error

    def _release(self) -> None:
        """Give the lock up, if this thread has it.

        The lock itself tells: an interrupt may have come between getting it and a note of that.
        """
        try:
            self._lock.release()
        except RuntimeError:
            return

    def _execute(self, label: str, index: int, data: bytes, operation: Operation) -> str:
        """Run a tool on the bytes of its input, with the lock held."""
        while True:
            session = self._ready(operation)
            # Gone until the call has ended as a call should.
            self._session = None
            try:
                output = session.execute(index, data)
            except StringError:
                self._session = session
                raise
            except WasmError as error:
                ended = isinstance(error, (OutOfFuel, DeadlineExceeded, Cancelled))
                if ended or not self._widened_reserve(session):
                    raise ToolExecutionError(label, _worded(error, session.memory)) from error
            else:
                if session.memory.grow_refusal is None or not self._widened_reserve(session):
                    self._session = session
                    return output

    def _open(self, operation: Operation) -> _Session:
        """Make a fresh instance, all of whose calls are parts of the operation until `_close`."""
        DISCARDED.collect()
        try:
            engine = _Announcing(
                engine_named(self._engine, self._cache),
                lambda instance: self._enter(instance, operation),
            )
            instance = instantiate(self.module, self._imports, engine=engine, limits=self._limits)
        except WasmError as error:
            raise InstantiateError(summary(error)) from error
        return _Session(instance, self._reserve)

    def _ready(self, operation: Operation) -> _Session:
        if self._session is None:
            self._session = self._open(operation)
        else:
            self._enter(self._session.instance, operation)
        return self._session

    def _enter(self, instance: Instance, operation: Operation) -> None:
        self._active = instance
        operation.include(instance.budget)

    def _close(self, operation: Operation) -> None:
        """End the operation."""
        operation.end()
        active, self._active = self._active, None
        if active is not None:
            session = self._session
            if session is None or session.instance is not active:
                DISCARDED.add(active)

    def _start_afresh(self) -> None:
        """Give up the lock and the instance of the process that this one was forked off.

        They may be in use by a thread that is not here. The thread that forked may be in a call
        itself.
        """
        if self._caller != get_ident():
            self._lock = threading.RLock()
            self._caller = self._active = self._session = None
            self._forks = FORKS.count

    def _shortened(self, timeout: float) -> float:
        # It refuses what is no number of seconds.
        ResourceLimits(timeout=timeout)
        longest = self._limits.timeout
        return timeout if longest is None else min(timeout, longest)

    def _index(self, name: str) -> int:
        index = self._by_name.get(name)
        if index is None:
            known = ", ".join(tool.name for tool in self.tools)
            raise ToolExecutionError(name, f"the plugin has no such tool; it has: {known}")
        if index == _AMBIGUOUS:
            raise ToolExecutionError(name, "the plugin has two tools of that name; use an index")
        return index

    def _label(self, index: int) -> str:
        if not 0 <= index < len(self.tools):
            raise ToolExecutionError(
                str(index), f"there is no tool {index}; the plugin has {len(self.tools)}"
            )
        return self.tools[index].name

    def _widened_reserve(self, session: _Session) -> bool:
        """Leave more room for the plugin to grow, if its input was in the way of that.

        Returns:
            Whether the call can be made again in a fresh instance as if it had not been made: it
            was the first in its instance, and no import can have carried anything outside.
        """
        if session.memory.grow_refusal is not GrowRefusal.HOST_REGION:
            return False
        self._reserve *= 8
        return session.calls == 1 and not self.module.module.imports


class RegisteredTool:
    """A plugin's tool as a registry holds it."""

    def __init__(self, plugin: WasmPlugin, tool: PluginTool, name: str) -> None:
        self.plugin = plugin
        self.tool = tool
        self.definition = ToolDefinition(name, tool.description, tool.parameters)

    def execute(self, arguments: Mapping[str, Any]) -> ToolResult:
        """Run the tool: on the string `input` where it has no schema, on JSON where it has one."""
        return self.execute_cancellable(arguments, None)

    def execute_cancellable(
        self, arguments: Mapping[str, Any], cancellation: Cancellation | None
    ) -> ToolResult:
        """Run the tool as `execute` does; another thread may end it with the cancellation."""
        from purewasm_plugins.support.json_text import write_json

        name = self.definition.name
        try:
            text = arguments["input"] if self.tool.schema is None else write_json(dict(arguments))
            output = self.plugin.execute_tool(self.tool.index, text, cancellation=cancellation)
        except (PluginError, ValueError) as error:
            return ToolResult(name, success=False, output="", error=str(error))
        return ToolResult(name, success=True, output=output)


class _Session:
    """One instance of a plugin, and the exports of the ABI in it."""

    def __init__(self, instance: Instance, reserve: int) -> None:
        self.instance = instance
        self.calls = 0
        self._reserve = reserve
        self._memory: Memory | None = None
        self._execute: Callable[[int, int], int] | None = None
        self._strings = OwnStrings(instance.limits.output_bytes)
        initialize = abi.optional_function(instance, "_initialize")
        if initialize is not None:
            try:
                initialize()
            except WasmError as error:
                raise InstantiateError(f"_initialize: {summary(error)}") from error
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
        """Every tool, as the plugin describes it."""
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
        return tuple(
            PluginTool(
                self._read(name, "plugin_tool_name", index),
                self._read(description, "plugin_tool_description", index),
                index,
                None if schema is None else self._schema(schema, index),
            )
            for index in range(count)
        )

    def execute(self, index: int, data: bytes) -> str:
        """Run a tool on the bytes of its input."""
        if self._execute is None:
            self._execute = abi.required_function(self.instance, "plugin_tool_execute").entry
            self._inputs = input_place(self.instance, self.memory, self._reserve)
        memory = self.memory
        memory.grow_refusal = None
        self.calls += 1
        try:
            pointer = self._execute(index, self._inputs.put(data))
        except BaseException as error:
            self._inputs.abandon()
            if isinstance(error, ResourceLimitError) and error.limit == "memory_pages":
                raise StringError(
                    "there is no room for the input: memory would have"
                    f" {error.requested} pages with it, and {error.refusal}"
                ) from error
            raise
        try:
            return read_string(memory, pointer, self.instance.limits.output_bytes)
        finally:
            self._inputs.release()

    def _schema(self, export: Function, index: int) -> Mapping[str, Any]:
        # Imported here: a plugin without schemas needs no JSON.
        from purewasm_plugins.support.json_text import read_json

        text = self._read(export, "plugin_tool_schema", index)
        try:
            schema = read_json(text)
        except ValueError as error:
            raise ToolExecutionError(
                "plugin_tool_schema", f"the schema of tool {index} is not JSON: {error}"
            ) from None
        if not isinstance(schema, dict):
            raise ToolExecutionError(
                "plugin_tool_schema", f"the schema of tool {index} is no JSON object"
            )
        return schema

    def _call(self, function: Function, export: str, *arguments: int) -> Any:
        operation = self.instance.budget.operation
        try:
            if operation is not None:
                operation.check()
            return function(*arguments)
        except WasmError as error:
            raise ToolExecutionError(export, summary(error)) from error

    def _read(self, function: Function, export: str, *arguments: int) -> str:
        pointer = self._call(function, export, *arguments) & 0xFFFFFFFF
        try:
            data = self._strings.read(self.memory, pointer, export)
        except StringError as error:
            raise ToolExecutionError(export, str(error)) from None
        return data.decode("utf-8", "replace")


class _Announcing:
    """An engine that tells of an instance before any of its code runs."""

    def __init__(self, engine: Engine, linked: Callable[[Instance], None]) -> None:
        self.name = engine.name
        self._engine = engine
        self._linked = linked

    def link(self, instance: Instance) -> Sequence[Callable[..., Any]]:
        """See `Engine.link`."""
        entries = self._engine.link(instance)
        self._linked(instance)
        return entries


class _Discarded:
    """Instances thrown away that Python may not have collected yet."""

    def __init__(self) -> None:
        #: Bytes of their memories.
        self._bytes = 0

    def add(self, instance: Instance) -> None:
        """Count an instance that is not to be used again."""
        self._bytes += sum(len(memory.raw) for memory in instance.memories)

    def collect(self) -> None:
        """Have Python collect them, where they are large."""
        if self._bytes >= _COLLECT_AFTER:
            gc.collect()
            self._bytes = 0


DISCARDED = _Discarded()


class _Forks:
    """How often this process and those that it comes from were forked off their parents."""

    def __init__(self) -> None:
        self.count = 0

    def add(self) -> None:
        """Count one, in the child."""
        self.count += 1


FORKS = _Forks()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=FORKS.add)


#: In place of an index, where two tools share a name.
_AMBIGUOUS = -1


def _indices_by_name(tools: tuple[PluginTool, ...]) -> dict[str, int]:
    indices: dict[str, int] = {}
    for tool in tools:
        indices[tool.name] = _AMBIGUOUS if tool.name in indices else tool.index
    return indices


#: Bytes that `read_module` reads at a time.
_CHUNK = 1 << 20


def read_module(path: str | os.PathLike[str]) -> bytes:
    """Read the bytes of a file, as many as a module may have.

    Raises:
        PluginFileError: the file cannot be read.
    """
    try:
        _check_regular(os.stat(path))
        with open(path, "rb", opener=_open_without_waiting) as file:
            # It may be another one by now.
            _check_regular(os.fstat(file.fileno()))
            chunks = []
            size = 0
            # In pieces: a read of so many bytes would take the memory for them at once. And one
            # piece more than is allowed: the decoder then says what is wrong.
            while size <= MAX_MODULE_SIZE and (chunk := file.read(_CHUNK)):
                chunks.append(chunk)
                size += len(chunk)
            return b"".join(chunks)
    except OSError as error:
        raise PluginFileError(str(path), error.strerror or str(error)) from error
    except ValueError as error:
        raise PluginFileError(str(path), str(error)) from error
    except MemoryError:
        raise PluginFileError(str(path), NO_ROOM) from None


def _check_regular(status: os.stat_result) -> None:
    """Refuse what cannot be read to its end, and may act when it is opened: devices and pipes."""
    if not stat.S_ISREG(status.st_mode):
        raise ValueError("it is no regular file")


def _open_without_waiting(path: str, flags: int) -> int:
    # A pipe that takes the file's place would wait for a writer.
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


def directory_cache(directory: str | os.PathLike[str] | None) -> CodeCache | None:
    """Return the cache in a directory; for None in the one that PUREWASM_CACHE names, if any.

    Raises:
        PluginError: the directory cannot be used.
    """
    chosen = directory if directory is not None else os.environ.get(CACHE_VARIABLE)
    if not chosen:
        return None
    # Imported here: what makes files is a twentieth of the time to a plugin's first answer.
    from purewasm_plugins.cache.directory import DirectoryCache

    return DirectoryCache(chosen)


def compile_module(data: bytes, cache: CodeCache | None = None) -> ValidModule:
    """Decode and validate a plugin's bytes.

    Args:
        data: the bytes.
        cache: what remembers the modules that were valid; those are only decoded.

    Raises:
        CompileError: they are no valid WebAssembly module.
    """
    try:
        if cache is None:
            return load(data)
        # Imported here: it takes milliseconds, and most programs use no cache.
        from purewasm_plugins.cache.keys import validity_key

        key = validity_key(data)
        if cache.get(key) is not None:
            return ValidModule(decode(data))
        module = load(data)
        cache.put(key, b"")
        return module
    except (DecodeError, ValidationError) as error:
        raise CompileError(str(error)) from error
    except MemoryError:
        raise CompileError(NO_ROOM) from None


def _worded(error: WasmError, memory: Memory) -> str:
    text = summary(error)
    if memory.grow_refusal is not None:
        text += f"; memory.grow had been refused at {memory.pages} pages"
        if memory.grow_refusal is GrowRefusal.LIMIT:
            text += " (the limit memory_pages can be raised)"
        else:
            text += " (the next call may grow further; plugin_alloc would avoid this)"
    return text


def summary(error: WasmError) -> str:
    """Word an error in one line: of a trap's backtrace, the innermost frame."""
    return error.summary if isinstance(error, Trap) else str(error)
