"""Modules: decoding and validation, from bytes to a `ValidModule`. No execution and no I/O."""

from purewasm_plugins.wasm.binary.instructions import Instruction, instructions
from purewasm_plugins.wasm.binary.sections import decode
from purewasm_plugins.wasm.module import (
    Code,
    CustomSection,
    DataSegment,
    ElementSegment,
    Export,
    Global,
    Import,
    Module,
    Section,
    Span,
)
from purewasm_plugins.wasm.types import (
    PAGE_SIZE,
    ExternKind,
    ExternType,
    FuncType,
    GlobalType,
    Limits,
    MemoryType,
    TableType,
    ValType,
)
from purewasm_plugins.wasm.validation.control import Block, Control
from purewasm_plugins.wasm.validation.module import ValidModule, load, validate

__all__ = [
    "PAGE_SIZE",
    "Block",
    "Code",
    "Control",
    "CustomSection",
    "DataSegment",
    "ElementSegment",
    "Export",
    "ExternKind",
    "ExternType",
    "FuncType",
    "Global",
    "GlobalType",
    "Import",
    "Instruction",
    "Limits",
    "MemoryType",
    "Module",
    "Section",
    "Span",
    "TableType",
    "ValType",
    "ValidModule",
    "decode",
    "instructions",
    "load",
    "validate",
]
