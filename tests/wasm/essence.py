"""The content of a module without its encoding, for comparing modules."""

from __future__ import annotations

from typing import Any

from purewasm_plugins.wasm import FuncType, Module, Span, ValType
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
