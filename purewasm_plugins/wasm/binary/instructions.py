"""Decoding of instructions (sections 5.4.1 to 5.4.9).

`instructions` decodes a function body or a constant expression. It checks that the bytes are
instructions; the validator, which also uses `read_opcode` and `read_immediates`, checks indices and
the nesting of blocks.
"""

from __future__ import annotations

from purewasm_plugins.errors import DecodeError
from purewasm_plugins.support.light import NamedTuple
from purewasm_plugins.support.typed import Any, Callable, Iterator
from purewasm_plugins.wasm.binary.primitives import (
    read_block_type,
    read_byte,
    read_bytes,
    read_reference_type,
    read_signed,
    read_unsigned,
    read_value_types,
)
from purewasm_plugins.wasm.limits import MAX_BRANCH_TABLE_SIZE
from purewasm_plugins.wasm.module import Span
from purewasm_plugins.wasm.opcodes import BY_CODE, Immediates, Opcode

__all__ = ["Instruction", "instructions", "read_immediates", "read_opcode"]


class Instruction(NamedTuple):
    """An instruction of a module.

    Attributes:
        offset: the position of its opcode in the module.
        opcode: its row of the opcode table.
        immediates: its decoded immediates, in the form that `Immediates` says.
    """

    offset: int
    opcode: Opcode
    immediates: tuple[Any, ...]


#: The prefixes of opcodes of several bytes.
PREFIXES = (0xFC, 0xFD)

#: Opcodes of features that came after core 2.0, for error messages.
_LATER_OPCODES = {
    **dict.fromkeys((0x06, 0x07, 0x08, 0x09, 0x0A, 0x18, 0x19, 0x1F), "exception handling is"),
    **dict.fromkeys((0x12, 0x13), "tail calls are"),
    **dict.fromkeys((0x14, 0x15, 0xD4, 0xD5, 0xD6), "typed function references are"),
    **dict.fromkeys((0xD3, 0xFB), "garbage collection is"),
    **dict.fromkeys(range(0xE0, 0xE7), "stack switching is"),
    **dict.fromkeys(range(0xFC13, 0xFC17), "wide arithmetic is"),
    0xFE: "threads are",
}

_ImmediateReader = Callable[[bytes, int], tuple[tuple[Any, ...], int]]


def _no_immediates(data: bytes, position: int) -> tuple[tuple[Any, ...], int]:
    return (), position


def _block_type(data: bytes, position: int) -> tuple[tuple[Any, ...], int]:
    type_, position = read_block_type(data, position)
    return (type_,), position


def _index(data: bytes, position: int) -> tuple[tuple[Any, ...], int]:
    index, position = read_unsigned(data, position)
    return (index,), position


def _two_indices(data: bytes, position: int) -> tuple[tuple[Any, ...], int]:
    first, position = read_unsigned(data, position)
    second, position = read_unsigned(data, position)
    return (first, second), position


def _label_table(data: bytes, position: int) -> tuple[tuple[Any, ...], int]:
    start = position
    count, position = read_unsigned(data, position)
    if count > MAX_BRANCH_TABLE_SIZE:
        raise DecodeError(f"too many labels: {MAX_BRANCH_TABLE_SIZE} at most", start)
    labels = []
    for _ in range(count):
        label, position = read_unsigned(data, position)
        labels.append(label)
    default, position = read_unsigned(data, position)
    return (tuple(labels), default), position


def _zero(data: bytes, position: int) -> int:
    byte, after = read_byte(data, position)
    if byte:
        raise DecodeError("zero byte expected: multiple memories are not supported", position)
    return after


def _memory(data: bytes, position: int) -> tuple[tuple[Any, ...], int]:
    return (0,), _zero(data, position)


def _two_memories(data: bytes, position: int) -> tuple[tuple[Any, ...], int]:
    return (0, 0), _zero(data, _zero(data, position))


def _data_and_memory(data: bytes, position: int) -> tuple[tuple[Any, ...], int]:
    segment, position = read_unsigned(data, position)
    return (segment, 0), _zero(data, position)


def _memarg(data: bytes, position: int) -> tuple[tuple[Any, ...], int]:
    alignment, after = read_unsigned(data, position)
    if alignment >= 32:
        later = ": multiple memories are not supported" if 64 <= alignment < 128 else ""
        raise DecodeError(f"malformed memop flags{later}", position)
    offset, after = read_unsigned(data, after)
    return (alignment, offset), after


def _memarg_and_lane(data: bytes, position: int) -> tuple[tuple[Any, ...], int]:
    (alignment, offset), position = _memarg(data, position)
    lane, position = read_byte(data, position)
    return (alignment, offset, lane), position


def _lane(data: bytes, position: int) -> tuple[tuple[Any, ...], int]:
    lane, position = read_byte(data, position)
    return (lane,), position


def _sixteen_bytes(data: bytes, position: int) -> tuple[tuple[Any, ...], int]:
    value, position = read_bytes(data, position, 16)
    return (value,), position


def _reference_type(data: bytes, position: int) -> tuple[tuple[Any, ...], int]:
    type_, position = read_reference_type(data, position)
    return (type_,), position


def _select_types(data: bytes, position: int) -> tuple[tuple[Any, ...], int]:
    types, position = read_value_types(data, position)
    return (types,), position


def _i32(data: bytes, position: int) -> tuple[tuple[Any, ...], int]:
    value, position = read_signed(data, position, 32)
    return (value,), position


def _i64(data: bytes, position: int) -> tuple[tuple[Any, ...], int]:
    value, position = read_signed(data, position, 64)
    return (value,), position


def _f32(data: bytes, position: int) -> tuple[tuple[Any, ...], int]:
    value, position = read_bytes(data, position, 4)
    return (int.from_bytes(value, "little"),), position


def _f64(data: bytes, position: int) -> tuple[tuple[Any, ...], int]:
    value, position = read_bytes(data, position, 8)
    return (int.from_bytes(value, "little"),), position


_READERS: dict[Immediates, _ImmediateReader] = {
    Immediates.NONE: _no_immediates,
    Immediates.BLOCK_TYPE: _block_type,
    Immediates.LABEL: _index,
    Immediates.LABEL_TABLE: _label_table,
    Immediates.FUNCTION: _index,
    Immediates.CALL_INDIRECT: _two_indices,
    Immediates.LOCAL: _index,
    Immediates.GLOBAL: _index,
    Immediates.TABLE: _index,
    Immediates.TABLE_TABLE: _two_indices,
    Immediates.ELEMENT: _index,
    Immediates.ELEMENT_TABLE: _two_indices,
    Immediates.DATA: _index,
    Immediates.DATA_MEMORY: _data_and_memory,
    Immediates.MEMORY: _memory,
    Immediates.MEMORY_MEMORY: _two_memories,
    Immediates.MEMARG: _memarg,
    Immediates.MEMARG_LANE: _memarg_and_lane,
    Immediates.LANE: _lane,
    Immediates.LANES16: _sixteen_bytes,
    Immediates.REF_TYPE: _reference_type,
    Immediates.SELECT_TYPES: _select_types,
    Immediates.I32: _i32,
    Immediates.I64: _i64,
    Immediates.F32: _f32,
    Immediates.F64: _f64,
    Immediates.V128: _sixteen_bytes,
}

#: By reader: an immediate of one byte below this number has the byte's value. Most are such.
_PLAIN: dict[_ImmediateReader, int] = {_index: 0x80, _i32: 0x40, _i64: 0x40}


def _one_byte(code: int) -> tuple[Opcode, _ImmediateReader, int] | None:
    opcode = BY_CODE.get(code)
    if opcode is None:
        return None
    read = _READERS[opcode.immediates]
    return opcode, read, _PLAIN.get(read, 0)


#: By first byte, for an opcode of one byte: the opcode, its immediates' reader, and `_PLAIN` of
#: that.
_ONE_BYTE = [_one_byte(code) for code in range(256)]


def read_opcode(data: bytes, position: int) -> tuple[Opcode, int]:
    """Read an opcode.

    Returns:
        The opcode, and the position of its immediates.

    Raises:
        DecodeError: core 2.0 has no such opcode.
    """
    code, after = read_byte(data, position)
    if code in PREFIXES:
        number, after = read_unsigned(data, after)
        # A larger number is no known opcode; shifted beside its prefix it could equal one.
        code = code << 8 | number if number < 0x100 else -1
    opcode = BY_CODE.get(code)
    if opcode is None:
        later = "relaxed SIMD is" if data[position] == 0xFD else _LATER_OPCODES.get(code)
        message = f"illegal opcode {data[position:after].hex(' ')}"
        raise DecodeError(f"{message}: {later} not supported" if later else message, position)
    return opcode, after


def read_immediates(data: bytes, position: int, opcode: Opcode) -> tuple[tuple[Any, ...], int]:
    """Read the immediates of an opcode.

    Returns:
        The immediates, and the position of the next instruction.

    Raises:
        DecodeError: they are malformed.
    """
    return _READERS[opcode.immediates](data, position)


def instructions(data: bytes, span: Span) -> Iterator[Instruction]:
    """Decode the instructions of a span of the module's bytes, including the final `end`.

    The span may be invalid. The blocks are not followed.

    Raises:
        DecodeError: the bytes are not instructions.
    """
    position, end = span
    new = tuple.__new__
    while position < end:
        start = position
        known = _ONE_BYTE[data[position]]
        if known is None:
            opcode, position = read_opcode(data, position)
            immediates, position = _READERS[opcode.immediates](data, position)
        else:
            opcode, read, plain = known
            position += 1
            if read is _no_immediates:
                immediates = ()
            elif position < end and data[position] < plain:
                immediates = (data[position],)
                position += 1
            elif (
                read is _memarg
                and position + 1 < end
                and data[position] < 32
                and data[position + 1] < 0x80
            ):
                immediates = (data[position], data[position + 1])
                position += 2
            else:
                immediates, position = read(data, position)
        if position > end:
            raise DecodeError("unexpected end of section or function", end)
        # As `Instruction(...)`, without the call of a Python function that it is.
        yield new(Instruction, (start, opcode, immediates))
