"""Modules around one part that a test is about."""

from __future__ import annotations

from purewasm_plugins.wasm import FuncType, Limits, MemoryType, TableType, ValType
from purewasm_plugins.wasm.binary.encoder import (
    code,
    data_segment,
    element_segment,
    function_type,
    memory_type,
    module,
    section,
    table_type,
    unsigned,
    vector,
)


def function_module(type_: FuncType, body: bytes) -> bytes:
    """Make a module of one function, with a memory, two tables and segments for its use."""
    one = Limits(1)
    tables = (TableType(ValType.FUNCREF, one), TableType(ValType.EXTERNREF, one))
    return module(
        section("type", vector([function_type(type_)])),
        section("function", vector([unsigned(0)])),
        section("table", vector(map(table_type, tables))),
        section("memory", vector([memory_type(MemoryType(one))])),
        section("element", vector([element_segment("declarative", [0])])),
        section("data count", unsigned(1)),
        section("code", vector([code([], body)])),
        section("data", vector([data_segment(b"")])),
    )
