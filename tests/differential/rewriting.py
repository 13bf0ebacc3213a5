"""Valid modules rewritten: no export takes or returns a v128, or every call is reported.

Section 5.5 of the core specification. Custom sections are dropped.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import chain

from purewasm_plugins.wasm import (
    ElementSegment,
    Export,
    ExternKind,
    FuncType,
    Import,
    Module,
    Span,
    ValType,
    decode,
)
from purewasm_plugins.wasm.binary.encoder import (
    code,
    element_segment,
    encode,
    export,
    function_type,
    global_type,
    import_,
    module,
    section,
    unsigned,
    vector,
)
from purewasm_plugins.wasm.binary.instructions import instructions
from purewasm_plugins.wasm.binary.primitives import read_unsigned
from purewasm_plugins.wasm.binary.sections import SECTION_IDS
from purewasm_plugins.wasm.opcodes import Immediates

#: The module name of the imports that `traced` adds, and the name of the memory that it exports.
TRACE = "trace"
TRACE_MEMORY = "trace memory"


def _rebuilt(original: Module, replaced: dict[str, bytes]) -> bytes:
    """Build a module with other contents of the sections of these names."""
    contents = {
        entry.name: original.data[slice(*entry.content)]
        for entry in original.sections
        if entry.name != "custom"
    } | replaced
    return module(*(section(kind, contents[kind]) for kind in SECTION_IDS if kind in contents))


def _extended(original: Module, section_name: str, items: Iterable[bytes]) -> bytes:
    """Append items to a section that is a vector; return its content."""
    added = list(items)
    for entry in original.sections:
        if entry.name == section_name:
            count, start = read_unsigned(original.data, entry.content.start)
            old = original.data[start : entry.content.end]
            return unsigned(count + len(added)) + old + b"".join(added)
    return vector(added)


def _integers(types: Iterable[ValType]) -> tuple[ValType, ...]:
    """Replace each v128 by two i64."""
    return tuple(
        chain.from_iterable(
            (ValType.I64, ValType.I64) if type_ is ValType.V128 else (type_,) for type_ in types
        )
    )


def _halves(get: bytes) -> bytes:
    """Push the two i64 of the v128 that an instruction pushes."""
    return b"".join(get + encode("i64x2.extract_lane", lane) for lane in (0, 1))


def _get_as_integers(types: Sequence[ValType], first: int) -> bytes:
    """Push locals; `first` is the index of the first one."""
    return b"".join(
        _halves(get) if type_ is ValType.V128 else get
        for type_, get in (
            (type_, encode("local.get", local)) for local, type_ in enumerate(types, first)
        )
    )


def _get_from_integers(types: Sequence[ValType]) -> bytes:
    """Push values of these types from the parameters, in which each v128 is two i64."""
    pushed = bytearray()
    local = 0
    for type_ in types:
        pushed += encode("local.get", local)
        local += 1
        if type_ is ValType.V128:
            pushed += encode("i64x2.splat") + encode("local.get", local)
            pushed += encode("i64x2.replace_lane", 1)
            local += 1
    return bytes(pushed)


def _set(types: Sequence[ValType], first: int) -> bytes:
    """Pop values of these types into locals; `first` is the index of the first one."""
    return b"".join(
        encode("local.set", local) for local in reversed(range(first, first + len(types)))
    )


def without_vectors_at_border(data: bytes) -> bytes:
    """Rewrite a module so that its exports take and return two i64 for each v128.

    An exported global of type v128 becomes a function that returns its value.
    """
    original = decode(data)
    types: list[bytes] = []
    functions: list[bytes] = []
    bodies: list[bytes] = []
    exports: list[Export] = []

    def add(type_: FuncType, locals_: Sequence[ValType], body: bytes) -> int:
        functions.append(unsigned(len(original.types) + len(types)))
        types.append(function_type(type_))
        bodies.append(code([(1, type_) for type_ in locals_], body + encode("end")))
        return len(original.function_type_indices) + len(functions) - 1

    for entry in original.exports:
        kind, index = entry.kind, entry.index
        if kind is ExternKind.FUNCTION:
            type_ = original.function_type(index)
            if ValType.V128 in type_.params + type_.results:
                border = FuncType(_integers(type_.params), _integers(type_.results))
                first = len(border.params)
                body = _get_from_integers(type_.params) + encode("call", index)
                body += _set(type_.results, first) + _get_as_integers(type_.results, first)
                index = add(border, type_.results, body)
        elif kind is ExternKind.GLOBAL and original.global_types[index].value is ValType.V128:
            getter = FuncType((), (ValType.I64, ValType.I64))
            kind, index = ExternKind.FUNCTION, add(getter, (), _halves(encode("global.get", index)))
        exports.append(Export(entry.name, kind, index))
    if not functions:
        return data
    return _rebuilt(
        original,
        {
            "type": _extended(original, "type", types),
            "function": _extended(original, "function", functions),
            "export": vector(map(export, exports)),
            "code": _extended(original, "code", bodies),
        },
    )


def _renumbered(data: bytes, span: Span, number: Callable[[int], int]) -> bytes:
    """Copy instructions with other indices of functions."""
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
            pending = encode(instruction.opcode, number(instruction.immediates[0]))
    return bytes(written) + data[copied : span.end]


def _element_segment(data: bytes, segment: ElementSegment, number: Callable[[int], int]) -> bytes:
    items = [
        number(item) if isinstance(item, int) else _renumbered(data, item, number)
        for item in segment.items
    ]
    offset = b"" if segment.offset is None else _renumbered(data, segment.offset, number)
    return element_segment(
        segment.mode, items, type_=segment.type, table=segment.table, offset=offset
    )


def traced(data: bytes) -> bytes:
    """Rewrite a module so that it reports each call of a function that it defines, and each return.

    For each type that such a function has, for example that with the index 3, the result imports
    `enter 3` and `leave 3` from the module `trace`. They take the function's index in `data`, and
    its parameters or its results, with two i64 for each v128. Each function is replaced, at its
    index, by a new one that reports and calls it; the original ones follow, unchanged but for the
    indices of the functions that they call. A memory that is not exported is exported as
    `trace memory`.
    """
    original = decode(data)
    first, count = original.imported_functions, len(original.functions)
    used = sorted({entry.type_index for entry in original.functions})
    reports: dict[int, int] = {}
    types: list[bytes] = []
    imports: list[Import] = []
    for type_index in used:
        type_ = original.types[type_index]
        reports[type_index] = first + len(imports)
        for word, values in (("enter", type_.params), ("leave", type_.results)):
            reference = len(original.types) + len(types)
            imports.append(Import(TRACE, f"{word} {type_index}", reference))
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
        body = (
            encode("i32.const", index) + _get_as_integers(type_.params, 0) + encode("call", enter)
        )
        body += b"".join(encode("local.get", local) for local in range(results))
        body += encode("call", index + shift + count) + _set(type_.results, results)
        body += encode("i32.const", index) + _get_as_integers(type_.results, results)
        body += encode("call", enter + 1)
        body += b"".join(
            encode("local.get", local) for local in range(results, results + len(type_.results))
        )
        reporting.append(code([(1, type_) for type_ in type_.results], body + encode("end")))
        moved.append(code(entry.locals, _renumbered(original.data, entry.body, number)))
    indices = [unsigned(entry.type_index) for entry in original.functions]
    exports = [
        Export(
            entry.name,
            entry.kind,
            number(entry.index) if entry.kind is ExternKind.FUNCTION else entry.index,
        )
        for entry in original.exports
    ]
    if original.memory_types and all(entry.kind is not ExternKind.MEMORY for entry in exports):
        exports.append(Export(TRACE_MEMORY, ExternKind.MEMORY, 0))
    replaced = {
        "type": _extended(original, "type", types),
        "import": _extended(original, "import", map(import_, imports)),
        "function": vector(indices * 2),
        "export": vector(map(export, exports)),
        "code": vector(reporting + moved),
    }
    if original.globals:
        replaced["global"] = vector(
            global_type(definition.type) + _renumbered(original.data, definition.init, number)
            for definition in original.globals
        )
    if original.elements:
        replaced["element"] = vector(
            _element_segment(original.data, segment, number) for segment in original.elements
        )
    if original.start is not None:
        replaced["start"] = unsigned(number(original.start))
    return _rebuilt(original, replaced)
