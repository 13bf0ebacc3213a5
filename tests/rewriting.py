"""Valid modules changed in one respect: v128 kept from the border, or every call reported.

Section 5.5 of the core specification. Custom sections are dropped.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import chain
from typing import Any

from purewasm_plugins.wasm import (
    ElementSegment,
    ExternKind,
    FuncType,
    Module,
    Span,
    ValType,
    decode,
)
from purewasm_plugins.wasm.binary.instructions import instructions
from purewasm_plugins.wasm.binary.primitives import read_unsigned
from purewasm_plugins.wasm.opcodes import BY_MNEMONIC, Immediates
from tests.generators import (
    code,
    encode,
    function_type,
    i32_constant,
    module,
    name,
    section,
    unsigned,
    vector,
)

#: The sections in their order, by the names that `Module.sections` has, and their ids.
_SECTIONS = {
    "type": 1,
    "import": 2,
    "function": 3,
    "table": 4,
    "memory": 5,
    "global": 6,
    "export": 7,
    "start": 8,
    "element": 9,
    "data count": 12,
    "code": 10,
    "data": 11,
}

#: The module name of the imports that `traced` adds, and the name of the memory that it exports.
TRACE = "trace"
TRACE_MEMORY = "trace memory"


def _rebuilt(original: Module, replaced: dict[str, bytes]) -> bytes:
    """The module with other contents of the sections of these names."""
    contents = {
        entry.name: original.data[slice(*entry.content)]
        for entry in original.sections
        if entry.name != "custom"
    } | replaced
    return module(
        *(section(id_, contents[kind]) for kind, id_ in _SECTIONS.items() if kind in contents)
    )


def _extended(original: Module, section_name: str, items: Iterable[bytes]) -> bytes:
    """The content of a section that is a vector, with items added to its end."""
    added = list(items)
    for entry in original.sections:
        if entry.name == section_name:
            count, start = read_unsigned(original.data, entry.content.start)
            old = original.data[start : entry.content.end]
            return unsigned(count + len(added)) + old + b"".join(added)
    return vector(added)


def _integers(types: Iterable[ValType]) -> tuple[ValType, ...]:
    """Types with two i64 for each v128."""
    return tuple(
        chain.from_iterable(
            (ValType.I64, ValType.I64) if type_ is ValType.V128 else (type_,) for type_ in types
        )
    )


def _emit(mnemonic: str, *immediates: Any) -> bytes:
    return encode(BY_MNEMONIC[mnemonic], immediates)


def _halves(get: bytes) -> bytes:
    """The two i64 of the v128 that an instruction gets."""
    return b"".join(get + _emit("i64x2.extract_lane", lane) for lane in (0, 1))


def _get_as_integers(types: Sequence[ValType], first: int) -> bytes:
    """Push locals, `first` being the first one's index."""
    return b"".join(
        _halves(get) if type_ is ValType.V128 else get
        for type_, get in (
            (type_, _emit("local.get", local)) for local, type_ in enumerate(types, first)
        )
    )


def _get_from_integers(types: Sequence[ValType]) -> bytes:
    """Push values of the types out of the parameters, where each v128 is two i64."""
    pushed = bytearray()
    local = 0
    for type_ in types:
        pushed += _emit("local.get", local)
        local += 1
        if type_ is ValType.V128:
            pushed += _emit("i64x2.splat") + _emit("local.get", local)
            pushed += _emit("i64x2.replace_lane", 1)
            local += 1
    return bytes(pushed)


def _set(types: Sequence[ValType], first: int) -> bytes:
    """Pop values of the types into locals, `first` being the first one's index."""
    return b"".join(
        _emit("local.set", local) for local in reversed(range(first, first + len(types)))
    )


def without_vectors_at_border(data: bytes) -> bytes:
    """A module whose exports take and return two i64 for each v128.

    An exported global of type v128 becomes a function that returns its value.
    """
    original = decode(data)
    types: list[bytes] = []
    functions: list[bytes] = []
    bodies: list[bytes] = []
    exports: list[bytes] = []

    def add(type_: FuncType, locals_: Sequence[ValType], body: bytes) -> int:
        functions.append(unsigned(len(original.types) + len(types)))
        types.append(function_type(type_))
        bodies.append(code(locals_, body + b"\x0b"))
        return len(original.function_type_indices) + len(functions) - 1

    for export in original.exports:
        kind, index = export.kind, export.index
        if kind is ExternKind.FUNCTION:
            type_ = original.function_type(index)
            if ValType.V128 in type_.params + type_.results:
                border = FuncType(_integers(type_.params), _integers(type_.results))
                first = len(border.params)
                body = _get_from_integers(type_.params) + _emit("call", index)
                body += _set(type_.results, first) + _get_as_integers(type_.results, first)
                index = add(border, type_.results, body)
        elif kind is ExternKind.GLOBAL and original.global_types[index].value is ValType.V128:
            getter = FuncType((), (ValType.I64, ValType.I64))
            kind, index = ExternKind.FUNCTION, add(getter, (), _halves(_emit("global.get", index)))
        exports.append(name(export.name) + bytes((kind,)) + unsigned(index))
    if not functions:
        return data
    return _rebuilt(
        original,
        {
            "type": _extended(original, "type", types),
            "function": _extended(original, "function", functions),
            "export": vector(exports),
            "code": _extended(original, "code", bodies),
        },
    )


def _renumbered(data: bytes, span: Span, number: Callable[[int], int]) -> bytes:
    """Instructions with other indices of functions."""
    written = bytearray()
    copied = span.start
    pending: bytes | None = None
    for instruction in instructions(data, span):
        if pending is not None:
            written += pending
            copied = instruction.offset
            pending = None
        if instruction.opcode.immediates is Immediates.FUNCTION:
            written += data[copied : instruction.offset]
            pending = encode(instruction.opcode, (number(instruction.immediates[0]),))
    return bytes(written) + data[copied : span.end]


def _element_segment(data: bytes, segment: ElementSegment, number: Callable[[int], int]) -> bytes:
    expressions = bool(segment.items) and not isinstance(segment.items[0], int)
    # By expressions where the type is not that which indices of functions have.
    expressions = expressions or segment.type is not ValType.FUNCREF
    flags = {"active": 2, "passive": 1, "declarative": 3}[segment.mode] | expressions << 2
    written = unsigned(flags)
    if segment.offset is not None:
        written += unsigned(segment.table) + _renumbered(data, segment.offset, number)
    written += bytes((segment.type,)) if expressions else b"\0"
    return written + vector(
        unsigned(number(item)) if isinstance(item, int) else _renumbered(data, item, number)
        for item in segment.items
    )


def traced(data: bytes) -> bytes:
    """A module that reports each call of a function that it defines, and each return.

    It imports, from the module `trace`, for each function type that a function has, by its index,
    `enter 3` and `leave 3`: they take the function's index in `data`, and its parameters or its
    results, two i64 for each v128. The functions themselves are as they were but for the indices
    of those that they call: each is called by a new function, which reports, and stands where it
    stood. A memory that is not exported is exported as `trace memory`.
    """
    original = decode(data)
    first, count = original.imported_functions, len(original.functions)
    used = sorted({entry.type_index for entry in original.functions})
    reports: dict[int, int] = {}
    types: list[bytes] = []
    imports: list[bytes] = []
    for type_index in used:
        type_ = original.types[type_index]
        reports[type_index] = first + len(imports)
        for word, values in (("enter", type_.params), ("leave", type_.results)):
            reference = unsigned(len(original.types) + len(types))
            imports.append(name(TRACE) + name(f"{word} {type_index}") + b"\0" + reference)
            types.append(function_type(FuncType((ValType.I32, *_integers(values)), ())))
    shift = len(imports)

    def number(index: int) -> int:
        return index if index < first else index + shift

    reporting: list[bytes] = []
    moved: list[bytes] = []
    for index, entry in enumerate(original.functions, first):
        type_ = original.types[entry.type_index]
        enter = reports[entry.type_index]
        results = len(type_.params)
        body = i32_constant(index) + _get_as_integers(type_.params, 0) + _emit("call", enter)
        body += b"".join(_emit("local.get", local) for local in range(results))
        body += _emit("call", index + shift + count) + _set(type_.results, results)
        body += i32_constant(index) + _get_as_integers(type_.results, results)
        body += _emit("call", enter + 1)
        body += b"".join(
            _emit("local.get", local) for local in range(results, results + len(type_.results))
        )
        reporting.append(code(type_.results, body + b"\x0b"))
        locals_ = vector(unsigned(many) + bytes((type_,)) for many, type_ in entry.locals)
        content = locals_ + _renumbered(original.data, entry.body, number)
        moved.append(unsigned(len(content)) + content)
    indices = [unsigned(entry.type_index) for entry in original.functions]
    exports = [
        name(export.name)
        + bytes((export.kind,))
        + unsigned(number(export.index) if export.kind is ExternKind.FUNCTION else export.index)
        for export in original.exports
    ]
    if original.memory_types and not any(
        export.kind is ExternKind.MEMORY for export in original.exports
    ):
        exports.append(name(TRACE_MEMORY) + b"\x02\0")
    replaced = {
        "type": _extended(original, "type", types),
        "import": _extended(original, "import", imports),
        "function": vector(indices * 2),
        "export": vector(exports),
        "code": vector(reporting + moved),
    }
    if original.globals:
        replaced["global"] = vector(
            bytes((entry.type.value, entry.type.mutable))
            + _renumbered(original.data, entry.init, number)
            for entry in original.globals
        )
    if original.elements:
        replaced["element"] = vector(
            _element_segment(original.data, segment, number) for segment in original.elements
        )
    if original.start is not None:
        replaced["start"] = unsigned(number(original.start))
    return _rebuilt(original, replaced)
