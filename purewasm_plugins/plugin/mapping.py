"""One tool on many inputs, in the workers of any executor."""

from __future__ import annotations

import hashlib
import os
import pickle
import sys
from collections import deque
from collections.abc import Generator
from concurrent.futures import (
    FIRST_COMPLETED,
    Executor,
    Future,
    wait,
)
from time import perf_counter

from purewasm_plugins.errors import InvalidOptionError
from purewasm_plugins.plugin.errors import WorkerError
from purewasm_plugins.plugin.plugin import WasmPlugin
from purewasm_plugins.plugin.processes import GivenWorkers, InLine, OwnWorkers
from purewasm_plugins.plugin.tools import PluginTool
from purewasm_plugins.plugin.workers import PLUGINS, Answer, Input, Outcome, run_batch
from purewasm_plugins.support.records import Record
from purewasm_plugins.support.typed import Iterable, Iterator, Sequence

__all__ = ["MappedResult", "map_tool"]

#: Seconds that a batch should take: a task costs some 0.2 ms, so half a percent of it.
_BATCH_SECONDS = 0.05

#: Inputs of one batch.
_MOST_INPUTS = 1000

#: Batches that are done and wait for an earlier one, for each that is under way.
_AHEAD = 4

#: How often a batch is lost until its inputs run alone, each of which fails with the next loss.
_SUSPECT = 2


class MappedResult(Record):
    """The result of one input.

    Attributes:
        index: the number of the input, from 0 on.
        input: the input.
        output: the tool's output; empty where it failed.
        error: what the call raised, or None.
    """

    index: int
    input: Input
    output: str
    error: Exception | None = None


def map_tool(
    plugin: WasmPlugin,
    tool: int | str,
    inputs: Iterable[Input],
    *,
    executor: Executor | int | None = None,
    ordered: bool = True,
    on_error: str = "raise",
    in_flight: int | None = None,
) -> Generator[MappedResult, None, None]:
    """Run a tool on many inputs, in threads, processes, or on other machines.

        with ProcessPoolExecutor(4) as executor:
            for result in map_tool(plugin, "sha256", texts, executor=executor):
                print(result.output)

    Inputs go to the workers in batches that take about 50 ms, and results come as they are done.
    The plugin goes to each worker process once, as its bytes and options, and is compiled there;
    functions among its imports must be picklable, threads aside. Each worker has instances of its
    own: a tool with state answers by the inputs that its instance had.

    The inputs of a worker that died run again, in another one. A `ProcessPoolExecutor` takes no
    more work then, and new processes take its place. An input that no worker answered in three
    attempts, the last of them alone, fails with `WorkerError`.

    Closing the iterator, an interrupt, or the first error that is raised, ends it: what has not
    begun is cancelled, and processes that were started here are killed. Without `executor`, new
    processes import the main module: a program needs `if __name__ == "__main__"`.

    Args:
        plugin: the plugin, loaded.
        tool: the index or the name of the tool.
        inputs: texts or arguments, as for `WasmPlugin.execute_tool`. They are taken as workers
            become free, in this thread: there may be any number, or no end.
        executor: any `concurrent.futures.Executor`, such as that of a Dask client
            (`client.get_executor()`); or a number of processes, which are started for this, and end
            with it; None for one for each processor. Where there are no processes, as in Pyodide,
            each batch runs in line.
        ordered: whether results come in the order of the inputs; else as they are done.
        on_error: "raise" to raise the first error, "return" to return each in its result.
        in_flight: batches that are under way at a time; None for two for each worker, where the
            executor tells their number, or else for each processor.

    Raises:
        ToolExecutionError: there is no such tool.
        InvalidOptionError: an option is wrong, or the plugin's options cannot be pickled.
        Exception: what a call raised, and what iterating over the inputs raises.
    """
    found = plugin.find_tool(tool)
    if on_error not in ("raise", "return"):
        raise InvalidOptionError("on_error", f"it must be 'raise' or 'return': {on_error!r}")
    _check_count("in_flight", in_flight)
    if not isinstance(executor, Executor):
        _check_count("executor", executor)
    return _Mapping(plugin, found, iter(inputs), executor, ordered, on_error, in_flight).results()


def _check_count(option: str, value: object) -> None:
    if value is not None and (not isinstance(value, int) or isinstance(value, bool) or value < 1):
        expected = " an executor," if option == "executor" else ""
        details = f"it must be{expected} a whole number from 1 on, or None: {value!r}"
        raise InvalidOptionError(option, details)


class _Batch:
    """Inputs that one task runs.

    Attributes:
        first: the index of the first input.
        inputs: the inputs.
        lost: how often its worker did not answer.
        refusals: how often a worker lacked the plugin.
        with_plugin: whether the task carries the plugin.
    """

    def __init__(self, first: int, inputs: Sequence[Input], lost: int = 0) -> None:
        self.first = first
        self.inputs = inputs
        self.lost = lost
        self.refusals = 0
        self.with_plugin = False

    @property
    def alone(self) -> bool:
        """Whether nothing else may run beside it: it may be what workers die of."""
        return self.lost >= _SUSPECT

    def singles(self) -> Iterator[_Batch]:
        """Yield a batch for each input."""
        for number, input in enumerate(self.inputs):
            yield _Batch(self.first + number, (input,), self.lost)


class _Mapping:
    """A run of `map_tool`."""

    def __init__(
        self,
        plugin: WasmPlugin,
        tool: PluginTool,
        inputs: Iterator[Input],
        executor: Executor | int | None,
        ordered: bool,
        on_error: str,
        in_flight: int | None,
    ) -> None:
        self._plugin = plugin
        self._tool = tool
        self._inputs = inputs
        self._executor = executor
        self._ordered = ordered
        self._raises = on_error == "raise"
        self._in_flight = in_flight
        #: Inputs that were taken, and inputs of the next batch.
        self._taken = 0
        self._size = 1
        self._exhausted = False
        self._running: dict[Future[Answer], _Batch] = {}
        self._again: deque[_Batch] = deque()
        self._ready: dict[int, MappedResult] = {}
        #: The workers that lacked the plugin once.
        self._asked: set[str] = set()

    def results(self) -> Generator[MappedResult, None, None]:
        """Yield the results; the first one starts the work."""
        self._key, self._payload = _packed(self._plugin)
        self._workers = self._chosen_workers()
        # Threads find it here, and so do processes that are forked off.
        PLUGINS.hold(self._key, self._plugin.module, self._plugin.options)
        self._most = self._in_flight or 2 * self._workers.count
        yielded = 0
        try:
            while self._submit():
                self._receive()
                due = self._due(yielded)
                yielded += len(due)
                for result in due:
                    if self._raises and result.error is not None:
                        raise result.error
                    yield result
        finally:
            self._workers.end(self._running)
            PLUGINS.drop(self._key)

    def _chosen_workers(self) -> OwnWorkers | GivenWorkers:
        if isinstance(self._executor, Executor):
            return GivenWorkers(self._executor, self._key, self._payload)
        if sys.platform in ("emscripten", "wasi"):
            # There are no processes.
            return GivenWorkers(InLine(), self._key, self._payload)
        if self._payload is None:
            raise _unpicklable()
        return OwnWorkers(self._executor, self._key, self._payload)

    def _submit(self) -> bool:
        """Start as many batches as may be under way, and return whether any is."""
        while len(self._running) < self._most:
            if any(batch.alone for batch in self._running.values()):
                break
            if self._again:
                if self._again[0].alone and self._running:
                    break
                batch = self._again.popleft()
            else:
                if len(self._ready) >= _AHEAD * self._most * self._size or self._exhausted:
                    break
                batch = self._next_batch()
                if not batch.inputs:
                    break
            payload = self._payload if batch.with_plugin else None
            future = self._workers.submit(
                run_batch, self._key, self._tool.index, batch.inputs, payload
            )
            self._running[future] = batch
        return bool(self._running)

    def _next_batch(self) -> _Batch:
        """Take inputs: fewer than a batch has where the iterator is slow, none at its end."""
        inputs: list[Input] = []
        until = perf_counter() + _BATCH_SECONDS
        for input in self._inputs:
            inputs.append(input)
            if len(inputs) >= self._size or perf_counter() > until:
                break
        else:
            self._exhausted = True
        first = self._taken
        self._taken += len(inputs)
        return _Batch(first, inputs)

    def _receive(self) -> None:
        """Wait for a batch, and take what is done."""
        done, _ = wait(self._running, return_when=FIRST_COMPLETED)
        for future in done:
            batch = self._running.pop(future)
            try:
                answer = future.result()
            except Exception as error:
                self._take_lost(batch, error)
            else:
                self._take_answer(batch, answer)

    def _take_answer(self, batch: _Batch, answer: Answer) -> None:
        if answer.outcomes is None:
            self._take_refused(batch, answer.worker)
            return
        for number, outcome in enumerate(answer.outcomes):
            self._take_outcome(batch.first + number, batch.inputs[number], outcome)
        wanted = _BATCH_SECONDS * len(batch.inputs) / max(answer.seconds, 1e-6)
        self._size = max(1, min(int(wanted), 2 * self._size, _MOST_INPUTS))

    def _take_outcome(self, index: int, input: Input, outcome: Outcome) -> None:
        if isinstance(outcome, str):
            self._ready[index] = MappedResult(index, input, outcome)
            return
        error, cause = outcome
        error.__cause__ = cause
        self._ready[index] = MappedResult(index, input, "", error)

    def _take_refused(self, batch: _Batch, worker: str) -> None:
        """Have a batch run again, with the plugin where the worker had not asked before.

        Another batch has brought it since, or is about to; else this one asks again.
        """
        if self._payload is None:
            raise _unpicklable()
        batch.refusals += 1
        batch.with_plugin = worker not in self._asked or batch.refusals > 1
        self._asked.add(worker)
        self._again.append(batch)

    def _take_lost(self, batch: _Batch, error: Exception) -> None:
        """Have the inputs of a batch that did not come back run again, suspects alone.

        Its worker died, perhaps of another batch, or could not take it.
        """
        batch.lost += 1
        if batch.lost <= _SUSPECT:
            self._again.extend(batch.singles() if batch.alone else (batch,))
            return
        details = f"its worker did not answer: {type(error).__name__}: {error}"
        failure = WorkerError(self._tool.name, details)
        self._take_outcome(batch.first, batch.inputs[0], (failure, error))

    def _due(self, yielded: int) -> list[MappedResult]:
        """Return, and forget, the results that can be yielded.

        Args:
            yielded: the number of those that were.
        """
        if not self._ordered:
            due = [*self._ready.values()]
            self._ready.clear()
            return due
        due = []
        while (result := self._ready.pop(yielded + len(due), None)) is not None:
            due.append(result)
        return due


def _packed(plugin: WasmPlugin) -> tuple[str, bytes | None]:
    """Return the key of a plugin, and what goes to workers: None where it cannot be pickled."""
    try:
        payload = pickle.dumps((plugin.module.data, plugin.options))
        # A function of `__main__` is pickled by its name.
        pickle.loads(payload)
    except Exception:
        return os.urandom(16).hex(), None
    return hashlib.sha256(payload).hexdigest(), payload


def _unpicklable() -> InvalidOptionError:
    details = "a function among them cannot be pickled, so only threads can run the plugin"
    return InvalidOptionError("imports", details)
