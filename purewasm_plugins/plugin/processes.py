"""The executors of `map_tool`: processes of its own, or an executor that it was given."""

from __future__ import annotations

import os
import signal
from concurrent.futures import BrokenExecutor, Executor, Future, ProcessPoolExecutor
from multiprocessing.context import SpawnContext, SpawnProcess

from purewasm_plugins.plugin.workers import begin_worker
from purewasm_plugins.support.typed import Any, Callable, Mapping

__all__ = ["GivenWorkers", "InLine", "OwnWorkers"]


class InLine(Executor):
    """An executor that runs each task where it is submitted, for a Python without processes."""

    _max_workers = 1

    def submit(  # type: ignore[override]
        self, function: Callable[..., Any], *arguments: Any
    ) -> Future[Any]:
        """Run a function, as `Executor.submit` does."""
        future: Future[Any] = Future()
        try:
            future.set_result(function(*arguments))
        except Exception as error:
            future.set_exception(error)
        return future


class _Process(SpawnProcess):
    """A process that interrupts do not reach, from its first moment: they are its parent's."""

    def start(self) -> None:
        """Start it, as `multiprocessing.Process.start` does."""
        if not hasattr(signal, "pthread_sigmask"):
            super().start()
            return
        # A process inherits what is blocked in the thread that starts it.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            super().start()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)


class _Context(SpawnContext):
    """A context of new processes, which are known and can be killed."""

    def __init__(self) -> None:
        super().__init__()
        self.started: list[SpawnProcess] = []

    def Process(self, *args: Any, **kwargs: Any) -> SpawnProcess:  # type: ignore[override] # noqa: N802
        """Return a new process, as `multiprocessing.Process` does."""
        process = _Process(*args, **kwargs)
        self.started.append(process)
        return process


class OwnWorkers:
    """Processes of this machine, which get one plugin when they start.

    Where one dies, all are replaced: `ProcessPoolExecutor` takes no more work then.

    Attributes:
        count: the number of processes; None for one for each processor.
    """

    def __init__(self, count: int | None, key: str, payload: bytes) -> None:
        self.count = count or os.cpu_count() or 1
        self._plugin = key, payload
        self._start()

    def _start(self) -> None:
        self._context = _Context()
        self._executor = ProcessPoolExecutor(
            self.count, self._context, initializer=begin_worker, initargs=self._plugin
        )

    def submit(self, function: Callable[..., Any], *arguments: Any) -> Future[Any]:
        """Run a function in a process, as `Executor.submit` does."""
        try:
            return self._executor.submit(function, *arguments)
        except BrokenExecutor:
            self._kill()
            self._start()
            return self._executor.submit(function, *arguments)

    def end(self, running: Mapping[Future[Any], object]) -> None:
        """End all processes: at once, where tasks are running."""
        if running:
            self._kill()
        else:
            self._executor.shutdown()

    def _kill(self) -> None:
        # The executor then fails its futures itself: it cannot where they were cancelled.
        for process in self._context.started:
            if process.pid is not None:
                process.kill()
        self._executor.shutdown()


class GivenWorkers:
    """An executor of the caller's.

    A process pool that has lost a process is replaced by processes of our own.

    Attributes:
        count: the number of its workers, where it tells, or else of this machine's processors.
    """

    def __init__(self, executor: Executor, key: str, payload: bytes | None) -> None:
        self._executor = executor
        self._plugin = key, payload
        self._own: OwnWorkers | None = None
        # No executor has a public name for it.
        self.count: int = getattr(executor, "_max_workers", None) or os.cpu_count() or 1

    def submit(self, function: Callable[..., Any], *arguments: Any) -> Future[Any]:
        """Run a function in a worker, as `Executor.submit` does."""
        if self._own is None:
            try:
                return self._executor.submit(function, *arguments)
            except BrokenExecutor:
                key, payload = self._plugin
                if payload is None or not isinstance(self._executor, ProcessPoolExecutor):
                    raise
                self._own = OwnWorkers(self.count, key, payload)
        return self._own.submit(function, *arguments)

    def end(self, running: Mapping[Future[Any], object]) -> None:
        """Cancel what has not begun, and end what was started here; the executor is its owner's."""
        if self._own is not None:
            self._own.end(running)
            return
        for future in running:
            future.cancel()
