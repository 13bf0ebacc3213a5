"""PureWasm plugins: a WebAssembly plugin host in pure Python.

The names below are the public interface; the README shows them at work.
"""

from purewasm_plugins.engine import (
    Function,
    Global,
    Instance,
    Memory,
    ResourceLimits,
    Table,
    instantiate,
)
from purewasm_plugins.errors import (
    Cancelled,
    CompileError,
    DeadlineExceeded,
    DecodeError,
    DuplicateToolError,
    InstantiateError,
    InvalidArgumentsError,
    LinkError,
    MissingExportError,
    OutOfFuel,
    PluginError,
    ResourceLimitError,
    StackFrame,
    ToolError,
    ToolExecutionError,
    ToolNotFoundError,
    Trap,
    TrapReason,
    ValidationError,
    VersionMismatchError,
    WasmError,
    WrongExportTypeError,
)
from purewasm_plugins.plugin import DirectoryReport, PluginTool, WasmPlugin, WasmPluginManager
from purewasm_plugins.tools import (
    ToolCall,
    ToolCategory,
    ToolDefinition,
    ToolImpl,
    ToolRegistry,
    ToolResult,
)
from purewasm_plugins.version import VERSION

__version__ = VERSION

__all__ = [
    "Cancelled",
    "CompileError",
    "DeadlineExceeded",
    "DecodeError",
    "DirectoryReport",
    "DuplicateToolError",
    "Function",
    "Global",
    "Instance",
    "InstantiateError",
    "InvalidArgumentsError",
    "LinkError",
    "Memory",
    "MissingExportError",
    "OutOfFuel",
    "PluginError",
    "PluginTool",
    "ResourceLimitError",
    "ResourceLimits",
    "StackFrame",
    "Table",
    "ToolCall",
    "ToolCategory",
    "ToolDefinition",
    "ToolError",
    "ToolExecutionError",
    "ToolImpl",
    "ToolNotFoundError",
    "ToolRegistry",
    "ToolResult",
    "Trap",
    "TrapReason",
    "ValidationError",
    "VersionMismatchError",
    "WasmError",
    "WasmPlugin",
    "WasmPluginManager",
    "WrongExportTypeError",
    "__version__",
    "instantiate",
]
