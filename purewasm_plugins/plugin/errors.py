"""The errors of many calls at once: of a pool of instances, and of workers."""

from __future__ import annotations

from purewasm_plugins.errors import ToolExecutionError

__all__ = ["PoolFullError", "WorkerError"]


class PoolFullError(ToolExecutionError):
    """A call was refused, as so many wait for an instance of the pool already.

    Attributes:
        tool: the name of the tool.
        waiting: the calls that wait.
    """

    def __init__(self, tool: str, waiting: int) -> None:
        super().__init__(tool, f"{waiting} calls wait for an instance of the pool already")
        # The constructor's arguments, for `pickle`.
        self.args = (tool, waiting)
        self.waiting = waiting


class WorkerError(ToolExecutionError):
    """No worker answered for an input, in several attempts: each died, or could not take it.

    Attributes:
        tool: the name of the tool.
        details: the reason. `__cause__` is the executor's exception.
    """
