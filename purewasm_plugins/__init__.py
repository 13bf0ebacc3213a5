"""PureWasm plugins: a WebAssembly plugin host in pure Python.

The names below are the public interface; the README shows them at work.
"""

from purewasm_plugins.engine import instantiate
from purewasm_plugins.errors import (
    Cancelled,
    CompileError,
    DeadlineExceeded,
    DecodeError,
    DuplicateToolError,
    InstantiateError,
    InvalidArgumentsError,
    LinkError,
    MemoryInUse,
    MissingExportError,
    OutOfFuel,
    OutOfMemory,
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
from purewasm_plugins.plugin import (
    DirectoryReport,
    PluginTool,
    RegistrationReport,
    WasmPlugin,
    WasmPluginManager,
)
from purewasm_plugins.runtime.instance import Function, Global, Instance
from purewasm_plugins.runtime.limits import ResourceLimits
from purewasm_plugins.runtime.memory import Memory
from purewasm_plugins.runtime.table import Table
from purewasm_plugins.support.version import VERSION
from purewasm_plugins.tools import (
    CancellableTool,
    Cancellation,
    ToolCall,
    ToolCategory,
    ToolDefinition,
    ToolImpl,
    ToolRegistry,
    ToolResult,
)

__version__ = VERSION

__all__ = [
    "CancellableTool",
    "Cancellation",
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
    "MemoryInUse",
    "MissingExportError",
    "OutOfFuel",
    "OutOfMemory",
    "PluginError",
    "PluginTool",
    "RegistrationReport",
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
