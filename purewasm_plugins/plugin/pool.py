"""A pool: instances of one plugin that run calls beside each other."""

from __future__ import annotations

import sys
from collections import deque
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from threading import Lock
from time import monotonic

from purewasm_plugins.errors import InvalidOptionError, PluginClosedError, ToolExecutionError
from purewasm_plugins.plugin.errors import PoolFullError
from purewasm_plugins.plugin.plugin import WasmPlugin
from purewasm_plugins.plugin.tools import PluginTool, registered_tools
from purewasm_plugins.runtime.limits import ResourceLimits
from purewasm_plugins.support.typed import Any, Mapping
from purewasm_plugins.tools import Cancellation, ToolRegistry

__all__ = ["PluginPool"]

#: Whether this platform has no threads.
_NO_THREADS = sys.platform in ("emscripten", "wasi")


class PluginPool:
    """Instances of one plugin, each of which runs one call at a time.

        with PluginPool(WasmPlugin.load("json.wasm"), 4) as pool:
            texts = await asyncio.gather(*(pool.execute("json_pretty", text) for text in many))

    The instances share the compiled module and its translated code; each has its own memory, so a
    tool with state answers by the calls that its instance had. A call gets an instance in the
    order of the calls. After a call that ended early, by a trap or otherwise, its instance is
    replaced in the background. Threads, and event loops in several threads, may share a pool. A
    process that was forked off cannot use its parent's.

    Python's lock lets one thread compute at a time, free-threaded builds aside: a pool keeps short
    calls from waiting for long ones, and `map_tool` uses several cores.

    Attributes:
        name: the name of the plugin.
        tools: the tools of the plugin, by index.
        version, module, options: those of the plugin.
        size: the number of instances.
    """

    def __init__(self, plugin: WasmPlugin, size: int, *, queue: int = 1000) -> None:
        """Make the instances. The plugin itself is not among them, and may be closed.

        Args:
            plugin: the plugin, loaded; the instances have its options.
            size: the number of instances, and so of calls that run at a time.
            queue: the calls that may wait for an instance.

        Raises:
            InvalidOptionError: `size` or `queue` is no such number.
            PluginError: an instance cannot be made.
        """
        _check_count("size", size, 1)
        _check_count("queue", queue, 0)
        self.name = plugin.name
        self.version = plugin.version
        self.module = plugin.module
        self.options = plugin.options
        self.tools = plugin.tools
        self.size = size
        self._limits = plugin.limits
        self._plugins: list[WasmPlugin] = []
        self._threads = None if _NO_THREADS else ThreadPoolExecutor(size, "purewasm-pool")
        try:
            for _ in range(size):
                self._plugins.append(WasmPlugin(plugin.module, plugin.options))
        except BaseException:
            for made in self._plugins:
                made.close()
            raise
        self._idle = _Idle(self.name, self._plugins, queue)

    async def execute(
        self, tool: int | str, input: str | Mapping[str, Any], *, timeout: float | None = None
    ) -> str:
        """Run a tool, without blocking the event loop.

        It runs in a thread of the pool; in line where the platform has no threads. Where the task
        that waits for it is cancelled, the call ends within milliseconds.

        Args:
            tool: its index or its name.
            input: a text or arguments, as for `WasmPlugin.execute_tool`.
            timeout: seconds that the call may take, if that is less than `limits.timeout`. Waiting
                for an instance counts.

        Returns:
            The tool's output.

        Raises:
            PoolFullError: too many calls wait for an instance.
            ToolExecutionError, InvalidArgumentsError: as for `WasmPlugin.execute_tool`; or there
                was no instance before the deadline.
            PluginClosedError: the pool is closed, or was closed while the call ran or waited.
            ValueError: the timeout is no number of seconds.
        """
        if self._threads is None:
            return self.execute_tool(tool, input, timeout=timeout)
        # Imported here: it takes half as long to import as the whole package.
        import asyncio

        found = self._plugins[0].find_tool(tool)
        deadline = self._deadline(timeout)
        plugin = self._idle.take()
        if plugin is None:
            turn = self._idle.wait(found.name)
            try:
                async with asyncio.timeout(_remaining(deadline)):
                    plugin = await asyncio.wrap_future(turn)
            except BaseException as error:
                self._idle.withdraw(turn)
                raise _worded(found, error) from None
        cancellation = Cancellation()
        try:
            running = self._threads.submit(_run, plugin, found, input, deadline, cancellation)
        except RuntimeError:
            raise PluginClosedError(self.name) from None
        # Also where the task is cancelled before a thread took it.
        running.add_done_callback(lambda _: self._return(plugin))
        try:
            return await asyncio.wrap_future(running)
        except BaseException:
            # Where the task was cancelled, the call goes on until it hears of it.
            cancellation.request()
            raise

    def execute_tool(
        self,
        tool: int | str,
        input: str | Mapping[str, Any],
        *,
        timeout: float | None = None,
        cancellation: Cancellation | None = None,
    ) -> str:
        """Run a tool in this thread, as `execute` does.

        Args:
            tool, input, timeout: as for `execute`.
            cancellation: what another thread may end the call with.

        Raises:
            PluginError, ToolError, ValueError: as `execute` does.
        """
        found = self._plugins[0].find_tool(tool)
        deadline = self._deadline(timeout)
        plugin = self._idle.take()
        if plugin is None:
            turn = self._idle.wait(found.name)
            if cancellation is not None:
                cancellation.on_request(lambda: _cancel(turn))
            try:
                plugin = turn.result(_remaining(deadline))
            except BaseException as error:
                self._idle.withdraw(turn)
                raise _worded(found, error) from None
        try:
            return _run(plugin, found, input, deadline, cancellation)
        finally:
            self._return(plugin)

    def register_into_registry(
        self, registry: ToolRegistry, *, prefix: str | None = None, replace: bool = False
    ) -> None:
        """Register every tool of the plugin, as `WasmPlugin.register_into_registry` does.

        Calls of `registry.execute_async` then run beside each other.

        Raises:
            DuplicateToolError, InvalidArgumentsError: as there.
        """
        policy = self._plugins[0].options.policy
        tools = registered_tools(self, self.tools, policy, prefix)
        registry.register_all(tools, replace=replace)

    def close(self) -> None:
        """Close every instance. Any thread may call it, and more than once.

        Calls that run end within milliseconds, and `close` waits for that; calls that wait end,
        too. Each raises `PluginClosedError`, and so does every later call.
        """
        self._idle.close()
        for plugin in self._plugins:
            plugin.close()
        if self._threads is not None:
            self._threads.shutdown()

    def __enter__(self) -> PluginPool:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    async def __aenter__(self) -> PluginPool:
        return self

    async def __aexit__(self, *exception: object) -> None:
        if self._threads is None:
            self.close()
            return
        import asyncio

        await asyncio.to_thread(self.close)

    def __repr__(self) -> str:
        return f"<PluginPool of {self.size}: {self._plugins[0]!r}>"

    def _deadline(self, timeout: float | None) -> float | None:
        if timeout is not None:
            # It refuses what is no number of seconds.
            ResourceLimits(timeout=timeout)
        known = [seconds for seconds in (timeout, self._limits.timeout) if seconds is not None]
        return monotonic() + min(known) if known else None

    def _return(self, plugin: WasmPlugin) -> None:
        """Give an instance to the next call, with a fresh instance where the last is discarded."""
        if not plugin.ready and self._threads is not None:
            try:
                self._threads.submit(self._renew, plugin)
                return
            except RuntimeError:
                # The pool is closed.
                pass
        self._idle.give(plugin)

    def _renew(self, plugin: WasmPlugin) -> None:
        try:
            plugin.prepare()
        finally:
            # Where that failed, the next call tries again, and says why it cannot be done.
            self._idle.give(plugin)


class _Idle:
    """The plugins that no call uses, and the turns of calls that wait for one, in their order."""

    def __init__(self, name: str, plugins: list[WasmPlugin], queue: int) -> None:
        self._name = name
        self._plugins = [*plugins]
        self._queue = queue
        self._turns: deque[Future[WasmPlugin]] = deque()
        self._closed = False
        self._lock = Lock()

    def take(self) -> WasmPlugin | None:
        """Return an idle plugin, if there is one: no call waits then.

        Raises:
            PluginClosedError
        """
        with self._lock:
            self._check_open()
            return self._plugins.pop() if self._plugins else None

    def wait(self, tool: str) -> Future[WasmPlugin]:
        """Return the turn of a call: its result is the plugin that the call may use.

        Raises:
            PoolFullError, PluginClosedError
        """
        turn: Future[WasmPlugin] = Future()
        with self._lock:
            self._check_open()
            # One may have become idle since `take`.
            if self._plugins:
                turn.set_result(self._plugins.pop())
            elif len(self._turns) >= self._queue:
                raise PoolFullError(tool, len(self._turns))
            else:
                self._turns.append(turn)
        return turn

    def _check_open(self) -> None:
        if self._closed:
            raise PluginClosedError(self._name)

    def give(self, plugin: WasmPlugin) -> None:
        """Give a plugin to the first call that waits, or keep it for the next call."""
        with self._lock:
            while self._turns:
                turn = self._turns.popleft()
                if turn.set_running_or_notify_cancel():
                    turn.set_result(plugin)
                    return
            self._plugins.append(plugin)

    def withdraw(self, turn: Future[WasmPlugin]) -> None:
        """End the waiting of a call, which will not use the plugin that it may have by now."""
        with self._lock:
            if turn in self._turns:
                self._turns.remove(turn)
            given = not turn.cancel() and turn.exception() is None
        if given:
            self.give(turn.result())

    def close(self) -> None:
        """Refuse all calls: those that wait, and later ones."""
        with self._lock:
            self._closed = True
            turns, self._turns = self._turns, deque()
            for turn in turns:
                if turn.set_running_or_notify_cancel():
                    turn.set_exception(PluginClosedError(self._name))


def _run(
    plugin: WasmPlugin,
    tool: PluginTool,
    input: str | Mapping[str, Any],
    deadline: float | None,
    cancellation: Cancellation | None,
) -> str:
    seconds = _remaining(deadline)
    return plugin.execute_tool(tool.index, input, timeout=seconds, cancellation=cancellation)


def _cancel(turn: Future[WasmPlugin]) -> None:
    turn.cancel()


def _remaining(deadline: float | None) -> float | None:
    return None if deadline is None else max(0.0, deadline - monotonic())


def _worded(tool: PluginTool, error: BaseException) -> BaseException:
    """Return what a call raises that got no instance."""
    if isinstance(error, TimeoutError):
        what = "deadline exceeded"
    elif isinstance(error, CancelledError):
        what = "cancelled"
    else:
        return error
    return ToolExecutionError(tool.name, f"{what} while it waited for an instance of the pool")


def _check_count(option: str, value: object, least: int) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        raise InvalidOptionError(option, f"it must be a whole number from {least} on: {value!r}")
