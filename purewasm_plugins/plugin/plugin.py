"""A plugin: an instance that keeps the plugin ABI v1, and its tools.

Loading checks everything that the ABI asks, in the order that `ABI.md` gives, and builds the plugin
completely before it returns it. After a call that ended early, by a trap or otherwise, the plugin's
stack pointer and heap are in an undefined state: its instance is discarded, and the next call gets
a fresh one.
"""

from __future__ import annotations

import os
import time

# `threading` takes a fortieth of the time to a first answer, and this is what it hands out.
from _thread import RLock, get_ident

from purewasm_plugins.engine import Engine
from purewasm_plugins.errors import (
    Cancelled,
    DeadlineExceeded,
    InstantiateError,
    PluginClosedError,
    PluginError,
    StringError,
    ToolExecutionError,
    ToolFailedError,
    VersionMismatchError,
    escape_controls,
)
from purewasm_plugins.module import NO_ROOM, Module
from purewasm_plugins.plugin.loading import compile_plugin, read_plugin
from purewasm_plugins.plugin.options import PluginOptions
from purewasm_plugins.plugin.output import log_output
from purewasm_plugins.plugin.session import DISCARDED, CallAborted, Session, open_session
from purewasm_plugins.plugin.strings import LEAST_RESERVE
from purewasm_plugins.plugin.tools import (
    PluginTool,
    RegisteredTool,
    find_tool,
    registered_tools,
    tool_input,
)
from purewasm_plugins.runtime.glue import HostException
from purewasm_plugins.runtime.imports import Imports
from purewasm_plugins.runtime.instance import Instance
from purewasm_plugins.runtime.limits import Operation, ResourceLimits
from purewasm_plugins.runtime.memory import GrowRefusal, encode_string
from purewasm_plugins.support.typed import TYPE_CHECKING, Any, Callable, Mapping, NoReturn
from purewasm_plugins.tools import Cancellation, ToolRegistry
from purewasm_plugins.tools.registry import schema_validator

if TYPE_CHECKING:
    from purewasm_plugins.capabilities.http import Http
    from purewasm_plugins.capabilities.key_value import KeyValueStore
    from purewasm_plugins.wasi.grants import Wasi
else:
    # Most programs use none of them: they are imported where they are granted.
    Wasi = Http = KeyValueStore = Any

__all__ = ["WasmPlugin"]

#: Seconds between two checks whether a waiting call was cancelled, or its plugin closed.
_PATIENCE = 0.05

#: Bytes of memory that `close` has collected before it returns. Less than this waits for Python's
#: own collection, which costs a program nothing extra.
_COLLECT_CLOSED = 1024 * 1024

#: What a call in a session may end with; `_worded_failure` makes each an error of the caller's.
_FAILURES = (
    StringError,
    CallAborted,
    InstantiateError,
    DeadlineExceeded,
    Cancelled,
    HostException,
    MemoryError,
)


class WasmPlugin:
    """A loaded plugin; `load` and `load_from_bytes` make one.

        with WasmPlugin.load("json.wasm") as plugin:
            print(plugin.execute_tool("json_pretty", '{"a": 1}'))

    One call runs at a time: calls from several threads wait for each other. A plugin can be
    pickled, as its bytes and its options, and is loaded anew there: functions among its imports
    must be picklable, and state in its memory is not kept. In a process that was forked off, a
    plugin gets a fresh instance at its next call.

    Attributes:
        name, version, description: as the plugin gives them.
        tools: its tools, by index.
        module: the module that it was loaded from.
        options: how it is run.
    """

    name: str
    version: str
    description: str
    tools: tuple[PluginTool, ...]

    def __init__(
        self,
        module: Module,
        options: PluginOptions | None = None,
        *,
        engine: str | Engine | None = None,
        limits: ResourceLimits | None = None,
        imports: Imports | None = None,
        wasi: Wasi | bool | None = None,
        config: Mapping[str, str] | None = None,
        http: Http | None = None,
        kv: KeyValueStore | None = None,
    ) -> None:
        """Instantiate a compiled plugin and read its name, version, description and tools.

        All of that has to be done within `limits.timeout`.

        Args:
            module: the plugin, compiled. Its own cache is used, and `options.cache_dir` is not.
            options, engine, limits, imports, wasi, config, http, kv: as for `load_from_bytes`.

        Raises:
            PluginError: as `load_from_bytes` does, `CompileError` aside.
        """
        self.module = module
        self.options = PluginOptions.merged(
            options, engine, limits, imports, wasi=wasi, config=config, http=http, kv=kv
        )
        self._limits = self.options.limits or ResourceLimits()
        self._forks = FORKS.count
        self._lock = RLock()
        self._closed = False
        #: The thread whose call runs, by its `threading.get_ident`.
        self._caller: int | None = None
        #: The operation of the running call.
        self._operation: Operation | None = None
        #: What the next call runs in; None where that must be a fresh instance.
        self._session: Session | None = None
        #: The instance that the running call is in.
        self._active: Instance | None = None
        self._reserve = LEAST_RESERVE
        self._validators: dict[int, Callable[[Any], None]] = {}
        operation = Operation(self._limits.timeout)
        try:
            session = self._open(operation)
            self.name = session.string("plugin_name")
            self.version = session.string("plugin_version")
            self.description = session.string("plugin_description")
            if not self.version:
                raise VersionMismatchError(self.version)
            self.tools = session.tools()
            self._session = session
        except MemoryError:
            raise InstantiateError(NO_ROOM) from None
        finally:
            # What a plugin that cannot be loaded wrote may tell why.
            if self._active is not None:
                log_output(self._active, getattr(self, "name", "a plugin without a name"))
            self._leave(operation)
        #: The tools by name; None where two share it.
        self._by_name: dict[str, PluginTool | None] = {}
        for tool in self.tools:
            self._by_name[tool.name] = None if tool.name in self._by_name else tool

    @classmethod
    def load(
        cls,
        path: str | os.PathLike[str],
        options: PluginOptions | None = None,
        *,
        engine: str | Engine | None = None,
        limits: ResourceLimits | None = None,
        imports: Imports | None = None,
        cache_dir: str | os.PathLike[str] | None = None,
        wasi: Wasi | bool | None = None,
        config: Mapping[str, str] | None = None,
        http: Http | None = None,
        kv: KeyValueStore | None = None,
    ) -> WasmPlugin:
        """Load a plugin from a `.wasm` file, or from text in a `.wat` file.

        Args:
            path: the file.
            options, engine, limits, imports, cache_dir, wasi, config, http, kv: as for
                `load_from_bytes`.

        Raises:
            PluginFileError: the file cannot be read.
            PluginError: as `load_from_bytes` does.
        """
        options = PluginOptions.merged(
            options, engine, limits, imports, cache_dir, wasi, config, http, kv
        )
        return cls.load_from_bytes(read_plugin(path), options)

    @classmethod
    def load_from_bytes(
        cls,
        data: bytes,
        options: PluginOptions | None = None,
        *,
        engine: str | Engine | None = None,
        limits: ResourceLimits | None = None,
        imports: Imports | None = None,
        cache_dir: str | os.PathLike[str] | None = None,
        wasi: Wasi | bool | None = None,
        config: Mapping[str, str] | None = None,
        http: Http | None = None,
        kv: KeyValueStore | None = None,
    ) -> WasmPlugin:
        """Load a plugin from the bytes of a `.wasm` file.

        Args:
            data: the bytes.
            options: how the plugin is run; None for the defaults of `PluginOptions`.
            engine, limits, imports, cache_dir, wasi, config, http, kv: in place of the fields of
                `options`; None for what `options` says.

        Raises:
            InvalidOptionError: an option has a wrong type or value.
            PluginError: the cache directory cannot be used.
            CompileError: the bytes are no valid WebAssembly module.
            InstantiateError: an import is missing, a limit is exceeded, or starting it trapped.
            MissingExportError, WrongExportTypeError: the exports are not those of the ABI.
            VersionMismatchError: the plugin's version is empty.
            AbiVersionError: it is for another version of the ABI.
            ToolExecutionError: one of the ABI's functions trapped or returned a wrong value; `tool`
                is the name of the function.
        """
        options = PluginOptions.merged(
            options, engine, limits, imports, cache_dir, wasi, config, http, kv
        )
        return cls(compile_plugin(data, options.cache_dir), options)

    @property
    def limits(self) -> ResourceLimits:
        """The limits of each call.

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
        """The instance of the running call, for host functions and for `cancel` in another thread.

        While none runs, it is the instance of the next call, fresh where the last ended early.

        Raises:
            PluginClosedError: the plugin is closed.
        """
        if self._forks != FORKS.count:
            self._start_afresh()
        while (active := self._active) is None:
            if self._lock.acquire(timeout=_PATIENCE):
                operation = Operation(self._limits.timeout)
                try:
                    self._check_open()
                    return self._ready(operation).instance
                finally:
                    self._leave(operation)
                    self._lock.release()
        return active

    @property
    def ready(self) -> bool:
        """Whether there is an instance for the next call, which else makes one first."""
        return self._session is not None and self._forks == FORKS.count

    def prepare(self) -> None:
        """Make the instance of the next call, if there is none and no call runs.

        Raises:
            PluginError: it cannot be made.
        """
        _ = self.instance

    def find_tool(self, tool: int | str) -> PluginTool:
        """Return the tool with an index or a name.

        Raises:
            ToolExecutionError: there is no such tool, or two tools have the name.
        """
        found = self._by_name.get(tool) if isinstance(tool, str) else None
        return find_tool(self.tools, tool) if found is None else found

    def execute_tool(
        self,
        tool: int | str,
        input: str | Mapping[str, Any],
        *,
        timeout: float | None = None,
        cancellation: Cancellation | None = None,
    ) -> str:
        """Run a tool.

        Args:
            tool: its index or its name.
            input: any text without U+0000 and lone surrogates; or arguments, which are checked
                against the tool's schema and passed as JSON. A tool without a schema takes the
                arguments `{"input": text}`.
            timeout: seconds that the call may take, if that is less than `limits.timeout`. All of
                the call counts: waiting for another thread's call of this plugin, making a fresh
                instance, the plugin's allocator, the tool, and freeing the input.
            cancellation: what another thread may end the call with.

        Returns:
            The tool's output.

        Raises:
            ToolFailedError: the tool reported that it failed (`plugin_tool_error`).
            ToolExecutionError: there is no such tool; the input cannot be passed; the tool trapped
                or ran out of a limit, or was cancelled; a fresh instance could not be made; its
                output is no string that can be read. `__cause__` is the `Trap`, where there was
                one.
            InvalidArgumentsError: the arguments do not fit the schema; the tool did not run.
            PluginClosedError: the plugin is closed, or was closed while the call ran or waited.
            ValueError, TypeError: the timeout is no number of seconds.
        """
        found = self.find_tool(tool)
        operation = Operation(self._limits.timeout if timeout is None else self._shortened(timeout))
        text = input if isinstance(input, str) else self._checked_input(found, input)
        if cancellation is not None:
            cancellation.on_request(operation.cancel)
            cancellation.on_measure(operation.fuel_used)
        if self._forks != FORKS.count:
            self._start_afresh()
        if self._caller == get_ident():
            raise ToolExecutionError(
                found.name, "the plugin is running: one of its host functions called it again"
            )
        try:
            data = encode_string(text)
            if not self._lock.acquire(blocking=False):
                self._wait(operation)
            self._caller = get_ident()
            self._operation = operation
            if self._closed:
                raise PluginClosedError(self.name)
            return self._attempt(found, data, operation)
        except _FAILURES as error:
            failure = self._worded_failure(found.name, error, operation)
        finally:
            if self._caller == get_ident():
                self._leave(operation)
                self._caller = self._operation = None
            self._release()
        # Here, and not kept in this frame: a cycle of exceptions and frames would be freed, with
        # the discarded instance, only by Python's next garbage collection.
        try:
            raise failure from failure.__cause__
        finally:
            del failure

    def close(self) -> None:
        """Give up the plugin's instance and its memory. Any thread may call it, and more than once.

        A call that runs in another thread ends within milliseconds, a host function of its own
        aside, and `close` waits for that; calls that wait end, too. Each raises
        `PluginClosedError`, and so does every later call. A host function of the plugin may close
        it: its call then ends like the others. The memory is freed with the last reference to it;
        a function that was taken from `instance` raises `WasmError` from now on.

        `with WasmPlugin.load(path) as plugin:` closes it at the end of the block.
        """
        self._closed = True
        operation = self._operation
        if operation is not None:
            operation.cancel()
        if self._caller == get_ident():
            return
        with self._lock:
            session, self._session = self._session, None
        if session is not None:
            DISCARDED.add(session.instance)
            del session
            DISCARDED.collect(_COLLECT_CLOSED)

    def __enter__(self) -> WasmPlugin:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def register_into_registry(
        self, registry: ToolRegistry, *, prefix: str | None = None, replace: bool = False
    ) -> None:
        """Register every tool of the plugin, or none where one cannot be registered.

        Args:
            registry: where.
            prefix: put before each tool's name as it is; None for nothing.
            replace: put the tools in the place of earlier ones of their names.

        Raises:
            DuplicateToolError: a name is registered already, and `replace` is not set; or the
                plugin has two tools of it.
            InvalidArgumentsError: a tool's schema is no JSON Schema.
        """
        registry.register_all(self.registrable_tools(prefix=prefix), replace=replace)

    def registrable_tools(self, *, prefix: str | None = None) -> list[RegisteredTool]:
        """Return the tools as a registry takes them, without those that `options.policy` hides.

        Args:
            prefix: text before each name, and before the prefix of the policy.
        """
        return registered_tools(self, self.tools, self.options.policy, prefix)

    def __reduce__(self) -> tuple[object, ...]:
        self._check_open()
        return type(self).load_from_bytes, (self.module.data, self.options)

    def __repr__(self) -> str:
        # A failure to load can be shown with what its frames hold.
        if not hasattr(self, "tools"):
            return "<WasmPlugin, not loaded>"
        name = escape_controls(f"{self.name} {self.version}")
        closed = ", closed" if self._closed else ""
        return f"<WasmPlugin {name}: {len(self.tools)} tools{closed}>"

    def _check_open(self) -> None:
        if self._closed:
            raise PluginClosedError(self.name)

    def _checked_input(self, tool: PluginTool, arguments: Mapping[str, Any]) -> str:
        """Check arguments against the schema of a tool, and return its input."""
        if not isinstance(arguments, Mapping):
            raise TypeError(f"input must be a string or a mapping: {type(arguments).__name__}")
        validator = self._validators.get(tool.index)
        if validator is None:
            validator = schema_validator(tool.name, tool.parameters)
            self._validators[tool.index] = validator
        validator(arguments)
        return tool_input(tool, arguments)

    def _shortened(self, timeout: float) -> float:
        # It refuses what is no number of seconds.
        ResourceLimits(timeout=timeout)
        longest = self._limits.timeout
        return timeout if longest is None else min(timeout, longest)

    def _wait(self, operation: Operation) -> None:
        """Wait until the other calls of the plugin are over.

        Raises:
            DeadlineExceeded, Cancelled, PluginClosedError: that comes first.
        """
        while True:
            seconds = _PATIENCE
            if operation.deadline is not None:
                seconds = max(0.0, min(seconds, operation.deadline - time.monotonic()))
            if self._lock.acquire(timeout=seconds):
                return
            self._check_open()
            operation.check()

    def _release(self) -> None:
        """Release the lock, if this thread has it.

        The lock itself tells: an interrupt may have come between getting it and a note of that.
        """
        try:
            self._lock.release()
        except RuntimeError:
            return

    def _attempt(self, tool: PluginTool, data: bytes, operation: Operation) -> str:
        """Run a tool on the bytes of its input, with the lock held.

        A call that failed only because the input was in the way of `memory.grow` is made again in
        a fresh instance, with a larger reserve.

        Raises:
            ToolFailedError: the tool reported that it failed.
            StringError, CallAborted, InstantiateError, HostException, MemoryError
        """
        while True:
            session = self._ready(operation)
            # None until the call has ended as a call should.
            self._session = None
            try:
                text, failed = session.execute(tool.index, data)
            except StringError:
                self._session = session
                raise
            except CallAborted as aborted:
                if aborted.ended or not self._widened_reserve(session):
                    raise
                continue
            finally:
                log_output(session.instance, self.name)
            if session.memory.grow_refusal is None or not self._widened_reserve(session):
                self._session = session
                if failed:
                    raise ToolFailedError(tool.name, text)
                return text

    def _worded_failure(self, tool: str, error: BaseException, operation: Operation) -> Exception:
        """Return the exception that `execute_tool` raises for one that ended the call."""
        cause = error.__cause__
        if isinstance(error, HostException):
            return error.exception
        if self._closed and operation.cancelled:
            failure: Exception = PluginClosedError(self.name)
        elif isinstance(error, MemoryError):
            failure = ToolExecutionError(tool, NO_ROOM)
        elif isinstance(error, InstantiateError):
            details = f"a fresh instance could not be made: {error.details}"
            failure = ToolExecutionError(tool, details)
        elif isinstance(error, (DeadlineExceeded, Cancelled)):
            cause = error
            details = f"{error.reason} while another call of the plugin ran"
            failure = ToolExecutionError(tool, details)
        else:
            failure = ToolExecutionError(tool, str(error))
        failure.__cause__ = cause
        return failure

    def _open(self, operation: Operation) -> Session:
        """Make a fresh instance. All of its calls are part of the operation until `_leave`."""
        return open_session(
            self.module,
            self.options,
            self._reserve,
            lambda instance: self._enter(instance, operation),
        )

    def _ready(self, operation: Operation) -> Session:
        """Return the session of the next call, as part of the operation."""
        if self._session is None:
            self._session = self._open(operation)
        else:
            self._enter(self._session.instance, operation)
        return self._session

    def _enter(self, instance: Instance, operation: Operation) -> None:
        self._active = instance
        operation.include(instance.budget)

    def _leave(self, operation: Operation) -> None:
        """End the operation, and discard its instance if no later call may use it."""
        operation.end()
        active, self._active = self._active, None
        if self._closed:
            self._session = None
        session = self._session
        if active is not None and (session is None or session.instance is not active):
            DISCARDED.add(active)

    def _start_afresh(self) -> None:
        """Give up the lock and the instance of the parent process, after a fork.

        A thread that does not exist here may be using them. The thread that forked may itself be in
        a call: that call keeps them.
        """
        if self._caller != get_ident():
            self._lock = RLock()
            self._caller = self._operation = self._active = self._session = None
            self._forks = FORKS.count

    def _widened_reserve(self, session: Session) -> bool:
        """Widen the reserve for the plugin to grow into, if its input was in the way of that.

        Returns:
            Whether the call can be made again in a fresh instance with the same effect: it was the
            first in its instance, and no import can have carried anything outside.
        """
        if session.memory.grow_refusal is not GrowRefusal.HOST_REGION:
            return False
        self._reserve *= 8
        return session.calls == 1 and not self.module.valid.module.imports


class _Forks:
    """The count of forks between this process and the one that imported this module."""

    def __init__(self) -> None:
        self.count = 0

    def add(self) -> None:
        """Count one, in the child."""
        self.count += 1


FORKS = _Forks()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=FORKS.add)
