"""The errors of many calls at once, of manifests, and of bytes that were not expected."""

from __future__ import annotations

from purewasm_plugins.errors import PluginError, ToolExecutionError

__all__ = ["ManifestError", "PluginHashError", "PoolFullError", "WorkerError"]


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


class ManifestError(PluginError):
    """A manifest, or its lock file, is wrong.

    Attributes:
        file: its path.
        key: where in it, such as "plugins.json.limits.timeout"; empty for the whole file.
        line: the line, from 1 on; None where it is unknown.
        details: the fault.
    """

    def __init__(self, file: str, key: str, line: int | None, details: str) -> None:
        super().__init__(file, key, line, details)
        self.file = file
        self.key = key
        self.line = line
        self.details = details

    def _words(self) -> str:
        line = "" if self.line is None else f":{self.line}"
        key = f" {self.key}:" if self.key else ""
        return f"{self.file}{line}:{key} {self.details}"


class PluginHashError(PluginError):
    """The bytes of a plugin are not those that were expected. Nothing of them has run.

    Attributes:
        path: its file.
        expected, found: the two SHA-256 hashes, in hexadecimal digits.
    """

    def __init__(self, path: str, expected: str, found: str) -> None:
        super().__init__(path, expected, found)
        self.path = path
        self.expected = expected
        self.found = found

    def _words(self) -> str:
        return (
            f"Refused '{self.path}': sha256 {self.expected} was expected, and it has {self.found}"
        )
