"""A function's code as the nested lists of instructions that pywasm runs."""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any

import pywasm
import pywasm.opcode

from purewasm_plugins.engine.reference.hooks import Hook, Hooks, Located, pywasm_code
from purewasm_plugins.runtime.instance import Instance
from purewasm_plugins.wasm.binary.instructions import Instruction, instructions
from purewasm_plugins.wasm.module import Code
from purewasm_plugins.wasm.types import ValType

#: Locals of a function from which its calls count the locals of all active functions.
_MANY_LOCALS = 64

#: Bytes of a body between two checks of the deadline where nothing else checks it: some
#: milliseconds.
_BYTES_PER_CHECK = 4096

_U32 = struct.Struct("<I")
_U64 = struct.Struct("<Q")


class Body(list[pywasm.Inst]):
    """The instructions of a function or, in a machine that is stepped, of one of its blocks.

    Attributes:
        function: the function's index.
    """

    __slots__ = ("function",)

    function: int


class LazyBody:
    """A `FuncDesc` of pywasm whose instructions are made at the first read."""

    __slots__ = ("expr", "locals", "type")

    def __init__(self, code: Code, make: Callable[[], Body]) -> None:
        self.type = code.type_index
        self.locals = [
            pywasm.LocalsDesc(count, pywasm.ValType(int(type))) for count, type in code.locals
        ]
        self.expr = _Expression(make)


class _Expression:
    """The `expr` of a `FuncDesc`."""

    __slots__ = ("_body", "_make")

    def __init__(self, make: Callable[[], Body]) -> None:
        self._make = make
        self._body: Body | None = None

    @property
    def data(self) -> Body:
        if self._body is None:
            self._body = self._make()
        return self._body


def build_body(instance: Instance, index: int, code: Code, hooks: Hooks) -> Body:
    """Convert the code of a function to pywasm's nested lists, with hooks among them.

    The conversion is not recursive: compilers nest blocks deeper than Python nests calls.
    """
    many = sum(count for count, _ in code.locals) > _MANY_LOCALS
    body = Body((Hook(None, hooks.enter_large_function if many else hooks.enter_function),))
    body.function = index
    current: list[pywasm.Inst] = body
    enclosing: list[list[pywasm.Inst]] = []
    checked = code.body.start
    for instruction in instructions(instance.module.module.data, code.body):
        if instruction.offset - checked > _BYTES_PER_CHECK:
            # Checked now, as the conversion takes time, and at each run of the body.
            checked = instruction.offset
            hooks.check_deadline()
            current.append(Hook(None, hooks.check_deadline))
        mnemonic = instruction.opcode.mnemonic
        match mnemonic:
            case "block" | "loop" | "if":
                inner: list[pywasm.Inst] = []
                arguments: list[Any] = [_block_type(instruction.immediates[0]), inner]
                if mnemonic == "loop":
                    inner.append(Hook(None, hooks.start_loop))
                elif mnemonic == "if":
                    arguments.append([])
                current.append(Located(instruction, instruction.opcode.code, arguments))
                enclosing.append(current)
                current = inner
            case "else" | "end":
                current += hooks.closing(instruction)
                if mnemonic == "else":
                    current = enclosing[-1][-1].args[2]
                elif enclosing:
                    current = enclosing.pop()
                else:
                    break
            case _:
                current.append(hooks.hook(instruction) or _located(instruction))
    return body


def rebuild(plain: Body, make: Callable[[list[Any], int | None], Body]) -> Body:
    """Replace every list of a body.

    Args:
        plain: a body as `build_body` makes it.
        make: makes the list that replaces one, given the offset of the instruction that opens the
            block; None for the body itself.
    """
    body = make(plain, None)
    remaining = [body]
    while remaining:
        # Not `body[index]`: the lists of a debugger count the instructions that it fetches.
        for instruction in list.__iter__(remaining.pop()):
            source = instruction.instruction
            if source is not None and source.opcode.mnemonic in ("block", "loop", "if"):
                for number, inner in enumerate(instruction.args[1:], 1):
                    instruction.args[number] = make(inner, source.offset)
                    remaining.append(instruction.args[number])
    return body


def _block_type(type: ValType | int | None) -> pywasm.core.Bype:
    """Convert the immediate of a `block`, `loop` or `if` to pywasm's block type."""
    if type is None:
        return pywasm.core.Bype(0, 0x40)
    if isinstance(type, ValType):
        return pywasm.core.Bype(1, int(type))
    return pywasm.core.Bype(2, type)


def _located(instruction: Instruction) -> Located:
    """Convert an instruction that pywasm runs to pywasm's own form."""
    opcode, immediates = instruction.opcode, instruction.immediates
    arguments: list[Any]
    match opcode.mnemonic:
        case "br_table":
            arguments = [list(immediates[0]), immediates[1]]
        case "select" if immediates:
            arguments = [[int(type) for type in immediates[0]]]
        case "f32.const":
            arguments = list(struct.unpack("<i", _U32.pack(immediates[0])))
        case "f64.const":
            arguments = list(struct.unpack("<q", _U64.pack(immediates[0])))
        case "v128.const":
            arguments = [bytearray(immediates[0])]
        case "i8x16.shuffle":
            arguments = list(immediates[0])
        case "ref.null":
            arguments = [int(immediates[0])]
        case _:
            arguments = list(immediates)
    return Located(instruction, pywasm_code(opcode), arguments)
