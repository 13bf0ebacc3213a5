"""Every instruction on integers, on values from the edges, against wasmtime."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import pytest
import wasmtime

from purewasm_plugins import Instance, Trap
from purewasm_plugins.wasm.opcodes import OPCODES, Immediates, Opcode
from purewasm_plugins.wasm.types import ValType
from tests.conftest import assemble

Start = Callable[..., Instance]

BITS = {ValType.I32: 32, ValType.I64: 64}


MNEMONICS = [
    opcode
    for opcode in OPCODES
    if opcode.immediates is Immediates.NONE and opcode.params and opcode.results
    if BITS.keys() >= {*opcode.params, *opcode.results}
]


def edges(type: ValType) -> list[int]:
    """Signed values: those next to where something changes."""
    bits = BITS[type]
    half = 1 << bits - 1
    values = {0, 1, 3, bits - 1, bits, half - 1, half}
    values |= {1 << power for power in (7, 15, 31)} | {half // 2 + 5}
    return sorted(
        {(sign * value + half) % (2 * half) - half for value in values for sign in (1, -1)}
    )


@pytest.mark.parametrize("opcode", MNEMONICS, ids=[opcode.mnemonic for opcode in MNEMONICS])
def test_edges(start: Start, opcode: Opcode) -> None:
    operands = " ".join(f"(local.get {number})" for number in range(len(opcode.params or ())))
    text = f"""(module (func (export "run") (param {" ".join(map(str, opcode.params or ()))})
      (result {(opcode.results or ())[0]}) ({opcode.mnemonic} {operands})))"""
    store = wasmtime.Store()
    reference = wasmtime.Instance(store, wasmtime.Module(store.engine, assemble(text)), [])
    expected_run = reference.exports(store)["run"]
    assert isinstance(expected_run, wasmtime.Func)
    run = start(text).exports.function("run")
    for arguments in itertools.product(*map(edges, opcode.params or ())):
        expected: object
        try:
            expected = expected_run(store, *arguments)
        except wasmtime.Trap as trap:
            expected = trap.message.rpartition("wasm trap: ")[2].strip()
        found: object
        try:
            found = run(*arguments)
        except Trap as trap:
            found = trap.reason.value
        assert found == expected, arguments


def test_what_is_tried() -> None:
    names = {opcode.mnemonic for opcode in MNEMONICS}
    assert {"i32.eqz", "i64.div_u", "i64.rotr", "i64.extend32_s", "i32.wrap_i64"} <= names
    assert len(names) == 2 * (11 + 18 + 2) + 1 + 3
