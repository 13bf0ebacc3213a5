"""What makes two modules equal, and what wasmtime thinks of a module."""

from __future__ import annotations

import functools
from typing import Any

import wasmtime

from purewasm_plugins.errors import DecodeError, ValidationError
from purewasm_plugins.wasm import FuncType, Module, Span, ValType, load
from purewasm_plugins.wasm.binary.instructions import instructions


def essence(module: Module) -> dict[str, Any]:
    """What a module is, however its bytes say it: two modules are equal if these are.

    Left out are custom sections and the data count; block types are resolved, locals listed.
    """
    return {
        "types": module.types,
        "imports": module.imports,
        "tables": module.tables,
        "memories": module.memories,
        "exports": module.exports,
        "start": module.start,
        "globals": [(entry.type, _code(module, entry.init)) for entry in module.globals],
        "elements": [
            (
                segment.mode,
                segment.table,
                segment.offset and _code(module, segment.offset),
                segment.type,
                [_code(module, i) if isinstance(i, Span) else i for i in segment.items],
            )
            for segment in module.elements
        ],
        "data": [
            (
                segment.memory,
                segment.offset and _code(module, segment.offset),
                module.data[slice(*segment.init)],
            )
            for segment in module.data_segments
        ],
        "functions": [
            (
                code.type_index,
                [type_ for count, type_ in code.locals for _ in range(count)],
                _code(module, code.body),
            )
            for code in module.functions
        ],
    }


def _code(module: Module, span: Span) -> list[tuple[int, tuple[Any, ...]]]:
    found = []
    for instruction in instructions(module.data, span):
        immediates = instruction.immediates
        if instruction.opcode.mnemonic in ("block", "loop", "if"):
            (type_,) = immediates
            if isinstance(type_, ValType):
                immediates = (FuncType((), (type_,)),)
            else:
                immediates = (FuncType() if type_ is None else module.types[type_],)
        found.append((instruction.opcode.code, immediates))
    return found


def wasmtime_config() -> wasmtime.Config:
    """Wasmtime with the features of core 2.0 and, as it cannot be told otherwise, extended
    constant expressions."""
    config = wasmtime.Config()
    for feature in (
        "tail_call",
        "threads",
        "multi_memory",
        "memory64",
        "relaxed_simd",
        "component_model",
        "exceptions",
        "function_references",
        "gc",
        "wide_arithmetic",
        "custom_page_sizes",
        "stack_switching",
    ):
        setattr(config, f"wasm_{feature}", False)
    return config


@functools.cache
def wasmtime_engine() -> wasmtime.Engine:
    """An engine of `wasmtime_config`."""
    return wasmtime.Engine(wasmtime_config())


def wasmtime_objection(data: bytes) -> str | None:
    """Why wasmtime refuses a module; None where it is valid."""
    try:
        wasmtime.Module.validate(wasmtime_engine(), data)
    except wasmtime.WasmtimeError as error:
        return str(error)
    return None


#: What we refuse and wasmtime accepts: extended constant expressions, which cannot be turned off,
#: and tables that no browser would take.
_STRICTER = ("constant expression required", "table size must be at most")


def outcome(data: bytes) -> str:
    """Load a module that may be anything.

    Returns:
        "valid", "malformed" or "invalid". Nothing else must come of it, and wasmtime has to agree
        whether it is valid.

    Raises:
        AssertionError: wasmtime does not.
    """
    try:
        load(data)
    except DecodeError as error:
        refused, kind = str(error), "malformed"
    except ValidationError as error:
        refused, kind = str(error), "invalid"
    else:
        refused, kind = "", "valid"
    objection = wasmtime_objection(data)
    if (kind == "valid") != (objection is None) and not refused.startswith(_STRICTER):
        raise AssertionError(
            f"we say: {refused or 'valid'}; wasmtime says: {objection or 'valid'}; {data.hex()}"
        )
    return kind
