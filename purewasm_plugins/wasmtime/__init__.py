"""The interface of `wasmtime`, Python's bindings of Wasmtime, over this package's runtime.

    import purewasm_plugins.wasmtime as wasmtime

The names are those of `wasmtime`, and behave in the same way.
"""

from purewasm_plugins.wasmtime.config import Config
from purewasm_plugins.wasmtime.engine import Engine
from purewasm_plugins.wasmtime.errors import ExitTrap, WasmtimeError
from purewasm_plugins.wasmtime.functions import Caller, Func
from purewasm_plugins.wasmtime.globals import Global
from purewasm_plugins.wasmtime.installing import install as install
from purewasm_plugins.wasmtime.instances import Instance
from purewasm_plugins.wasmtime.linker import InstancePre, Linker
from purewasm_plugins.wasmtime.managed import Managed
from purewasm_plugins.wasmtime.memories import Memory
from purewasm_plugins.wasmtime.modules import Module
from purewasm_plugins.wasmtime.shared_memory import SharedMemory
from purewasm_plugins.wasmtime.store import Store, StoreContext, Storelike
from purewasm_plugins.wasmtime.tables import Table
from purewasm_plugins.wasmtime.tags import Tag
from purewasm_plugins.wasmtime.text import wat2wasm
from purewasm_plugins.wasmtime.traps import Frame, Trap, TrapCode
from purewasm_plugins.wasmtime.types import (
    ExportType,
    FuncType,
    GlobalType,
    ImportType,
    Limits,
    MemoryType,
    TableType,
    TagType,
    ValType,
)
from purewasm_plugins.wasmtime.values import Val
from purewasm_plugins.wasmtime.wasi import DirPerms, FilePerms, WasiConfig

__all__ = [
    "Caller",
    "Config",
    "DirPerms",
    "Engine",
    "ExitTrap",
    "ExportType",
    "FilePerms",
    "Frame",
    "Func",
    "FuncType",
    "Global",
    "GlobalType",
    "ImportType",
    "Instance",
    "InstancePre",
    "Limits",
    "Linker",
    "Managed",
    "Memory",
    "MemoryType",
    "Module",
    "SharedMemory",
    "Store",
    "StoreContext",
    "Storelike",
    "Table",
    "TableType",
    "Tag",
    "TagType",
    "Trap",
    "TrapCode",
    "Val",
    "ValType",
    "WasiConfig",
    "WasmtimeError",
    "wat2wasm",
]
