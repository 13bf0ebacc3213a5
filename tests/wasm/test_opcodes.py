"""The table of opcodes, row by row, against wasmtime's idea of each instruction."""

from __future__ import annotations

import random
from collections import Counter
from typing import Any

import pytest

from purewasm_plugins.wasm import FuncType, Span, ValType
from purewasm_plugins.wasm.binary.encoder import encode
from purewasm_plugins.wasm.binary.instructions import Instruction, instructions
from purewasm_plugins.wasm.opcodes import BY_CODE, BY_MNEMONIC, OPCODES, Immediates, Opcode
from tests.random_modules.values import constant
from tests.wasm.modules import function_module
from tests.wasm.wasmtime_verdict import outcome

#: One of each kind of immediates, that is valid in the module of `function_module`.
IMMEDIATES: dict[Immediates, tuple[Any, ...]] = {
    Immediates.NONE: (),
    Immediates.BLOCK_TYPE: (None,),
    Immediates.LABEL: (0,),
    Immediates.LABEL_TABLE: ((0, 0), 0),
    Immediates.FUNCTION: (0,),
    Immediates.CALL_INDIRECT: (0, 0),
    Immediates.LOCAL: (0,),
    Immediates.GLOBAL: (0,),
    Immediates.TABLE: (0,),
    Immediates.TABLE_TABLE: (0, 0),
    Immediates.ELEMENT: (0,),
    Immediates.ELEMENT_TABLE: (0, 0),
    Immediates.DATA: (0,),
    Immediates.DATA_MEMORY: (0, 0),
    Immediates.MEMORY: (0,),
    Immediates.MEMORY_MEMORY: (0, 0),
    Immediates.MEMARG: (0, 4_000_000_000),
    Immediates.MEMARG_LANE: (0, 1, 1),
    Immediates.LANE: (1,),
    Immediates.LANES16: (bytes(range(16, 32)),),
    Immediates.REF_TYPE: (ValType.EXTERNREF,),
    Immediates.SELECT_TYPES: ((ValType.I32,),),
    Immediates.I32: (-(1 << 31),),
    Immediates.I64: (-(1 << 63),),
    Immediates.F32: (0x7FA00000,),
    Immediates.F64: (0x7FF4 << 48,),
    Immediates.V128: (bytes(range(16)),),
}

TYPED = [opcode for opcode in OPCODES if opcode.params is not None]


def body(opcode: Opcode, immediates: tuple[Any, ...], operands: list[ValType]) -> bytes:
    """Constants, the instruction, and a drop for each of its results."""
    pushed = b"".join(constant(random.Random(0), type_) for type_ in operands)
    return pushed + encode(opcode, *immediates) + b"\x1a" * len(opcode.results or ()) + b"\x0b"


def test_all_of_core_2_0_is_there_and_once() -> None:
    assert max(Counter(opcode.code for opcode in OPCODES).values()) == 1
    assert Counter(opcode.code >> 8 for opcode in OPCODES) == {0: 183, 0xFC: 18, 0xFD: 236}
    assert len(BY_MNEMONIC) == len(BY_CODE) - 1, "the two selects have one name"


@pytest.mark.parametrize("opcode", TYPED, ids=str)
def test_signature(opcode: Opcode) -> None:
    immediates = IMMEDIATES[opcode.immediates]
    operands = list(opcode.params or ())
    assert outcome(function_module(FuncType(), body(opcode, immediates, operands))) == "valid"
    for index, right in enumerate(operands):
        for wrong in {ValType.I32, ValType.F32, ValType.V128} - {right}:
            changed = [*operands[:index], wrong, *operands[index + 1 :]]
            module = function_module(FuncType(), body(opcode, immediates, changed))
            assert outcome(module) == "invalid"
    extra = body(opcode, immediates, operands)[:-1] + b"\x1a\x0b"
    assert outcome(function_module(FuncType(), extra)) == "invalid"


@pytest.mark.parametrize("opcode", [row for row in TYPED if row.alignment or row.lanes], ids=str)
def test_alignment_and_lanes(opcode: Opcode) -> None:
    operands = list(opcode.params or ())
    alignment, lane = opcode.alignment, opcode.lanes - 1
    for more in (0, 1):
        expected = "invalid" if more else "valid"
        if opcode.immediates is not Immediates.LANE:
            immediates: tuple[Any, ...] = (alignment + more, 0)
            if opcode.lanes:
                immediates += (lane,)
            module = function_module(FuncType(), body(opcode, immediates, operands))
            assert outcome(module) == expected
        if opcode.lanes:
            immediates = (lane + more,)
            if opcode.immediates is Immediates.MEMARG_LANE:
                immediates = (alignment, 0, lane + more)
            module = function_module(FuncType(), body(opcode, immediates, operands))
            assert outcome(module) == expected


def test_instructions_decode_what_was_encoded() -> None:
    for opcode in OPCODES:
        immediates = IMMEDIATES[opcode.immediates]
        encoded = encode(opcode, *immediates)
        data = b"before" + encoded * 2 + b"after"
        assert list(instructions(data, Span(6, 6 + 2 * len(encoded)))) == [
            Instruction(6, opcode, immediates),
            Instruction(6 + len(encoded), opcode, immediates),
        ]


@pytest.mark.parametrize(
    ("mnemonic", "size"),
    [
        *(("i32.load", 4), ("i64.load", 8), ("f32.store", 4), ("f64.load", 8), ("v128.store", 16)),
        *(("i32.load8_s", 1), ("i64.store16", 2), ("i64.load32_u", 4), ("v128.load8x8_u", 8)),
        *(("v128.load32x2_s", 8), ("v128.load16_splat", 2), ("v128.load64_zero", 8)),
        *(("v128.load8_lane", 1), ("v128.store64_lane", 8)),
    ],
)
def test_access_size(mnemonic: str, size: int) -> None:
    assert BY_MNEMONIC[mnemonic].access_size == size
