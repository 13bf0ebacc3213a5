"""Validation of function bodies, in one pass over the bytes of each (appendix 7.3).

The algorithm is the specification's, with its two stacks. The operand stack is a state of an
automaton (`operands`), so most instructions are one look-up. The control stack is a list, so nested
blocks cause no recursion. Instructions are decoded in the same pass: `FunctionValidator.validate`
decodes the common ones itself; `instructions.read_immediates` and `_effect` decode and check the
others.

Loading a module spends most of its time in this loop. It takes 0.33 µs for an instruction, less
than two calls of a Python function take; so it is one function.
"""

from __future__ import annotations

import sys
from bisect import bisect_right
from itertools import accumulate

from purewasm_plugins.errors import DecodeError, ValidationError, WasmError
from purewasm_plugins.support.records import Record
from purewasm_plugins.support.typed import Any
from purewasm_plugins.wasm.binary.instructions import read_immediates, read_opcode
from purewasm_plugins.wasm.binary.primitives import read_signed, read_unsigned
from purewasm_plugins.wasm.limits import (
    BYTES_PER_OPERAND_CHECK,
    MAX_NESTED_BLOCKS,
    MAX_OPERAND_CHECKS,
    MAX_OPERANDS,
)
from purewasm_plugins.wasm.module import Code, Module
from purewasm_plugins.wasm.opcodes import BY_CODE, OPCODES, Immediates, Opcode
from purewasm_plugins.wasm.types import FuncType, ValType
from purewasm_plugins.wasm.validation.control import Recorder
from purewasm_plugins.wasm.validation.operands import (
    DROP,
    EFFECTS,
    REF_IS_NULL,
    SELECT,
    BlockEnd,
    Effect,
    OperandStack,
    Refused,
)

__all__ = ["FunctionValidator"]

_Types = tuple[ValType, ...]

_PUSH_I32 = EFFECTS[(), (ValType.I32,)]
_PUSH_I64 = EFFECTS[(), (ValType.I64,)]
_PUSH_F32 = EFFECTS[(), (ValType.F32,)]
_PUSH_F64 = EFFECTS[(), (ValType.F64,)]
_POP_I32 = EFFECTS[(ValType.I32,), ()]

#: The effects of the instructions whose type does not depend on their immediates.
_FIXED: dict[int, Effect] = {
    opcode.code: EFFECTS[opcode.params, opcode.results]
    for opcode in OPCODES
    if opcode.params is not None and opcode.results is not None
}

#: By first byte: the effect of an instruction of one byte without immediates.
_PLAIN: list[Effect | None] = [None] * 256
for _opcode in OPCODES:
    if _opcode.immediates is Immediates.NONE and _opcode.code in _FIXED and _opcode.code < 0x100:
        _PLAIN[_opcode.code] = _FIXED[_opcode.code]
_PLAIN[0x1A] = DROP
_PLAIN[0x1B] = SELECT
_PLAIN[0xD1] = REF_IS_NULL

#: By first byte: the natural alignment of a memory access; -1 for other instructions.
_ALIGNMENTS = [
    BY_CODE[code].alignment
    if code in BY_CODE and BY_CODE[code].immediates is Immediates.MEMARG
    else -1
    for code in range(256)
]

#: The number of block types, and of lists of locals, that are kept.
_REMEMBERED = 64

#: The number of locals that an index of one byte can select.
_SHORT = 128


class _Label:
    """The target of a branch, with the effects of branches to it."""

    __slots__ = ("branch", "branch_if", "types")

    def __init__(self, types: _Types, branch: Effect, branch_if: Effect) -> None:
        self.types = types
        self.branch = branch
        self.branch_if = branch_if


class _Shape(Record):
    """The effects and stacks of a block type."""

    type: FuncType
    enter: Effect  # pops the parameters from the outer stack
    leave: Effect  # pushes the results on the outer stack
    start: OperandStack  # the inner stack at the beginning
    end: OperandStack  # the inner stack at the end of reachable code
    ending: BlockEnd  # checks any other inner stack at the end
    label: _Label
    loop_label: _Label


#: The effects of `local.get`, of `local.set` and of `local.tee`, by index.
_LocalAccess = tuple[list[Effect], list[Effect], list[Effect]]


class _Calls(dict[int, Effect]):
    """The effects of calls by function, made at their first use."""

    def __init__(self, validator: FunctionValidator) -> None:
        super().__init__()
        self._validator = validator

    def __missing__(self, function: int) -> Effect:
        type_ = self._validator.module.function_type(function)
        effect = self[function] = self._validator.signature(type_.params, type_.results)
        return effect


class FunctionValidator:
    """A validator of the functions of a module whose other parts are valid."""

    def __init__(
        self, module: Module, declared_references: frozenset[int], *, again: bool = False
    ) -> None:
        """Prepare for the functions of a module.

        Args:
            module: the module.
            declared_references: the functions that `ref.func` may use.
            again: whether the module is known to be valid, so that the work is not bounded.
        """
        self.module = module
        self._declared = declared_references
        self._effects = dict(EFFECTS)
        checks = MAX_OPERAND_CHECKS + len(module.data) // BYTES_PER_OPERAND_CHECK
        if again:
            checks = sys.maxsize
        self._empty = OperandStack(checks)
        self._polymorphic = OperandStack(checks, polymorphic=True)

        # Effects by function, by type, by global, and by the first byte of a memory access.
        self._calls = _Calls(self)
        self._indirect_calls: dict[int, Effect] = {}
        self._global_gets = [self.signature((), (type_.value,)) for type_ in module.global_types]
        immutable = Refused("global is immutable")
        self._global_sets = [
            self.signature((type_.value,), ()) if type_.mutable else immutable
            for type_ in module.global_types
        ]
        no_memory = None if module.memory_types else Refused("unknown memory 0")
        # `_ALIGNMENTS` excludes all bytes that are not memory accesses.
        self._accesses = [no_memory or _FIXED.get(code, DROP) for code in range(256)]

        # Shapes by type index, which is complemented for a function; and by a block type's one
        # byte.
        self._shapes: dict[int, _Shape] = {}
        self._short_shapes = {0x40: self._shape(FuncType())}
        for type_ in ValType:
            self._short_shapes[type_] = self._shape(FuncType((), (type_,)))
        #: The ends of the groups of locals of the function `_declared_by`.
        self._declared_by: Code | None = None
        self._ends: list[int] = []
        self._locals: dict[tuple[_Types, tuple[tuple[int, ValType], ...]], _LocalAccess] = {}

    def signature(self, params: _Types, results: _Types) -> Effect:
        """Return the effect of a signature."""
        effect = self._effects.get((params, results))
        if effect is None:
            effect = self._effects[params, results] = Effect(params, results)
        return effect

    def _label(self, types: _Types) -> _Label:
        branch = self.signature(types, ())
        return _Label(types, branch, self.signature((*types, ValType.I32), types))

    def _shape(self, type_: FuncType) -> _Shape:
        params, results = type_.params, type_.results
        enter, leave = self.signature(params, ()), self.signature((), results)
        return _Shape(
            type_,
            enter,
            leave,
            self._empty[self.signature((), params)],
            self._empty[leave],
            BlockEnd(results),
            self._label(results),
            self._label(params),
        )

    def _function_shape(self, code: Code) -> _Shape:
        """Return the shape of a function: a block with its results and without parameters."""
        results = self.module.types[code.type_index].results
        if len(results) <= 1:
            return self._short_shapes[results[0] if results else 0x40]
        return self._remembered_shape(~code.type_index, FuncType((), results))

    def _block_shape(self, position: int) -> tuple[_Shape, int]:
        """Return the shape of the block type at `position`, and the position after it."""
        (index,), after = read_immediates(self.module.data, position, BY_CODE[0x02])
        shape = self._remembered_shape(index, self._type(index))
        if after == position + 1:
            self._short_shapes[index] = shape
        return shape, after

    def _remembered_shape(self, key: int, type_: FuncType) -> _Shape:
        shape = self._shapes.get(key)
        if shape is None:
            if len(self._shapes) >= _REMEMBERED:
                self._shapes.clear()
            shape = self._shapes[key] = self._shape(type_)
        return shape

    def _local_access(self, params: _Types, code: Code) -> _LocalAccess:
        """Return the effects on the locals that an index of one byte can select."""
        key = (params, code.locals)
        access = self._locals.get(key)
        if access is None:
            if len(self._locals) >= _REMEMBERED:
                self._locals.clear()
            access = self._locals[key] = [], [], []
            gets, sets, tees = access
            room = _SHORT
            for count, type_ in (*((1, type_) for type_ in params), *code.locals):
                count = min(count, room)
                room -= count
                gets.extend([EFFECTS[(), (type_,)]] * count)
                sets.extend([EFFECTS[(type_,), ()]] * count)
                tees.extend([EFFECTS[(type_,), (type_,)]] * count)
                if not room:
                    break
        return access

    def validate(self, index: int, recorder: Recorder | None = None) -> None:
        """Validate a function that the module defines.

        Args:
            index: the index of the function; imported functions have the first indices.
            recorder: called for the blocks.

        Raises:
            DecodeError: the body contains bytes that are not instructions.
            ValidationError: an instruction breaks a rule.
        """
        module = self.module
        code = module.functions[index - module.imported_functions]
        type_ = module.types[code.type_index]
        data = module.data
        position, end = code.body

        # The loop uses only locals of this function, which are faster than attributes.
        plain, alignments, accesses, calls = _PLAIN, _ALIGNMENTS, self._accesses, self._calls
        local_gets, local_sets, local_tees = self._local_access(type_.params, code)
        short_locals = len(local_gets)
        short_shapes, polymorphic, pop_i32 = self._short_shapes, self._polymorphic, _POP_I32
        push_i32, push_i64 = _PUSH_I32, _PUSH_I64

        # The open blocks: the outer stack, the block type, the opcode that opened it, its label.
        shape = self._function_shape(code)
        control = [(self._empty, shape, 0, shape.label)]
        stack = shape.start
        below = 0  # operands outside of the innermost block
        if recorder is not None:
            recorder.enter("function", position, type_, 0)

        try:
            while True:
                # `position` stays at the opcode until the end of the instruction, because errors
                # report it. Numbers above 0x7F continue in the next byte.
                opcode = data[position]

                if opcode == 0x20:  # local.get
                    number = data[position + 1]
                    if number < short_locals:
                        stack = stack[local_gets[number]]
                        position += 2
                        continue

                elif opcode >= 0x45:  # numeric instructions
                    effect = plain[opcode]
                    if effect is not None:
                        stack = stack[effect]
                        position += 1
                        continue

                elif opcode >= 0x28:
                    if opcode == 0x41:  # i32.const
                        after = position + 1
                        while data[after] >= 0x80:
                            after += 1
                        if after - position >= 5:
                            read_signed(data, position + 1, 32)
                        stack = stack[push_i32]
                        position = after + 1
                        continue
                    if opcode <= 0x3E:  # loads and stores
                        if data[position + 1] <= alignments[opcode]:
                            after = position + 3
                            if data[position + 2] >= 0x80:
                                _, after = read_unsigned(data, position + 2)
                            stack = stack[accesses[opcode]]
                            position = after
                            continue
                    elif opcode == 0x42:  # i64.const
                        after = position + 1
                        while data[after] >= 0x80:
                            after += 1
                        if after - position >= 10:
                            read_signed(data, position + 1, 64)
                        stack = stack[push_i64]
                        position = after + 1
                        continue

                elif opcode >= 0x20:
                    number = data[position + 1]
                    if opcode == 0x21:  # local.set
                        if number < short_locals:
                            stack = stack[local_sets[number]]
                            position += 2
                            continue
                    elif opcode == 0x22:  # local.tee
                        if number < short_locals:
                            stack = stack[local_tees[number]]
                            position += 2
                            continue
                    elif opcode <= 0x24 and number < 0x80:  # global.get and global.set
                        access = self._global_gets if opcode == 0x23 else self._global_sets
                        stack = stack[access[number]]
                        position += 2
                        continue

                elif opcode == 0x0D:  # br_if
                    number, after = data[position + 1], position + 2
                    if number >= 0x80:
                        number, after = read_unsigned(data, position + 1)
                    stack = stack[control[~number][3].branch_if]
                    if recorder is not None:
                        recorder.branch(number)
                    position = after
                    continue

                elif opcode == 0x0B:  # end
                    outside, shape, opener, _ = control.pop()
                    if stack is not shape.end:
                        stack[shape.ending]
                    if opener == 0x04 and shape.type.params != shape.type.results:
                        raise ValidationError("type mismatch: an if without else that has a result")
                    if recorder is not None:
                        recorder.leave(position)
                    below -= outside.height
                    stack = outside[shape.leave]
                    position += 1
                    if control:
                        continue
                    break

                elif opcode == 0x10:  # call
                    number, after = data[position + 1], position + 2
                    if number >= 0x80:
                        number, after = read_unsigned(data, position + 1)
                    stack = stack[calls[number]]
                    position = after
                    continue

                elif 0x02 <= opcode <= 0x04:  # block, loop and if
                    after = position + 2
                    known = short_shapes.get(data[position + 1])
                    if known is None:
                        shape, after = self._block_shape(position + 1)
                    else:
                        shape = known
                    if opcode == 0x04:
                        stack = stack[pop_i32]
                    outside = stack[shape.enter]
                    label = shape.loop_label if opcode == 0x03 else shape.label
                    control.append((outside, shape, opcode, label))
                    below += outside.height
                    if below > MAX_OPERANDS or len(control) > MAX_NESTED_BLOCKS:
                        raise ValidationError("too many operands or blocks at a time")
                    stack = shape.start
                    if recorder is not None:
                        kind = BY_CODE[opcode].mnemonic
                        recorder.enter(kind, position, shape.type, outside.height)
                    position = after
                    continue

                elif opcode == 0x0C:  # br
                    number, after = data[position + 1], position + 2
                    if number >= 0x80:
                        number, after = read_unsigned(data, position + 1)
                    stack[control[~number][3].branch]
                    stack = polymorphic
                    if recorder is not None:
                        recorder.branch(number)
                    position = after
                    continue

                elif opcode == 0x05:  # else
                    outside, shape, opener, label = control[-1]
                    if opener != 0x04:
                        raise DecodeError("END opcode expected: an else without if", position)
                    if stack is not shape.end:
                        stack[shape.ending]
                    control[-1] = (outside, shape, opcode, label)
                    stack = shape.start
                    if recorder is not None:
                        recorder.begin_else(position)
                    position += 1
                    continue

                elif opcode == 0x0F:  # return
                    stack[control[0][3].branch]
                    stack = polymorphic
                    if recorder is not None:
                        recorder.branch(len(control) - 1)
                    position += 1
                    continue

                elif opcode == 0x00:  # unreachable
                    stack = polymorphic
                    position += 1
                    continue

                elif opcode == 0x0E:  # br_table
                    (numbers, default), after = read_immediates(data, position + 1, BY_CODE[0x0E])
                    stack = stack[pop_i32]
                    label = control[~default][3]
                    for number in {*numbers, default}:
                        other = control[~number][3]
                        if len(other.types) != len(label.types):
                            raise ValidationError("type mismatch: labels that carry less or more")
                        stack[other.branch]
                        if recorder is not None:
                            recorder.branch(number)
                    stack = polymorphic
                    position = after
                    continue

                else:  # drop, select and nop
                    effect = plain[opcode]
                    if effect is not None:
                        stack = stack[effect]
                        position += 1
                        continue

                # The other instructions, and all invalid ones.
                row, after = read_opcode(data, position)
                immediates, after = read_immediates(data, after, row)
                stack = stack[self._effect(row, immediates, type_.params, code)]
                position = after
        except (IndexError, WasmError) as error:
            raise self._explained(error, index, position, end) from None
        if position > end:
            raise self._no_end(end)
        if position < end:
            raise DecodeError("section size mismatch: there are bytes after the end", position)

    def _no_end(self, end: int) -> DecodeError:
        if end == len(self.module.data):
            return DecodeError("unexpected end of section or function", end)
        return DecodeError("END opcode expected", end)

    def _explained(
        self, error: IndexError | WasmError, function: int, position: int, end: int
    ) -> WasmError:
        """Return the error of the instruction at `position`, in words.

        The loop raises `IndexError` where the bytes end, and for an index that does not exist.
        """
        if position >= end:
            # The body has no `end`, and the loop read the bytes after it.
            return self._no_end(end)
        try:
            opcode, after = read_opcode(self.module.data, position)
            immediates, after = read_immediates(self.module.data, after, opcode)
        except DecodeError as malformed:
            return malformed
        if after > end:
            return self._no_end(end)
        if isinstance(error, DecodeError):
            return DecodeError(error.message, position)
        if isinstance(error, ValidationError):
            rule, colon, details = error.message.partition(":")
            where = f" in {opcode}" if colon else ""
            return ValidationError(f"{rule}{where}{colon}{details}", function, position)
        if opcode.immediates is Immediates.LABEL_TABLE:
            labels, default = immediates
            return ValidationError(f"unknown label {max((*labels, default))}", function, position)
        what = opcode.immediates.name.lower()
        return ValidationError(f"unknown {what} {immediates[0]}", function, position)

    # The checks of immediates outside of the loop

    def _effect(
        self, opcode: Opcode, immediates: tuple[Any, ...], params: _Types, code: Code
    ) -> Effect:
        """Return the effect of an instruction that is not a control instruction.

        Raises:
            ValidationError: an immediate is invalid.
            DecodeError: the instruction uses a data segment without a data count section.
        """
        signature = self.signature
        i32 = ValType.I32
        match opcode.immediates:
            case Immediates.LOCAL:
                type_ = self._local_type(params, code, immediates[0])
                match opcode.mnemonic:
                    case "local.get":
                        return signature((), (type_,))
                    case "local.set":
                        return signature((type_,), ())
                    case _:
                        return signature((type_,), (type_,))
            case Immediates.GLOBAL:
                index: int = immediates[0]
                return self._global_gets[index] if opcode.code == 0x23 else self._global_sets[index]
            case Immediates.MEMARG | Immediates.MEMARG_LANE:
                if immediates[0] > opcode.alignment:
                    raise ValidationError("alignment must not be larger than natural")
                self._memory()
            case Immediates.MEMORY | Immediates.MEMORY_MEMORY:
                self._memory()
            case Immediates.DATA_MEMORY | Immediates.DATA:
                if opcode.immediates is Immediates.DATA_MEMORY:
                    self._memory()
                self._data_segment(immediates[0])
            case Immediates.TABLE:
                element = self._table(immediates[0])
                match opcode.mnemonic:
                    case "table.get":
                        return signature((i32,), (element,))
                    case "table.set":
                        return signature((i32, element), ())
                    case "table.grow":
                        return signature((element, i32), (i32,))
                    case "table.fill":
                        return signature((i32, element, i32), ())
            case Immediates.TABLE_TABLE:
                to, of = (self._table(number) for number in immediates)
                if to is not of:
                    raise ValidationError(f"type mismatch: expected a table of {to}, found {of}")
            case Immediates.ELEMENT:
                self._element_segment(immediates[0])
            case Immediates.ELEMENT_TABLE:
                to, of = self._table(immediates[1]), self._element_segment(immediates[0])
                if to is not of:
                    raise ValidationError(f"type mismatch: expected elements of {to}, found {of}")
            case Immediates.CALL_INDIRECT:
                number, table = immediates
                if self._table(table) is not ValType.FUNCREF:
                    raise ValidationError("type mismatch: expected a table of funcref")
                effect = self._indirect_calls.get(number)
                if effect is None:
                    called = self._type(number)
                    effect = signature((*called.params, i32), called.results)
                    self._indirect_calls[number] = effect
                return effect
            case Immediates.REF_TYPE:
                (type_,) = immediates
                return signature((), (type_,))
            case Immediates.FUNCTION:  # ref.func
                if immediates[0] >= len(self.module.function_type_indices):
                    raise ValidationError(f"unknown function {immediates[0]}")
                if immediates[0] not in self._declared:
                    raise ValidationError(f"undeclared function reference {immediates[0]}")
            case Immediates.SELECT_TYPES:
                (types,) = immediates
                if len(types) != 1:
                    raise ValidationError("invalid result arity: a select has one")
                (type_,) = types
                return signature((type_, type_, i32), (type_,))
        if opcode.lanes and immediates[-1] >= opcode.lanes:
            raise ValidationError(f"invalid lane index {immediates[-1]}")
        if opcode.immediates is Immediates.LANES16 and max(immediates[0]) >= 32:
            raise ValidationError(f"invalid lane index {max(immediates[0])}")
        return _FIXED[opcode.code]

    def _type(self, index: int) -> FuncType:
        if index >= len(self.module.types):
            raise ValidationError(f"unknown type {index}")
        return self.module.types[index]

    def _memory(self) -> None:
        if not self.module.memory_types:
            raise ValidationError("unknown memory 0")

    def _table(self, index: int) -> ValType:
        if index >= len(self.module.table_types):
            raise ValidationError(f"unknown table {index}")
        return self.module.table_types[index].element

    def _element_segment(self, index: int) -> ValType:
        if index >= len(self.module.elements):
            raise ValidationError(f"unknown elem segment {index}")
        return self.module.elements[index].type

    def _local_type(self, params: _Types, code: Code, index: int) -> ValType:
        """Return the type of a local, without making a list of all of them."""
        if index < len(params):
            return params[index]
        if self._declared_by is not code:
            self._declared_by = code
            self._ends = list(accumulate(count for count, _ in code.locals))
        group = bisect_right(self._ends, index - len(params))
        if group == len(self._ends):
            raise ValidationError(f"unknown local {index}")
        return code.locals[group][1]

    def _data_segment(self, index: int) -> None:
        count = self.module.data_count
        if count is None and self.module.data_segments:
            # The data section follows the code; the data count section precedes it.
            raise DecodeError("data count section required", len(self.module.data))
        if count is None or index >= count:
            raise ValidationError(f"unknown data segment {index}")
