"""Tools as an agent sees them, independent of WebAssembly."""

from purewasm_plugins.tools.approval import ApprovalRequest, Approver, Decision, Decisions
from purewasm_plugins.tools.errors import ToolRefusedError
from purewasm_plugins.tools.model import (
    CancellableTool,
    Cancellation,
    ToolCall,
    ToolCategory,
    ToolDefinition,
    ToolImpl,
    ToolResult,
)
from purewasm_plugins.tools.registry import ToolRegistry

__all__ = [
    "ApprovalRequest",
    "Approver",
    "CancellableTool",
    "Cancellation",
    "Decision",
    "Decisions",
    "ToolCall",
    "ToolCategory",
    "ToolDefinition",
    "ToolImpl",
    "ToolRefusedError",
    "ToolRegistry",
    "ToolResult",
]
