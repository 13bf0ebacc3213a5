"""What `map_tool` runs in a worker: a thread, a process, or a process of another machine.

A task carries the key of its plugin, and not the plugin: a worker that has none of that key says
so, and the task comes again with it. Each process keeps the plugins that it got last.
"""

from __future__ import annotations

import os
import pickle
import signal
import threading
from collections import deque
from multiprocessing.process import parent_process
from time import perf_counter

from purewasm_plugins.errors import PureWasmError, ToolExecutionError
from purewasm_plugins.module import Module
from purewasm_plugins.plugin.loading import compile_plugin
from purewasm_plugins.plugin.options import PluginOptions
from purewasm_plugins.plugin.plugin import WasmPlugin
from purewasm_plugins.support.records import Record
from purewasm_plugins.support.typed import Any, Mapping, Sequence

__all__ = ["PLUGINS", "Answer", "Input", "Outcome", "begin_worker", "run_batch"]

#: An input of a tool: a text, or arguments.
Input = str | Mapping[str, Any]

#: What a call gave: its output; or its error, and the cause of that, which `pickle` leaves out.
Outcome = str | tuple[Exception, BaseException | None]

#: Plugins that came to a process, and that it keeps.
_MOST = 8


class Answer(Record):
    """What a worker answers for a batch.

    Attributes:
        worker: a name of the process; no two have the same.
        seconds: the time that the calls took.
        outcomes: one for each input; None where the worker lacks the plugin.
    """

    worker: str
    seconds: float
    outcomes: Sequence[Outcome] | None


class _Kept:
    """A compiled plugin, and its instances that no thread uses."""

    def __init__(self, module: Module, options: PluginOptions) -> None:
        self._module = module
        self._options = options
        self._idle: deque[WasmPlugin] = deque()

    def run(self, tool: int, inputs: Sequence[Input]) -> list[Outcome]:
        """Run a tool on each input, all in one instance."""
        try:
            plugin = self._idle.pop()
        except IndexError:
            plugin = WasmPlugin(self._module, self._options)
        outcomes = [_outcome(plugin, tool, input) for input in inputs]
        self._idle.append(plugin)
        return outcomes


class _Plugins:
    """The plugins of this process, by their keys."""

    def __init__(self) -> None:
        self._kept: dict[str, _Kept] = {}
        #: Those that a caller of `map_tool` in this process uses: they cannot come again.
        self._held: dict[str, _Kept] = {}
        self._payloads: dict[str, bytes] = {}
        self._token = os.urandom(8).hex()

    @property
    def worker(self) -> str:
        """A name of this process."""
        # A process that was forked off has the same token.
        return f"{self._token}-{os.getpid()}"

    def find(self, key: str, payload: bytes | None) -> _Kept | None:
        """Return the plugin of a key, which comes from its payload where it is not kept yet."""
        kept = self._held.get(key) or self._kept.get(key)
        given = payload or self._payloads.get(key)
        if kept is None and given is not None:
            data, options = pickle.loads(given)
            kept = self._kept[key] = _Kept(compile_plugin(data, options.cache_dir), options)
            for oldest in list(self._kept)[:-_MOST]:
                self._kept.pop(oldest, None)
        return kept

    def expect(self, key: str, payload: bytes) -> None:
        """Take the payload of a plugin that a batch will ask for."""
        self._payloads[key] = payload

    def hold(self, key: str, module: Module, options: PluginOptions) -> None:
        """Hold a plugin until `drop`."""
        self._held[key] = _Kept(module, options)

    def drop(self, key: str) -> None:
        """Forget a plugin that was held."""
        self._held.pop(key, None)


PLUGINS = _Plugins()


def begin_worker(key: str, payload: bytes) -> None:
    """Prepare a process that works for its parent alone.

    It takes the plugin, leaves interrupts to its parent, and ends when that has ended.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    PLUGINS.expect(key, payload)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def run_batch(key: str, tool: int, inputs: Sequence[Input], payload: bytes | None) -> Answer:
    """Run a tool on each input.

    Args:
        key: the key of the plugin.
        tool: the index of the tool.
        inputs: its inputs.
        payload: the plugin's bytes and options, pickled; None where the worker should have them.

    Raises:
        Exception: the plugin cannot be loaded here. What a call raises is an outcome.
    """
    kept = PLUGINS.find(key, payload)
    if kept is None:
        return Answer(PLUGINS.worker, 0.0, None)
    started = perf_counter()
    outcomes = kept.run(tool, inputs)
    return Answer(PLUGINS.worker, perf_counter() - started, outcomes)


def _outcome(plugin: WasmPlugin, tool: int, input: Input) -> Outcome:
    try:
        return plugin.execute_tool(tool, input)
    except Exception as error:
        return _portable(error, plugin.tools[tool].name)


def _portable(error: Exception, tool: str) -> Outcome:
    """Return an error and its cause as they can be pickled.

    An error that cannot be, of a host function, is replaced: it would end the worker's pool.
    """
    cause = error.__cause__
    # Its frames would keep the instance.
    error.__traceback__ = None
    try:
        if not (isinstance(error, PureWasmError) and isinstance(cause, PureWasmError | None)):
            pickle.loads(pickle.dumps((error, cause)))
    except Exception:
        return ToolExecutionError(tool, f"{type(error).__name__}: {error}"), None
    return error, cause
