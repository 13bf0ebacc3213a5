"""Every vector instruction against wasmtime: edge cases in every pairing, and random operands.

Results are compared bit by bit, but for a NaN that arithmetic made: there the specification (4.3.3)
allows a choice, and only the class is checked.
"""

from __future__ import annotations

import itertools
import random
import struct
from collections.abc import Callable
from typing import Any

import pytest
import wasmtime
from hypothesis import given, settings
from hypothesis import strategies as st

from purewasm_plugins.engine.translator.simd import FUNCTIONS
from purewasm_plugins.runtime.values import f32_from_bits, f32_to_bits, f64_from_bits, f64_to_bits
from purewasm_plugins.wasm.opcodes import OPCODES, Immediates, Opcode
from purewasm_plugins.wasm.types import ValType
from tests.conftest import assemble

VECTOR_OPCODES = [opcode for opcode in OPCODES if opcode.code >> 8 == 0xFD]
TESTED = [opcode for opcode in VECTOR_OPCODES if opcode.mnemonic in FUNCTIONS]

#: Bytes of one case in the oracle's memory: three operands of 16 bytes each, and the result.
CASE = 64
RESULT = 48
PAGES = 4
CAPACITY = PAGES * 65536 // CASE

SHUFFLES = [bytes(range(16)), bytes(range(31, 15, -1)), bytes([0, 31] * 8), bytes([7] * 16)] + [
    bytes(random.Random(seed).choices(range(32), k=16)) for seed in range(4)
]

#: The conversions of a raw value to 16 bytes of memory and back.
TO_BYTES: dict[ValType, Callable[[Any], bytes]] = {
    ValType.I32: lambda value: value.to_bytes(4, "little"),
    ValType.I64: lambda value: value.to_bytes(8, "little"),
    ValType.F32: lambda value: f32_to_bits(value).to_bytes(4, "little"),
    ValType.F64: lambda value: f64_to_bits(value).to_bytes(8, "little"),
    ValType.V128: lambda value: value,
}
FROM_BYTES: dict[ValType, Callable[[bytes], Any]] = {
    ValType.I32: lambda data: int.from_bytes(data[:4], "little"),
    ValType.I64: lambda data: int.from_bytes(data[:8], "little"),
    ValType.F32: lambda data: f32_from_bits(int.from_bytes(data[:4], "little")),
    ValType.F64: lambda data: f64_from_bits(int.from_bytes(data[:8], "little")),
    ValType.V128: lambda data: data,
}

# --- cases ------------------------------------------------------------------------------------

F32_EDGES = [
    *(0x00000000, 0x00000001, 0x007FFFFF, 0x00800000, 0x3EFFFFFF, 0x3F000000, 0x3F000001),
    *(0x3F800000, 0x3FC00000, 0x40200000, 0x3DCCCCCD, 0x4AFFFFFF, 0x4B000001, 0x4EFFFFFF),
    *(0x4F000000, 0x4F7FFFFF, 0x4F800000, 0x5F000000, 0x7F7FFFFF, 0x7F800000),
    *(0x7FC00000, 0x7FC12345, 0x7F800001, 0x7FA00000),
]
F64_EDGES = [
    *(0x0000000000000000, 0x0000000000000001, 0x0010000000000000, 0x3FE0000000000000),
    *(0x3FDFFFFFFFFFFFFF, 0x3FF0000000000000, 0x3FF8000000000000, 0x4004000000000000),
    *(0x3FB999999999999A, 0x432FFFFFFFFFFFFF, 0x4330000000000001, 0x41DFFFFFFFC00000),
    *(0x41DFFFFFFFE00000, 0x41E0000000000000, 0x41E0000000100000, 0x41EFFFFFFFE00000),
    *(0x41EFFFFFFFF00000, 0x41F0000000000000, 0x47EFFFFFE0000000, 0x47EFFFFFEFFFFFFF),
    *(0x47EFFFFFF0000000, 0x36A0000000000000, 0x3690000000000001, 0x380FFFFFFFFFFFFF),
    *(0x7FEFFFFFFFFFFFFF, 0x7FF0000000000000, 0x7FF8000000000000, 0x7FF8000012345678),
    *(0x7FF0000000000001, 0x7FF4000000000000),
]


def integer_edges(bits: int) -> list[int]:
    top = 1 << (bits - 1)
    return [0, 1, 2, top // 2 + 3, top - 1, top, top + 1, 2 * top - 1]


INTEGER_EDGES = [(bits, integer_edges(bits)) for bits in (8, 16, 32, 64)]
FLOAT_EDGES = [
    (32, F32_EDGES + [edge | 1 << 31 for edge in F32_EDGES]),
    (64, F64_EDGES + [edge | 1 << 63 for edge in F64_EDGES]),
]


def packed(lanes: list[int], bits: int) -> list[bytes]:
    """Vectors full of these lanes, the last one filled up with the first lane."""
    size = bits // 8
    data = b"".join(lane.to_bytes(size, "little") for lane in lanes)
    data += lanes[0].to_bytes(size, "little") * (-len(data) % 16 // size)
    return [data[start : start + 16] for start in range(0, len(data), 16)]


def paired(lanes: list[tuple[int, list[int]]]) -> list[bytes]:
    """Every pair of edge cases, in lanes of every width, and something for a third operand."""
    cases = []
    third = random.Random(1)
    for bits, edges in lanes:
        pairs = list(itertools.product(edges, repeat=2))
        first = packed([pair[0] for pair in pairs], bits)
        second = packed([pair[1] for pair in pairs], bits)
        cases += [a + b + third.randbytes(16) for a, b in zip(first, second, strict=True)]
    return cases


COUNTS = [*range(70), 127, 128, 255, 256, 0x7FFFFFFF, 0x80000001, 0xFFFFFFFF]
INTEGER_CASES = paired(INTEGER_EDGES) + [
    random.Random(count).randbytes(16) + count.to_bytes(32, "little") for count in COUNTS
]
FLOAT_CASES = paired(FLOAT_EDGES)


def edge_cases(opcode: Opcode) -> list[bytes]:
    return INTEGER_CASES + FLOAT_CASES if "f" in opcode.mnemonic else INTEGER_CASES


LANE = st.one_of(
    st.sampled_from(F32_EDGES).map(lambda bits: bits.to_bytes(4, "little")),
    st.binary(min_size=4, max_size=4),
)
RANDOM_CASE = st.one_of(
    st.binary(min_size=RESULT, max_size=RESULT),
    st.lists(LANE, min_size=12, max_size=12).map(b"".join),
)

# --- both sides -------------------------------------------------------------------------------


def immediates(opcode: Opcode) -> list[tuple[Any, ...]]:
    if opcode.immediates in (Immediates.LANE, Immediates.MEMARG_LANE):
        return [(lane,) for lane in range(opcode.lanes)]
    if opcode.immediates is Immediates.LANES16:
        return [(lanes,) for lanes in SHUFFLES]
    return [()]


def instruction(opcode: Opcode, immediate: tuple[Any, ...]) -> str:
    values = immediate[0] if opcode.immediates is Immediates.LANES16 else immediate
    return " ".join([opcode.mnemonic, *map(str, values)])


def accesses_memory(opcode: Opcode) -> bool:
    return opcode.immediates in (Immediates.MEMARG, Immediates.MEMARG_LANE)


def is_store(opcode: Opcode) -> bool:
    return accesses_memory(opcode) and not opcode.results


def is_load(opcode: Opcode) -> bool:
    return accesses_memory(opcode) and bool(opcode.results)


def oracle_text(opcode: Opcode) -> str:
    """Write a module whose function `run<i>` runs the instruction with its i-th immediates.

    It does so in as many cases as its parameter says; `$p` is the address of the case.
    """
    assert opcode.params is not None
    assert opcode.results is not None
    operands = []
    for position, type in enumerate(opcode.params):
        # The address is a load's first operand, whose bytes lie there, or where a store writes.
        if position == 0 and accesses_memory(opcode):
            where = RESULT if is_store(opcode) else 0
            operands.append(f"(i32.add (local.get $p) (i32.const {where}))")
        else:
            operands.append(f"({type}.load offset={16 * position} (local.get $p))")
    functions = []
    for number, immediate in enumerate(immediates(opcode)):
        work = f"({instruction(opcode, immediate)} {' '.join(operands)})"
        if opcode.results:
            work = f"({opcode.results[0]}.store offset={RESULT} (local.get $p) {work})"
        functions.append(f"""
            (func (export "run{number}") (param $count i32) (local $p i32)
              (loop $next
                {work}
                (local.set $p (i32.add (local.get $p) (i32.const {CASE})))
                (br_if $next (local.tee $count (i32.sub (local.get $count) (i32.const 1))))))""")
    return f'(module (memory (export "memory") {PAGES}) {"".join(functions)})'


class Oracle:
    """Return the results of wasmtime for an instruction."""

    engine = wasmtime.Engine()

    def __init__(self, opcode: Opcode) -> None:
        self.store = wasmtime.Store(self.engine)
        module = wasmtime.Module(self.engine, assemble(oracle_text(opcode)))
        exports = wasmtime.Instance(self.store, module, []).exports(self.store)
        memory = exports["memory"]
        assert isinstance(memory, wasmtime.Memory)
        self.memory = memory
        functions = [exports[f"run{i}"] for i in range(len(immediates(opcode)))]
        self.functions = [one for one in functions if isinstance(one, wasmtime.Func)]

    def results(self, number: int, cases: list[bytes]) -> list[bytes]:
        """Sixteen bytes for each case, what the result does not take being zero."""
        assert 0 < len(cases) <= CAPACITY
        self.memory.write(self.store, b"".join(case + bytes(16) for case in cases))
        self.functions[number](self.store, len(cases))
        image = bytes(self.memory.read(self.store, 0, len(cases) * CASE))
        return [image[start : start + 16] for start in range(RESULT, len(image), CASE)]


def our_result(opcode: Opcode, immediate: tuple[Any, ...], case: bytes) -> bytes:
    assert opcode.params is not None
    assert opcode.results is not None
    operands: list[Any] = []
    for position, type in enumerate(opcode.params):
        data = case[16 * position : 16 * position + 16]
        if position == 0 and is_load(opcode):
            operands.append(data[: opcode.access_size])
        elif position > 0 or not is_store(opcode):
            operands.append(FROM_BYTES[type](data))
    result = FUNCTIONS[opcode.mnemonic](*operands, *immediate)
    if is_store(opcode):
        assert len(result) == opcode.access_size
        return bytes(result).ljust(16, b"\0")
    type = opcode.results[0]
    assert builtin_type(result) is PYTHON_TYPES[type]
    return TO_BYTES[type](result).ljust(16, b"\0")


builtin_type = type
PYTHON_TYPES = {
    ValType.I32: int,
    ValType.I64: int,
    ValType.F32: float,
    ValType.F64: float,
    ValType.V128: bytes,
}

# --- comparison -------------------------------------------------------------------------------

ARITHMETIC = ("add", "sub", "mul", "div", "min", "max", "sqrt", "ceil", "floor", "trunc", "nearest")
QUIET_BIT = {32: 1 << 22, 64: 1 << 51}
INFINITY = {32: 0x7F800000, 64: 0x7FF0000000000000}


def nan_widths(opcode: Opcode) -> tuple[int, int] | None:
    """The widths of operand and result lanes where NaNs may differ, or None."""
    shape, name = opcode.mnemonic.split(".")
    if name == "demote_f64x2_zero":
        return (64, 32)
    if name == "promote_low_f32x4":
        return (32, 64)
    if shape in ("f32x4", "f64x2") and name in ARITHMETIC:
        return (32, 32) if shape == "f32x4" else (64, 64)
    return None


def lanes(data: bytes, bits: int) -> list[int]:
    return list(struct.unpack("<4I" if bits == 32 else "<2Q", data))


def magnitude(lane: int, bits: int) -> int:
    return lane & (1 << (bits - 1)) - 1


def is_nan(lane: int, bits: int) -> bool:
    return magnitude(lane, bits) > INFINITY[bits]


def is_canonical(lane: int, bits: int) -> bool:
    return magnitude(lane, bits) == INFINITY[bits] | QUIET_BIT[bits]


def agree(opcode: Opcode, case: bytes, ours: bytes, theirs: bytes) -> bool:
    """Return whether the specification allows both results."""
    widths = nan_widths(opcode)
    if ours == theirs:
        return True
    if widths is None:
        return False
    assert opcode.params is not None
    source, target = widths
    operands = [lanes(case[16 * i : 16 * i + 16], source) for i in range(len(opcode.params))]
    for position, pair in enumerate(zip(lanes(ours, target), lanes(theirs, target), strict=True)):
        if pair[0] == pair[1]:
            continue
        if not all(is_nan(lane, target) for lane in pair):
            return False
        inputs = [operand[position] for operand in operands]
        must_be_canonical = all(is_canonical(n, source) for n in inputs if is_nan(n, source))
        if must_be_canonical and not is_canonical(pair[0], target):
            return False
        if not pair[0] & QUIET_BIT[target]:
            return False
    return True


def check(opcode: Opcode, oracle: Oracle, number: int, cases: list[bytes]) -> None:
    immediate = immediates(opcode)[number]
    for case, theirs in zip(cases, oracle.results(number, cases), strict=True):
        ours = our_result(opcode, immediate, case)
        if not agree(opcode, case, ours, theirs):
            operands = " ".join(case[start : start + 16].hex() for start in range(0, RESULT, 16))
            text = instruction(opcode, immediate)
            pytest.fail(f"{text} of {operands}: {ours.hex()}, not {theirs.hex()}")


# --- tests ------------------------------------------------------------------------------------


def test_every_vector_instruction_has_a_function() -> None:
    assert len(VECTOR_OPCODES) == 236
    without = {opcode.mnemonic for opcode in VECTOR_OPCODES} - set(FUNCTIONS)
    assert without == {"v128.const", "v128.load", "v128.store"}


@pytest.mark.parametrize("opcode", TESTED, ids=str)
def test_instruction(opcode: Opcode) -> None:
    oracle = Oracle(opcode)
    count = len(oracle.functions)
    for number in range(count):
        check(opcode, oracle, number, edge_cases(opcode))

    @settings(max_examples=15, deadline=None, database=None)
    @given(number=st.integers(0, count - 1), case=RANDOM_CASE)
    def random_operands(number: int, case: bytes) -> None:
        check(opcode, oracle, number, [case])

    random_operands()
