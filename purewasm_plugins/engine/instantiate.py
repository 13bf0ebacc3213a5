"""From a valid module and imports to an instance (core specification, 4.5.4), for every engine.

Import matching, allocation, segments and the start function live here; an engine adds the code of
the functions. Everything is checked before anything is allocated.
"""

from __future__ import annotations

import gc

from purewasm_plugins.cache.protocol import CodeCache
from purewasm_plugins.engine.protocol import Engine
from purewasm_plugins.errors import LinkError, OutOfMemory, UnknownEngineError, WasmError
from purewasm_plugins.runtime.imports import Imports
from purewasm_plugins.runtime.instance import (
    Exports,
    Extern,
    Function,
    Global,
    HostState,
    Instance,
    RawFunction,
)
from purewasm_plugins.runtime.limits import ResourceLimits
from purewasm_plugins.runtime.memory import Memory
from purewasm_plugins.runtime.table import Table
from purewasm_plugins.runtime.values import f32_from_bits, f64_from_bits
from purewasm_plugins.support.typed import Any, Mapping
from purewasm_plugins.wasm import Module, ValidModule, load, validate
from purewasm_plugins.wasm.binary.instructions import instructions
from purewasm_plugins.wasm.module import Export, Import, Span
from purewasm_plugins.wasm.types import (
    ExternKind,
    ExternType,
    FuncType,
    GlobalType,
    Limits,
    MemoryType,
    TableType,
)

#: The names that `engine_named` takes, the default first.
ENGINES = ("translator", "pywasm")


def engine_named(engine: str | Engine | None, cache: CodeCache | None = None) -> Engine:
    """Return the engine of that name; the default one for None.

    Args:
        engine: a name, an engine, or None.
        cache: where the translator keeps the code that it makes.

    Raises:
        UnknownEngineError: there is none of that name, or it cannot run here.
        TypeError: it is neither a name nor an engine.
    """
    # An engine is imported only when it is asked for: each takes as long as all the rest.
    if engine is None or engine == "translator":
        from purewasm_plugins.engine.translator import Translator

        return Translator(cache=cache)
    if engine == "pywasm":
        from purewasm_plugins.engine.reference.engine import Interpreter

        return Interpreter()
    if isinstance(engine, str):
        raise UnknownEngineError(engine, ENGINES)
    if not callable(getattr(engine, "link", None)):
        raise TypeError(f"expected an engine or its name, got {type(engine).__name__}")
    return engine


def instantiate(
    data_or_module: bytes | Module | ValidModule,
    imports: Imports | None = None,
    *,
    engine: str | Engine | None = None,
    limits: ResourceLimits | None = None,
    wasi: HostState | None = None,
) -> Instance:
    """Make an instance of a module and run its start function.

    Args:
        data_or_module, imports, engine, limits: as for `instantiate` of the package, which adds
            functions of WASI to the imports.
        wasi: what the functions of WASI among the imports hold; None where there are none.

    Raises:
        DecodeError, ValidationError: the module is not valid.
        LinkError: an import is missing or does not match its declaration.
        UnknownEngineError: there is no such engine, or it cannot run here.
        ResourceLimitError: the module declares more than the limits allow.
        Trap: a segment does not fit, or the start function trapped.
        OutOfMemory: Python has no room for the instance.
    """
    chosen = engine_named(engine)
    limits = limits or ResourceLimits()
    valid = valid_module(data_or_module)
    imported = _match_imports(valid.module, {} if imports is None else imports)
    _check_declared_sizes(valid.module, limits)
    instance: Instance | None = None
    # All that is made lives as long as the instance. Python would search it for cycles after every
    # 700 objects, which takes seven times as long as to make it.
    collecting = gc.isenabled()
    try:
        gc.disable()
        instance = _allocated(valid, imported, chosen, limits, wasi)
        _apply_segments(instance)
    except MemoryError:
        instance = None
    finally:
        if collecting:
            gc.enable()
    if instance is None:
        # Outside of the handler what had been made is freed, and there is room again.
        raise OutOfMemory
    if valid.module.start is not None:
        instance.functions[valid.module.start]()
    return instance


def _allocated(
    valid: ValidModule,
    imported: list[Extern],
    engine: Engine,
    limits: ResourceLimits,
    wasi: HostState | None,
) -> Instance:
    """Return an instance in which no code has run and no segment was applied."""
    module = valid.module
    instance = Instance(valid, limits)
    if wasi is not None:
        instance.wasi = wasi
    instance.functions = [
        extern.imported_by(instance) for extern in imported if isinstance(extern, Function)
    ]
    instance.tables = [extern for extern in imported if isinstance(extern, Table)]
    instance.memories = [extern for extern in imported if isinstance(extern, Memory)]
    instance.globals = [extern for extern in imported if isinstance(extern, Global)]

    names = {e.index: e.name for e in module.exports if e.kind is ExternKind.FUNCTION}
    first = module.imported_functions
    defined = [
        Function.defined(module.types[code.type_index], instance, index, names.get(index))
        for index, code in enumerate(module.functions, first)
    ]
    instance.functions += defined
    own_tables: list[Table] = []
    for type in module.tables:
        own_tables.append(Table(type, limits=limits, beside=own_tables))
    instance.tables += own_tables
    instance.memories += [Memory(type, limits) for type in module.memories]
    for entry in module.globals:
        cell = Global(entry.type)
        cell.raw = _evaluate(instance, entry.init)
        instance.globals.append(cell)
    instance.element_segments = [
        [_element(instance, item) for item in segment.items] for segment in module.elements
    ]
    # Views: the bytes are there already.
    data = memoryview(module.data)
    instance.data_segments = [
        data[segment.init.start : segment.init.end] for segment in module.data_segments
    ]
    instance.exports = Exports({e.name: _exported(instance, e) for e in module.exports})
    for function, code_entry in zip(defined, engine.link(instance), strict=True):
        function.entry = code_entry
    return instance


def valid_module(data_or_module: bytes | Module | ValidModule) -> ValidModule:
    """Return a module that an engine accepts.

    Raises:
        DecodeError, ValidationError: it is not valid.
        TypeError: it is neither bytes nor a module.
    """
    match data_or_module:
        case ValidModule():
            return data_or_module
        case Module():
            return validate(data_or_module)
        case bytes() | bytearray() | memoryview():
            return load(bytes(data_or_module))
    raise TypeError(
        f"expected the bytes of a module or a module, got {type(data_or_module).__name__}"
    )


def _match_imports(module: Module, imports: Imports) -> list[Extern]:
    return [_match_import(module, entry, imports) for entry in module.imports]


def _match_import(module: Module, entry: Import, imports: Imports) -> Extern:
    """Return what is given for an import, if its type fits (core specification, 4.5.2)."""
    wanted = module.import_type(entry)
    try:
        given = imports[entry.module][entry.name]
    except KeyError:
        raise LinkError(entry.module, entry.name, available=_given(imports)) from None
    if isinstance(wanted, FuncType) and not isinstance(given, Function):
        name = f"{entry.module}.{entry.name}"
        if isinstance(given, RawFunction):
            given = Function(wanted, given.function, name=name, raw=True)
        elif callable(given):
            given = Function(wanted, given, name=name)
    matches, found = _matches(wanted, given)
    if not matches:
        details = f"incompatible import type: expected {wanted}, got {found}"
        raise LinkError(entry.module, entry.name, details)
    return given  # type: ignore[no-any-return]


def _given(imports: Imports) -> tuple[str, ...]:
    """Return the names of what the host gives, where its namespaces tell them."""
    if not isinstance(imports, Mapping):
        return ()
    return tuple(
        f"{module}.{name}"
        for module, namespace in imports.items()
        if isinstance(namespace, Mapping)
        for name in namespace
    )


def _matches(wanted: ExternType, given: Any) -> tuple[bool, str]:
    """Return whether an external value has a type, and the type it has, as text."""
    match wanted, given:
        case FuncType(), Function():
            return given.type == wanted, str(given.type)
        case GlobalType(), Global():
            return given.type == wanted, str(given.type)
        case TableType(), Table():
            now = Limits(len(given), given.type.limits.maximum)
            fits = wanted.limits.admits(now.minimum, now.maximum)
            found = TableType(given.type.element, now)
            return fits and given.type.element is wanted.element, str(found)
        case MemoryType(), Memory():
            now = Limits(given.pages, given.type.limits.maximum)
            return wanted.limits.admits(now.minimum, now.maximum), str(MemoryType(now))
    return False, type(given).__name__


def _check_declared_sizes(module: Module, limits: ResourceLimits) -> None:
    for memory in module.memories:
        limits.check("memory_pages", memory.limits.minimum)
    limits.check("table_elements", sum(table.limits.minimum for table in module.tables))
    kept = [segment.items for segment in module.elements if segment.mode != "declarative"]
    limits.check("table_elements", sum(map(len, kept)))


def _evaluate(instance: Instance, expression: Span) -> Any:
    """Return the raw value of a constant expression (core specification, 3.3.10)."""
    instruction = next(instructions(instance.module.module.data, expression))
    (immediate,) = instruction.immediates
    match instruction.opcode.mnemonic:
        case "i32.const":
            return immediate & 0xFFFFFFFF
        case "i64.const":
            return immediate & 0xFFFFFFFFFFFFFFFF
        case "f32.const":
            return f32_from_bits(immediate)
        case "f64.const":
            return f64_from_bits(immediate)
        case "v128.const":
            return immediate
        case "ref.null":
            return None
        case "ref.func":
            return instance.functions[immediate]
        case "global.get":
            return instance.globals[immediate].raw
    raise WasmError(
        f"{instruction.opcode} is no constant instruction: the validator let it through"
    )


def _element(instance: Instance, item: int | Span) -> Any:
    return instance.functions[item] if isinstance(item, int) else _evaluate(instance, item)


def _exported(instance: Instance, entry: Export) -> Extern:
    match entry.kind:
        case ExternKind.FUNCTION:
            return instance.functions[entry.index]
        case ExternKind.TABLE:
            return instance.tables[entry.index]
        case ExternKind.MEMORY:
            return instance.memories[entry.index]
    return instance.globals[entry.index]


def _apply_segments(instance: Instance) -> None:
    """Copy the active segments into place and drop them. What was written before a trap stays."""
    module = instance.module.module
    for index, segment in enumerate(module.elements):
        if segment.offset is not None:
            references = instance.element_segments[index]
            offset = _evaluate(instance, segment.offset)
            instance.tables[segment.table].init(references, offset, 0, len(references))
        if segment.mode != "passive":
            instance.element_segments[index] = []
    for index, data in enumerate(module.data_segments):
        if data.offset is not None:
            content = instance.data_segments[index]
            offset = _evaluate(instance, data.offset)
            instance.memories[data.memory].init(content, offset, 0, len(content))
            instance.data_segments[index] = b""
