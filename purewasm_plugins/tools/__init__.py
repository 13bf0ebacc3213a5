"""Tools as an agent sees them, independent of WebAssembly."""

from purewasm_plugins.tools.registry import (
    CancellableTool,
    Cancellation,
    ToolCall,
    ToolCategory,
    ToolDefinition,
    ToolImpl,
    ToolRegistry,
    ToolResult,
)

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
