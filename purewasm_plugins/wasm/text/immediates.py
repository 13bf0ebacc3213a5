"""The immediates of instructions in the text format (core specification, section 6.5).

One function for each member of `Immediates`; it returns the tuple that the member describes.
"""

from __future__ import annotations

from purewasm_plugins.support.typed import Any, Callable
from purewasm_plugins.wasm.limits import MAX_BRANCH_TABLE_SIZE
from purewasm_plugins.wasm.opcodes import Immediates, Opcode
from purewasm_plugins.wasm.text.reader import Reader, Space
from purewasm_plugins.wasm.text.signatures import Signatures
from purewasm_plugins.wasm.types import ValType

__all__ = ["SHAPES", "Labels", "Scope", "Spaces", "read_immediates"]


class Spaces:
    """The index spaces of a module, without that of its types."""

    def __init__(self) -> None:
        self.functions = Space("function", "func")
        self.tables = Space("table")
        self.memories = Space("memory")
        self.globals = Space("global")
        self.elements = Space("elem segment", "elem")
        self.data = Space("data segment", "data")


class Labels:
    """The blocks around an instruction.

    Attributes:
        names: the names of the blocks, innermost last; None for a block without a name.
    """

    def __init__(self) -> None:
        self.names: list[str | None] = []
        #: By name, the positions in `names` of the blocks that have it.
        self._positions: dict[str, list[int]] = {}

    def push(self, name: str | None) -> None:
        """Begin a block."""
        if name is not None:
            self._positions.setdefault(name, []).append(len(self.names))
        self.names.append(name)

    def pop(self) -> None:
        """End the innermost block."""
        name = self.names.pop()
        if name is not None:
            positions = self._positions[name]
            positions.pop()
            if not positions:
                del self._positions[name]

    def read(self, reader: Reader) -> int:
        """Read a label: a number, or the identifier of a block."""
        token = reader.texts[reader.at]
        if not token.startswith("$"):
            return reader.unsigned(expected="a label")
        positions = self._positions.get(reader.name_in(token))
        if positions is None:
            raise reader.unknown("label", self._positions)
        reader.at += 1
        return len(self.names) - 1 - positions[-1]


class Scope:
    """What an instruction can refer to.

    Attributes:
        spaces, signatures: the module's.
        locals: the locals of the function.
        labels: the blocks around the instruction.
    """

    def __init__(self, spaces: Spaces, signatures: Signatures, locals_: Space) -> None:
        self.spaces = spaces
        self.signatures = signatures
        self.locals = locals_
        self.labels = Labels()


_Immediates = tuple[Any, ...]
_Reader = Callable[[Reader, Scope, Opcode], _Immediates]


def read_immediates(reader: Reader, scope: Scope, opcode: Opcode) -> _Immediates:
    """Read the immediates of an instruction, whose mnemonic was read.

    Instead of the index of a type, there may be a `FuncType`.
    """
    return _READERS[opcode.immediates](reader, scope, opcode)


def _label_table(reader: Reader, scope: Scope, opcode: Opcode) -> _Immediates:
    labels = [scope.labels.read(reader)]
    while reader.is_index():
        labels.append(scope.labels.read(reader))
        if len(labels) > MAX_BRANCH_TABLE_SIZE + 1:
            raise reader.error(f"too many labels: {MAX_BRANCH_TABLE_SIZE} at most")
    default = labels.pop()
    return labels, default


def _optional(reader: Reader, space: Space) -> int:
    """Read an index, which is 0 where it is left out."""
    return reader.index(space) if reader.is_index() else 0


def _memory(reader: Reader, scope: Scope) -> int:
    """Read the index of a memory, which is 0 where it is left out."""
    at = reader.at
    memory = _optional(reader, scope.spaces.memories)
    if memory:
        raise reader.error("unknown memory: multiple memories are not supported", at)
    return memory


def _call_indirect(reader: Reader, scope: Scope, opcode: Opcode) -> _Immediates:
    table = _optional(reader, scope.spaces.tables)
    return scope.signatures.callee(reader), table


def _two_tables(reader: Reader, scope: Scope, opcode: Opcode) -> _Immediates:
    if not reader.is_index():
        return 0, 0
    return reader.index(scope.spaces.tables), reader.index(scope.spaces.tables)


def _two_memories(reader: Reader, scope: Scope, opcode: Opcode) -> _Immediates:
    return _memory(reader, scope), _memory(reader, scope)


def _is_second_index(reader: Reader) -> bool:
    """Return whether an index is next, and another one after it."""
    if not reader.is_index():
        return False
    reader.at += 1
    found = reader.is_index()
    reader.at -= 1
    return found


def _element_and_table(reader: Reader, scope: Scope, opcode: Opcode) -> _Immediates:
    table = reader.index(scope.spaces.tables) if _is_second_index(reader) else 0
    return reader.index(scope.spaces.elements), table


def _data_and_memory(reader: Reader, scope: Scope, opcode: Opcode) -> _Immediates:
    memory = _memory(reader, scope) if _is_second_index(reader) else 0
    return reader.index(scope.spaces.data), memory


def _argument(reader: Reader, prefix: str) -> int | None:
    """Read `prefix` and the number after it, if they are next."""
    token = reader.texts[reader.at]
    if not token.startswith(prefix):
        return None
    return reader.number_after(prefix)


def _memory_argument(reader: Reader, scope: Scope, opcode: Opcode) -> _Immediates:
    _memory(reader, scope)
    return _alignment_and_offset(reader, opcode)


def _alignment_and_offset(reader: Reader, opcode: Opcode) -> tuple[int, int]:
    offset = _argument(reader, "offset=") or 0
    if offset >> 32:
        raise reader.error("offset out of range", reader.at - 1)
    at = reader.at
    alignment = _argument(reader, "align=")
    if alignment is None:
        return opcode.alignment, offset
    if alignment & (alignment - 1) or not alignment:
        raise reader.error("alignment must be a power of two", at)
    return alignment.bit_length() - 1, offset


def _memory_argument_and_lane(reader: Reader, scope: Scope, opcode: Opcode) -> _Immediates:
    # An index alone is the lane.
    if reader.is_index():
        following = reader.texts[reader.at + 1]
        if following.startswith(("offset=", "align=")) or _is_second_index(reader):
            _memory(reader, scope)
    return *_alignment_and_offset(reader, opcode), _lane_of(reader)


def _lane_of(reader: Reader) -> int:
    return reader.unsigned(8, "a lane")


def _lanes16(reader: Reader, scope: Scope, opcode: Opcode) -> _Immediates:
    if reader.numbers(17) != 16:
        raise reader.error(f"invalid lane length: {opcode.mnemonic} takes 16 lanes")
    lanes = []
    for _ in range(16):
        if not reader.is_index():
            raise reader.error("i8 constant out of range")
        lanes.append(_lane_of(reader))
    return (bytes(lanes),)


def _select_types(reader: Reader, scope: Scope, opcode: Opcode) -> _Immediates:
    types: list[ValType] = []
    while reader.open("result"):
        types += reader.value_types()
    return (types,)


#: The shapes of a v128: the number of lanes, the bits of each, and their reader.
SHAPES: dict[str, tuple[int, int, Callable[[Reader, int], int]]] = {
    "i8x16": (16, 8, Reader.integer),
    "i16x8": (8, 16, Reader.integer),
    "i32x4": (4, 32, Reader.integer),
    "i64x2": (2, 64, Reader.integer),
    "f32x4": (4, 32, Reader.float_bits),
    "f64x2": (2, 64, Reader.float_bits),
}


def _v128(reader: Reader, scope: Scope, opcode: Opcode) -> _Immediates:
    shape = SHAPES.get(reader.texts[reader.at])
    if shape is None:
        reader.unexpected("a shape")
    name = reader.texts[reader.at]
    reader.at += 1
    count, bits, read = shape
    found = reader.numbers(count + 1)
    if found < count and reader.texts[reader.at + found] not in ("(", ")"):
        reader.unexpected("a number", reader.at + found)
    if found != count:
        raise reader.error(f"wrong number of lane literals: {name} has {count}")
    value = b""
    for _ in range(count):
        value += (read(reader, bits) & (1 << bits) - 1).to_bytes(bits // 8, "little")
    return (value,)


_READERS: dict[Immediates, _Reader] = {
    Immediates.NONE: lambda reader, scope, opcode: (),
    Immediates.BLOCK_TYPE: lambda reader, scope, opcode: (scope.signatures.block_type(reader),),
    Immediates.LABEL: lambda reader, scope, opcode: (scope.labels.read(reader),),
    Immediates.LABEL_TABLE: _label_table,
    Immediates.FUNCTION: lambda reader, scope, opcode: (reader.index(scope.spaces.functions),),
    Immediates.CALL_INDIRECT: _call_indirect,
    Immediates.LOCAL: lambda reader, scope, opcode: (reader.index(scope.locals),),
    Immediates.GLOBAL: lambda reader, scope, opcode: (reader.index(scope.spaces.globals),),
    Immediates.TABLE: lambda reader, scope, opcode: (_optional(reader, scope.spaces.tables),),
    Immediates.TABLE_TABLE: _two_tables,
    Immediates.ELEMENT: lambda reader, scope, opcode: (reader.index(scope.spaces.elements),),
    Immediates.ELEMENT_TABLE: _element_and_table,
    Immediates.DATA: lambda reader, scope, opcode: (reader.index(scope.spaces.data),),
    Immediates.DATA_MEMORY: _data_and_memory,
    Immediates.MEMORY: lambda reader, scope, opcode: (_memory(reader, scope),),
    Immediates.MEMORY_MEMORY: _two_memories,
    Immediates.MEMARG: _memory_argument,
    Immediates.MEMARG_LANE: _memory_argument_and_lane,
    Immediates.LANE: lambda reader, scope, opcode: (_lane_of(reader),),
    Immediates.LANES16: _lanes16,
    Immediates.REF_TYPE: lambda reader, scope, opcode: (reader.heap_type(),),
    Immediates.SELECT_TYPES: _select_types,
    Immediates.I32: lambda reader, scope, opcode: (reader.integer(32),),
    Immediates.I64: lambda reader, scope, opcode: (reader.integer(64),),
    Immediates.F32: lambda reader, scope, opcode: (reader.float_bits(32),),
    Immediates.F64: lambda reader, scope, opcode: (reader.float_bits(64),),
    Immediates.V128: _v128,
}
