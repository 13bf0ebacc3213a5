"""Validation of modules (core specification, section 3 and appendix 7.3).

This file has the rules about everything but function bodies, which `bodies` has. A valid module can
still fail to link, trap or run without end. But every operand, index and label that its
instructions use exists, so engines do not check them.
"""

from __future__ import annotations

from purewasm_plugins.errors import OutOfMemory, ValidationError
from purewasm_plugins.support.light import cached_property
from purewasm_plugins.support.records import Record
from purewasm_plugins.support.typed import Any, Iterator
from purewasm_plugins.wasm import limits
from purewasm_plugins.wasm.binary.instructions import instructions
from purewasm_plugins.wasm.binary.sections import decode
from purewasm_plugins.wasm.module import Module, Span
from purewasm_plugins.wasm.opcodes import Immediates
from purewasm_plugins.wasm.symbols.names import Names, read_names
from purewasm_plugins.wasm.types import ExternKind, FuncType, Limits, ValType
from purewasm_plugins.wasm.validation.bodies import FunctionValidator
from purewasm_plugins.wasm.validation.control import Control, Recorder

__all__ = ["ValidModule", "load", "validate"]

#: The most pages that a memory can have: 4 GiB.
MAX_PAGES = 65_536


class ValidModule(Record, slots=False):
    """A module that has been validated; engines accept nothing else.

    Only `validate` and `load` may make one.
    """

    module: Module

    def control(self, function: int) -> Control:
        """Return the blocks of a function that the module defines.

        The result is computed at each call, in a fraction of the time that translation takes.

        Args:
            function: the index of the function; imported functions have the first indices.
        """
        recorder = Recorder()
        self._functions.validate(function, recorder)
        return recorder.control()

    @cached_property
    def names(self) -> Names:
        """The names in the module's name section."""
        return read_names(self.module)

    @cached_property
    def kept(self) -> dict[str, Any]:
        """Data that engines keep as long as the module exists, each under a name of its own."""
        return {}

    @cached_property
    def _functions(self) -> FunctionValidator:
        return FunctionValidator(self.module, _declared_references(self.module), again=True)


def load(data: bytes | bytearray | memoryview) -> ValidModule:
    """Decode and validate a module.

    Raises:
        DecodeError: the bytes are not a module.
        ValidationError: the module breaks a rule.
        OutOfMemory: Python has no memory for the module's definitions.
    """
    return validate(decode(data))


def validate(module: Module) -> ValidModule:
    """Check a module against every rule of validation.

    Raises:
        ValidationError: the module breaks a rule.
        DecodeError: a function body contains bytes that are not an instruction.
        OutOfMemory: Python has no memory for the validation.
    """
    try:
        _check(module)
        return ValidModule(module)
    except MemoryError:
        pass
    raise OutOfMemory


def _check(module: Module) -> None:
    _check_types(module)
    _check_globals(module)
    _check_segments(module)
    _check_exports(module)
    _check_start(module)
    functions = FunctionValidator(module, _declared_references(module))
    first = module.imported_functions
    for index in range(first, first + len(module.functions)):
        functions.validate(index)


def _check_types(module: Module) -> None:
    """Check the type indices and limits of all imports and definitions."""
    functions = module.function_type_indices
    if functions and max(functions) >= len(module.types):
        index = next(i for i, type_ in enumerate(functions) if type_ >= len(module.types))
        raise ValidationError(f"unknown type {functions[index]}", field=("function", index))
    for what, count, maximum in (
        ("functions", len(functions), limits.MAX_FUNCTIONS),
        ("globals", len(module.global_types), limits.MAX_GLOBALS),
        ("tables", len(module.table_types), limits.MAX_TABLES),
    ):
        if count > maximum:
            raise ValidationError(f"too many {what}: {count}, of {maximum} at most")
    if len(module.memory_types) > 1:
        raise ValidationError("multiple memories are not supported", field=("memory", 1))
    for index, memory in enumerate(module.memory_types):
        message = "memory size must be at most 65536 pages (4GiB)"
        _check_limits(memory.limits, MAX_PAGES, MAX_PAGES, message, ("memory", index))
    for index, table in enumerate(module.table_types):
        entries = limits.MAX_TABLE_ELEMENTS
        message = f"table size must be at most {entries} entries"
        _check_limits(table.limits, entries, 1 << 32, message, ("table", index))


def _check_limits(
    limits: Limits, minimum: int, maximum: int, message: str, field: tuple[str, int]
) -> None:
    if limits.maximum is not None:
        if limits.maximum < limits.minimum:
            raise ValidationError("size minimum must not be greater than maximum", field=field)
        if limits.maximum > maximum:
            raise ValidationError(message, field=field)
    if limits.minimum > minimum:
        raise ValidationError(message, field=field)


def _check_globals(module: Module) -> None:
    for entry in module.globals:
        _check_constant(module, entry.init, entry.type.value)


def _check_segments(module: Module) -> None:
    functions = len(module.function_type_indices)
    for index, segment in enumerate(module.elements):
        field = ("element", index)
        if segment.mode == "active":
            if segment.table >= len(module.table_types):
                raise ValidationError(f"unknown table {segment.table}", field=field)
            element = module.table_types[segment.table].element
            if element is not segment.type:
                message = f"type mismatch: expected {element}, found {segment.type}"
                raise ValidationError(message, field=field)
        if segment.offset is not None:
            _check_constant(module, segment.offset, ValType.I32)
        for item in segment.items:
            if isinstance(item, Span):
                _check_constant(module, item, segment.type)
            elif item >= functions:
                raise ValidationError(f"unknown function {item}", field=field)
    for index, data in enumerate(module.data_segments):
        if data.offset is not None:
            if data.memory >= len(module.memory_types):
                raise ValidationError(f"unknown memory {data.memory}", field=("data", index))
            _check_constant(module, data.offset, ValType.I32)


def _check_exports(module: Module) -> None:
    names = set()
    counts = {
        ExternKind.FUNCTION: len(module.function_type_indices),
        ExternKind.TABLE: len(module.table_types),
        ExternKind.MEMORY: len(module.memory_types),
        ExternKind.GLOBAL: len(module.global_types),
    }
    for index, export in enumerate(module.exports):
        field = ("export", index)
        if export.index >= counts[export.kind]:
            raise ValidationError(f"unknown {export.kind} {export.index}", field=field)
        if export.name in names:
            raise ValidationError(f"duplicate export name {export.name!r}", field=field)
        names.add(export.name)


def _check_start(module: Module) -> None:
    if module.start is None:
        return
    if module.start >= len(module.function_type_indices):
        raise ValidationError(f"unknown function {module.start}", field=("start", 0))
    if module.function_type(module.start) != FuncType():
        message = "start function: it must have no parameters and no results"
        raise ValidationError(message, field=("start", 0))


def _check_constant(module: Module, expression: Span, expected: ValType) -> None:
    """Check that an expression is constant and has a type (section 3.3.10)."""
    types: list[ValType] = []
    for instruction in instructions(module.data, expression):
        opcode, offset = instruction.opcode, instruction.offset
        match opcode.immediates:
            case (
                Immediates.I32 | Immediates.I64 | Immediates.F32 | Immediates.F64 | Immediates.V128
            ):
                types += opcode.results or ()
            case Immediates.REF_TYPE:
                types += instruction.immediates
            case Immediates.FUNCTION if opcode.mnemonic == "ref.func":
                (index,) = instruction.immediates
                if index >= len(module.function_type_indices):
                    raise ValidationError(f"unknown function {index}", offset=offset)
                types.append(ValType.FUNCREF)
            case Immediates.GLOBAL if opcode.mnemonic == "global.get":
                (index,) = instruction.immediates
                # In core 2.0 only an imported global is constant here.
                if index >= module.imported_globals:
                    raise ValidationError(f"unknown global {index}", offset=offset)
                if module.global_types[index].mutable:
                    message = "constant expression required: the global is mutable"
                    raise ValidationError(message, offset=offset)
                types.append(module.global_types[index].value)
            case Immediates.NONE if opcode.mnemonic == "end":
                pass
            case _:
                message = f"constant expression required: {opcode} is not constant"
                raise ValidationError(message, offset=offset)
    if types != [expected]:
        found = " ".join(map(str, types)) or "nothing"
        message = f"type mismatch: expected {expected}, found {found}"
        raise ValidationError(message, offset=expression.start)


def _declared_references(module: Module) -> frozenset[int]:
    """Return the functions that `ref.func` may use: those that occur outside of bodies."""
    return frozenset(_references(module))


def _references(module: Module) -> Iterator[int]:
    for export in module.exports:
        if export.kind is ExternKind.FUNCTION:
            yield export.index
    for entry in module.globals:
        yield from _functions_in(module, entry.init)
    for segment in module.elements:
        for item in segment.items:
            if isinstance(item, Span):
                yield from _functions_in(module, item)
            else:
                yield item


def _functions_in(module: Module, expression: Span) -> Iterator[int]:
    for instruction in instructions(module.data, expression):
        if instruction.opcode.mnemonic == "ref.func":
            yield instruction.immediates[0]
