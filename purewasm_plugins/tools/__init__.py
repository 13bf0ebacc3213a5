"""Tools as an agent sees them, independent of WebAssembly."""

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
    "CancellableTool",
    "Cancellation",
    "ToolCall",
    "ToolCategory",
    "ToolDefinition",
    "ToolImpl",
    "ToolRegistry",
    "ToolResult",
]
