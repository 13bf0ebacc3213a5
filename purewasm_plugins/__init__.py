"""PureWasm plugins: a WebAssembly plugin host in pure Python.

The names below are the public interface; the README shows them at work.
"""

from __future__ import annotations

from purewasm_plugins.engine import Engine
from purewasm_plugins.errors import (
    AbiVersionError,
    Aborted,
    Cancelled,
    CompileError,
    DeadlineExceeded,
    DecodeError,
    DuplicatePluginError,
    DuplicateToolError,
    Exited,
    ExportKindError,
    GrantError,
    InstantiateError,
    InvalidArgumentsError,
    InvalidOptionError,
    InvalidString,
    LinkError,
    MemoryInUse,
    MissingExportError,
    NotACommandError,
    OutOfFuel,
    OutOfMemory,
    PluginClosedError,
    PluginError,
    PluginFileError,
    PluginNotFoundError,
    PureWasmError,
    ResourceLimitError,
    StackFrame,
    StringError,
    TextError,
    ToolError,
    ToolExecutionError,
    ToolFailedError,
    ToolFormatError,
    ToolNotFoundError,
    Trap,
    TrapReason,
    UnknownEngineError,
    UnknownExportError,
    ValidationError,
    VersionMismatchError,
    WasmError,
    WrongExportTypeError,
)
from purewasm_plugins.module import Module, instantiate
from purewasm_plugins.plugin import (
    DirectoryReport,
    DiscoveryReport,
    PluginOptions,
    PluginTool,
    RegistrationReport,
    ToolPolicy,
    ToolSettings,
    WasmPlugin,
    WasmPluginManager,
)
from purewasm_plugins.plugin.host_functions import host_function
from purewasm_plugins.runtime.imports import Imports
from purewasm_plugins.runtime.instance import (
    Caller,
    Exports,
    Function,
    Global,
    Instance,
    RawFunction,
)
from purewasm_plugins.runtime.limits import ResourceLimits
from purewasm_plugins.runtime.memory import GrowRefusal, Memory
from purewasm_plugins.runtime.table import Table
from purewasm_plugins.support.typed import TYPE_CHECKING
from purewasm_plugins.support.version import VERSION
from purewasm_plugins.tools import (
    ApprovalRequest,
    CancellableTool,
    Cancellation,
    Decision,
    ToolCall,
    ToolCategory,
    ToolDefinition,
    ToolImpl,
    ToolRefusedError,
    ToolRegistry,
    ToolResult,
)
from purewasm_plugins.wasm.types import (
    FuncType,
    GlobalType,
    Limits,
    MemoryType,
    TableType,
    ValType,
)

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Any

    from purewasm_plugins.capabilities.http import Http
    from purewasm_plugins.capabilities.key_value import KeyValueStore
    from purewasm_plugins.command import CommandResult, run_command
    from purewasm_plugins.plugin.errors import (
        ManifestError,
        PluginHashError,
        PoolFullError,
        WorkerError,
    )
    from purewasm_plugins.plugin.mapping import MappedResult, map_tool
    from purewasm_plugins.plugin.pool import PluginPool
    from purewasm_plugins.plugin.watching import PluginChange, Watch
    from purewasm_plugins.wasi.clocks import FixedClock
    from purewasm_plugins.wasi.grants import Quotas, Wasi
    from purewasm_plugins.wasi.host_files import HostDirectory
    from purewasm_plugins.wasi.memory_files import MemoryDirectory, SymbolicLink
    from purewasm_plugins.wasm.text.assembler import assemble

__version__ = VERSION

#: The public names that are imported at their first use, as most programs use none of them, with
#: the modules that have them.
_LATER = {
    "CommandResult": "command",
    "FixedClock": "wasi.clocks",
    "HostDirectory": "wasi.host_files",
    "Http": "capabilities.http",
    "ManifestError": "plugin.errors",
    "KeyValueStore": "capabilities.key_value",
    "MappedResult": "plugin.mapping",
    "MemoryDirectory": "wasi.memory_files",
    "PluginChange": "plugin.watching",
    "PluginHashError": "plugin.errors",
    "PluginPool": "plugin.pool",
    "PoolFullError": "plugin.errors",
    "Quotas": "wasi.grants",
    "SymbolicLink": "wasi.memory_files",
    "Wasi": "wasi.grants",
    "Watch": "plugin.watching",
    "WorkerError": "plugin.errors",
    "assemble": "wasm.text.assembler",
    "map_tool": "plugin.mapping",
    "run_command": "command",
}

if not TYPE_CHECKING:

    def __getattr__(name: str) -> Any:
        """Import a public name at its first use."""
        if name not in _LATER:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        from importlib import import_module

        found = getattr(import_module(f"{__name__}.{_LATER[name]}"), name)
        globals()[name] = found
        return found


def example(name: str) -> Path:
    """Return the path of an example plugin that comes with the package; see `bundled.example`.

    Raises:
        PluginError: no example has that name.

    >>> WasmPlugin.load(example("c_json")).execute_tool("json_compact", "[1, 2]")
    '[1,2]'
    """
    # Imported here, so that `import purewasm_plugins` does not load it.
    from purewasm_plugins import bundled

    return bundled.example(name)


def examples() -> tuple[str, ...]:
    """Return the names of the example plugins that come with the package."""
    from purewasm_plugins import bundled

    return bundled.examples()


__all__ = [
    "AbiVersionError",
    "Aborted",
    "ApprovalRequest",
    "Caller",
    "CancellableTool",
    "Cancellation",
    "Cancelled",
    "CommandResult",
    "CompileError",
    "DeadlineExceeded",
    "Decision",
    "DecodeError",
    "DirectoryReport",
    "DiscoveryReport",
    "DuplicatePluginError",
    "DuplicateToolError",
    "Engine",
    "Exited",
    "ExportKindError",
    "Exports",
    "FixedClock",
    "FuncType",
    "Function",
    "Global",
    "GlobalType",
    "GrantError",
    "GrowRefusal",
    "HostDirectory",
    "Http",
    "Imports",
    "Instance",
    "InstantiateError",
    "InvalidArgumentsError",
    "InvalidOptionError",
    "InvalidString",
    "KeyValueStore",
    "Limits",
    "LinkError",
    "ManifestError",
    "MappedResult",
    "Memory",
    "MemoryDirectory",
    "MemoryInUse",
    "MemoryType",
    "MissingExportError",
    "Module",
    "NotACommandError",
    "OutOfFuel",
    "OutOfMemory",
    "PluginChange",
    "PluginClosedError",
    "PluginError",
    "PluginFileError",
    "PluginHashError",
    "PluginNotFoundError",
    "PluginOptions",
    "PluginPool",
    "PluginTool",
    "PoolFullError",
    "PureWasmError",
    "Quotas",
    "RawFunction",
    "RegistrationReport",
    "ResourceLimitError",
    "ResourceLimits",
    "StackFrame",
    "StringError",
    "SymbolicLink",
    "Table",
    "TableType",
    "TextError",
    "ToolCall",
    "ToolCategory",
    "ToolDefinition",
    "ToolError",
    "ToolExecutionError",
    "ToolFailedError",
    "ToolFormatError",
    "ToolImpl",
    "ToolNotFoundError",
    "ToolPolicy",
    "ToolRefusedError",
    "ToolRegistry",
    "ToolResult",
    "ToolSettings",
    "Trap",
    "TrapReason",
    "UnknownEngineError",
    "UnknownExportError",
    "ValType",
    "ValidationError",
    "VersionMismatchError",
    "Wasi",
    "WasmError",
    "WasmPlugin",
    "WasmPluginManager",
    "Watch",
    "WorkerError",
    "WrongExportTypeError",
    "__version__",
    "assemble",
    "example",
    "examples",
    "host_function",
    "instantiate",
    "map_tool",
    "run_command",
]
