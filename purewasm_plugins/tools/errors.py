"""The errors of calls that are not approved."""

from __future__ import annotations

from purewasm_plugins.errors import ToolError

__all__ = ["ToolRefusedError"]


class ToolRefusedError(ToolError):
    """A call was not approved; the tool did not run.

    Attributes:
        tool: the name of the tool.
        details: why.
    """

    def __init__(self, tool: str, details: str) -> None:
        super().__init__(tool, details)
        self.tool = tool
        self.details = details

    def _words(self) -> str:
        return f"The call of tool '{self.tool}' was refused: {self.details}"
