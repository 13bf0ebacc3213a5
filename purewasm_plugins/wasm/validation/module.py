"""Validation: a `Module` in, a `ValidModule` out (core specification, section 3 and appendix 7.3).

Here are the rules about everything but function bodies, which `bodies` goes through. A valid module
can still fail to link, trap or run forever; but no instruction of it meets operands, indices or
labels that are not there, so that engines need not look.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from typing import Any

from purewasm_plugins.errors import OutOfMemory, ValidationError
from purewasm_plugins.support.records import Record
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
    """A module that has been validated: the only thing that an engine accepts.

    `validate` and `load` make it; nothing else should.
    """

    module: Module

    def control(self, function: int) -> Control:
        """Where the blocks of a function that the module defines begin and end.

        Computed each time, in a fraction of what translating the function takes; keep what you use.

        Args:
            function: its index, imported functions counted.
        """
        recorder = Recorder()
        self._functions.validate(function, recorder)
        return recorder.control()

    @cached_property
    def names(self) -> Names:
        """What its name section calls things."""
        return read_names(self.module)

    @cached_property
    def kept(self) -> dict[str, Any]:
        """What engines keep with the module, as long as it lives, by a name that they choose."""
        return {}

    @cached_property
    def _functions(self) -> FunctionValidator:
        return FunctionValidator(self.module, _declared_references(self.module), again=True)


def load(data: bytes | bytearray | memoryview) -> ValidModule:
    """Decode and validate a module.

    Raises:
        DecodeError: the bytes are not a module.
        ValidationError: the module breaks a rule.
        OutOfMemory: Python has no room for what they define.
    """
    return validate(decode(data))


def validate(module: Module) -> ValidModule:
    """Check a module against every rule of validation.

    Raises:
        ValidationError: it breaks one.
        DecodeError: there is something in a function body that is not an instruction.
        OutOfMemory: Python has no room for what it takes.
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
    """Type indices and limits of everything that is imported or defined."""
    functions = module.function_type_indices
    if functions and max(functions) >= len(module.types):
        raise ValidationError(f"unknown type {max(functions)}")
    for what, count, maximum in (
        ("functions", len(functions), limits.MAX_FUNCTIONS),
        ("globals", len(module.global_types), limits.MAX_GLOBALS),
        ("tables", len(module.table_types), limits.MAX_TABLES),
    ):
        if count > maximum:
            raise ValidationError(f"too many {what}: {count}, of {maximum} at most")
    if len(module.memory_types) > 1:
        raise ValidationError("multiple memories are not supported")
    for memory in module.memory_types:
        message = "memory size must be at most 65536 pages (4GiB)"
        _check_limits(memory.limits, MAX_PAGES, MAX_PAGES, message)
    for table in module.table_types:
        entries = limits.MAX_TABLE_ELEMENTS
        message = f"table size must be at most {entries} entries"
        _check_limits(table.limits, entries, 1 << 32, message)


def _check_limits(limits: Limits, minimum: int, maximum: int, message: str) -> None:
    if limits.maximum is not None:
        if limits.maximum < limits.minimum:
            raise ValidationError("size minimum must not be greater than maximum")
        if limits.maximum > maximum:
            raise ValidationError(message)
    if limits.minimum > minimum:
        raise ValidationError(message)


def _check_globals(module: Module) -> None:
    for entry in module.globals:
        _check_constant(module, entry.init, entry.type.value)


def _check_segments(module: Module) -> None:
    functions = len(module.function_type_indices)
    for segment in module.elements:
        if segment.mode == "active":
            if segment.table >= len(module.table_types):
                raise ValidationError(f"unknown table {segment.table}")
            element = module.table_types[segment.table].element
            if element is not segment.type:
                raise ValidationError(f"type mismatch: expected {element}, found {segment.type}")
        if segment.offset is not None:
            _check_constant(module, segment.offset, ValType.I32)
        for item in segment.items:
            if isinstance(item, Span):
                _check_constant(module, item, segment.type)
            elif item >= functions:
                raise ValidationError(f"unknown function {item}")
    for data in module.data_segments:
        if data.offset is not None:
            if data.memory >= len(module.memory_types):
                raise ValidationError(f"unknown memory {data.memory}")
            _check_constant(module, data.offset, ValType.I32)


def _check_exports(module: Module) -> None:
    names = set()
    counts = {
        ExternKind.FUNCTION: len(module.function_type_indices),
        ExternKind.TABLE: len(module.table_types),
        ExternKind.MEMORY: len(module.memory_types),
        ExternKind.GLOBAL: len(module.global_types),
    }
    for export in module.exports:
        if export.index >= counts[export.kind]:
            raise ValidationError(f"unknown {export.kind} {export.index}")
        if export.name in names:
            raise ValidationError(f"duplicate export name {export.name!r}")
        names.add(export.name)


def _check_start(module: Module) -> None:
    if module.start is None:
        return
    if module.start >= len(module.function_type_indices):
        raise ValidationError(f"unknown function {module.start}")
    if module.function_type(module.start) != FuncType():
        raise ValidationError("start function: it must have no parameters and no results")


def _check_constant(module: Module, expression: Span, expected: ValType) -> None:
    """Check that an expression is constant, and of one type (section 3.3.10)."""
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
                # Only an imported global has its value by now.
                if index >= module.imported_globals:
                    raise ValidationError(f"unknown global {index}", offset=offset)
                if module.global_types[index].mutable:
                    message = "constant expression required: the global is mutable"
                    raise ValidationError(message, offset=offset)
                types.append(module.global_types[index].value)
            case Immediates.NONE if opcode.mnemonic == "end":
                pass
            case _:
                message = f"constant expression required: {opcode} is none"
                raise ValidationError(message, offset=offset)
    if types != [expected]:
        found = " ".join(map(str, types)) or "nothing"
        message = f"type mismatch: expected {expected}, found {found}"
        raise ValidationError(message, offset=expression.start)


def _declared_references(module: Module) -> frozenset[int]:
    """Return the functions that `ref.func` may name in a body: those named outside of bodies."""
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
