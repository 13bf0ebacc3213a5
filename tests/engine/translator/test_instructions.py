"""Every scalar instruction against wasmtime, with each operand in every form that it can have.

The translator writes a constant, a parameter and a sum that may have left its range differently,
and may compute what is constant itself: each form is tried with the edge cases of its type.
"""

from __future__ import annotations

import itertools
import struct
from collections.abc import Iterator
from random import Random
from typing import Any

import pytest
import wasmtime

from purewasm_plugins import Trap, instantiate
from purewasm_plugins.wasm.opcodes import OPCODES, Immediates, Opcode
from purewasm_plugins.wasm.types import ValType
from tests.conftest import assemble

I32, I64, F32, F64 = ValType.I32, ValType.I64, ValType.F32, ValType.F64
SCALARS = {I32, I64, F32, F64}
WIDTH = {I32: 32, I64: 64, F32: 32, F64: 64}


def scalar(opcode: Opcode) -> bool:
    return {*(opcode.params or (None,)), *(opcode.results or ())} <= SCALARS


NUMERIC = [o for o in OPCODES if o.immediates is Immediates.NONE and o.params and scalar(o)]
ACCESSES = [o for o in OPCODES if o.immediates is Immediates.MEMARG and scalar(o)]

#: Bit patterns of each type.
EDGES = {
    I32: (0, 1, 2, 31, 33, 0xFF, 0x8000, 0x7FFFFFFF, 0x80000000, 0x80000001, 0xFFFFFFFF),
    I64: (
        *(0, 1, 63, 65, 0x8000, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, (1 << 53) + 1),
        *((1 << 63) - 1, 1 << 63, (1 << 63) + 1, (1 << 64) - 1),
    ),
    F32: (
        *(0, 1, 1 << 31, 0x3F000000, 0xBFC00000, 0x40200000, 0x4B000001, 0x4EFFFFFF, 0xCF000000),
        *(0x4F800000, 0x5F000000, 0x7F7FFFFF, 0x7F800000, 0xFF800000, 0x7FC00000, 0xFFC12345),
    ),
    F64: (
        *(0, 1, 1 << 63, 0x3FE0000000000000, 0xBFF8000000000000, 0x4004000000000000),
        *(0x3FB999999999999A, 0x4330000000000001, 0x41DFFFFFFFC00000, 0xC1E0000000100000),
        *(0x41F0000000000000, 0x43E0000000000000, 0x47EFFFFFEFFFFFFF, 0x36A0000000000001),
        *(0x7FEFFFFFFFFFFFFF, 0x7FF0000000000000, 0x7FF8000000000000, 0xFFF8000012345678),
    ),
}

#: A load or store ends here at the latest.
SIZE = 65536


def constant(type_: ValType, bits: int) -> str:
    if type_ in (I32, I64):
        return f"({type_}.const {bits})"
    width, mantissa, code = (32, 23, "<f") if type_ is F32 else (64, 52, "<d")
    payload = bits & ((1 << mantissa) - 1)
    sign = "-" if bits >> (width - 1) else ""
    if (bits >> mantissa) + 1 & (1 << (width - 1 - mantissa)) - 1 == 0:
        return f"({type_}.const {sign}{f'nan:{payload:#x}' if payload else 'inf'})"
    (value,) = struct.unpack(code, bits.to_bytes(width // 8, "little"))
    return f"({type_}.const {value.hex()})"


def raw(type_: ValType) -> ValType:
    """The integer type in which a value goes in and out, whatever its bits."""
    return {F32: I32, F64: I64}.get(type_, type_)


def parameter(type_: ValType, index: int) -> str:
    got = f"(local.get {index})"
    return got if type_ is raw(type_) else f"({type_}.reinterpret_{raw(type_)} {got})"


def one_less(type_: ValType, index: int) -> str:
    """A parameter that is given one too large: the sum may need its range again."""
    integer = raw(type_)
    less = f"({integer}.add (local.get {index}) ({integer}.const -1))"
    return less if type_ is integer else f"({type_}.reinterpret_{integer} {less})"


def result(type_: ValType, value: str) -> str:
    return value if type_ is raw(type_) else f"({raw(type_)}.reinterpret_{type_} {value})"


class Pair:
    """The same module on the translator and on wasmtime."""

    def __init__(self, text: str) -> None:
        data = assemble(text)
        self.ours = instantiate(data, engine="translator").exports
        self.store = wasmtime.Store()
        module = wasmtime.Module(self.store.engine, data)
        self.theirs: Any = wasmtime.Instance(self.store, module, []).exports(self.store)

    def call(self, name: str, *arguments: int) -> tuple[int | str | None, int | str | None]:
        try:
            ours = self.ours.function(name)(*arguments)
        except Trap as trap:
            ours = str(trap.reason)
        try:
            theirs = self.theirs[name](self.store, *arguments)
        except wasmtime.Trap as trap:
            theirs = trap.message.split("wasm trap: ")[1].splitlines()[0]
        return ours, theirs


def signed(type_: ValType, bits: int) -> int:
    width = WIDTH[type_]
    return bits - (1 << width) if bits >> (width - 1) else bits


def is_nan(type_: ValType, bits: int | str | None) -> bool:
    if not isinstance(bits, int) or type_ not in (F32, F64):
        return False
    infinity = 0x7F800000 if type_ is F32 else 0x7FF0000000000000
    return bits & ((1 << (WIDTH[type_] - 1)) - 1) > infinity


#: These give the bits of their operands; what others make of a NaN is theirs to choose (4.3.3).
KEEP_NAN_BITS = ("abs", "neg", "copysign", "reinterpret")


def forms(opcode: Opcode) -> Iterator[tuple[str, tuple[tuple[int, ...], ...]]]:
    """Operands as text, and the lists of bit patterns that they are tried with."""
    params = opcode.params or ()
    cases = tuple(itertools.product(*(EDGES[type_] for type_ in params)))
    yield " ".join(map(parameter, params, itertools.count())), cases
    more = [
        tuple((bits + 1) % (1 << WIDTH[type_]) for type_, bits in zip(params, case, strict=True))
        for case in cases
    ]
    yield " ".join(map(one_less, params, itertools.count())), tuple(more)
    for case in Random(opcode.code).sample(cases, min(12, len(cases))):
        yield " ".join(map(constant, params, case)), (case,)
    if len(params) == 2:
        first, second = params
        for bits in EDGES[second]:
            rows = tuple((other, bits) for other in EDGES[first])
            yield f"{parameter(first, 0)} {constant(second, bits)}", rows
        for bits in EDGES[first]:
            rows = tuple((bits, other) for other in EDGES[second])
            yield f"{constant(first, bits)} {parameter(second, 1)}", rows


@pytest.mark.parametrize("opcode", NUMERIC, ids=str)
def test_numeric(opcode: Opcode) -> None:
    params, (to,) = opcode.params or (), opcode.results or ()
    signature = " ".join(f"(param {raw(type_)})" for type_ in params)
    signature += f" (result {raw(to)})"
    tried = list(forms(opcode))
    functions = [
        f'(func (export "{number}") {signature} {result(to, f"({opcode} {operands})")})'
        for number, (operands, _) in enumerate(tried)
    ]
    pair = Pair(f"(module {' '.join(functions)})")
    keeps = any(word in opcode.mnemonic for word in KEEP_NAN_BITS)
    for number, (operands, cases) in enumerate(tried):
        for case in cases:
            ours, theirs = pair.call(str(number), *map(signed, params, case))
            if not keeps and is_nan(to, ours) and is_nan(to, theirs):
                continue
            assert ours == theirs, (str(opcode), operands, case)


@pytest.mark.parametrize("opcode", ACCESSES, ids=str)
def test_access(opcode: Opcode) -> None:
    """At both ends of the memory and past them, with and without an offset."""
    offsets = (0, 1, 7, SIZE - 4, SIZE, 0xFFFFFFFF)
    addresses = (0, 1, 7, *range(SIZE - 9, SIZE + 2), 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)
    stored = (opcode.params or ())[1:]
    values = EDGES[stored[0]][::5] if stored else (0,)
    signature = "(param i32)" + "".join(f" (param {raw(type_)})" for type_ in stored)
    signature += "".join(f" (result {raw(type_)})" for type_ in opcode.results or ())
    value = "".join(parameter(type_, 1) for type_ in stored)
    functions = []
    for offset in offsets:
        for name, address in (
            *((f"constant {address}", constant(I32, address)) for address in addresses),
            ("parameter", "(local.get 0)"),
            ("one less", one_less(I32, 0)),
        ):
            body = f"({opcode} offset={offset} {address} {value})"
            if opcode.results:
                body = result(opcode.results[0], body)
            functions.append(f'(func (export "{name} {offset}") {signature} {body})')
    data = "".join(f"\\{byte:02x}" for byte in Random(7).randbytes(64))
    pair = Pair(
        f'(module (memory (export "memory") 1) (data (i32.const 0) "{data}")'
        f' (data (i32.const {SIZE - 64}) "{data}") {" ".join(functions)})'
    )
    memory, oracle = pair.ours.memory(), pair.theirs["memory"]
    for offset, address in itertools.product(offsets, addresses):
        more = (address + 1) % (1 << 32)
        for name, given in ((f"constant {address}", 0), ("parameter", address), ("one less", more)):
            for bits in values:
                arguments = [signed(I32, given), *(signed(type_, bits) for type_ in stored)]
                ours, theirs = pair.call(f"{name} {offset}", *arguments)
                assert ours == theirs, (name, offset, address, bits)
    assert memory.read(0, SIZE) == bytes(oracle.read(pair.store, 0, SIZE))
