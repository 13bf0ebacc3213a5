"""Arbitrary bytes: a valid module or one of two errors, in agreement with wasmtime."""

from __future__ import annotations

from random import Random

from hypothesis import given
from hypothesis import strategies as st

from purewasm_plugins.wasm import FuncType, ValType, decode, load
from purewasm_plugins.wasm.binary.encoder import encode, section
from purewasm_plugins.wasm.binary.instructions import instructions
from purewasm_plugins.wasm.opcodes import BY_MNEMONIC, OPCODES, Opcode
from purewasm_plugins.wasm.text.printer import disassemble
from tests.conftest import ROOT
from tests.random_modules.modules import random_module
from tests.random_modules.mutator import mutated
from tests.random_modules.values import constant
from tests.wasm.modules import function_module
from tests.wasm.test_opcodes import IMMEDIATES
from tests.wasm.wasmtime_verdict import outcome

MODULES = [
    data
    for path in sorted((ROOT / "fixtures").rglob("*.wasm"))
    if len(data := path.read_bytes()) < 4000
]

randoms = st.randoms(use_true_random=False)
sections = st.builds(section, st.integers(0, 13), st.binary(max_size=40))


@given(randoms, st.sampled_from(MODULES), st.sampled_from(MODULES))
def test_broken_fixtures(random: Random, data: bytes, other: bytes) -> None:
    outcome(mutated(random, data, other))


@given(randoms, randoms)
def test_broken_random_modules(random: Random, other: Random) -> None:
    outcome(mutated(random, random_module(random, size=10), random_module(other, size=5)))


@given(st.lists(sections | st.binary(max_size=40), max_size=6).map(b"".join))
def test_any_sections(content: bytes) -> None:
    outcome(b"\0asm\x01\0\0\0" + content)


@given(st.binary(max_size=100))
def test_any_bytes(data: bytes) -> None:
    outcome(data)


@given(randoms)
def test_valid_modules(random: Random) -> None:
    data = random_module(random, functions=3, size=20)
    assert outcome(data) == "valid"
    valid = load(data)
    for index in range(len(valid.module.functions)):
        valid.control(index)


CONTROL = [BY_MNEMONIC[name] for name in ("block", "loop", "if", "else", "end", "br", "drop")]


@given(randoms, st.lists(st.sampled_from(list(OPCODES)) | st.sampled_from(CONTROL), max_size=12))
def test_any_instructions(random: Random, opcodes: list[Opcode]) -> None:
    """Mostly not valid, and often for a reason of the stacks."""
    body = b""
    for opcode in opcodes:
        for type_ in opcode.params or ():
            if random.random() < 0.8:
                body += constant(random, type_ if random.random() < 0.9 else ValType.I32)
        body += encode(opcode, *IMMEDIATES[opcode.immediates])
        if opcode.results and random.random() < 0.7:
            body += b"\x1a" * len(opcode.results)
    body += b"\x0b" * (1 + sum(opcode.mnemonic in ("block", "loop", "if") for opcode in opcodes))
    outcome(function_module(FuncType((ValType.I32,)), body))
    data = function_module(FuncType((ValType.I32,)), body + b"\x0b")
    module = decode(data)
    (code,) = module.functions
    # Valid or not, they can be read and printed.
    assert len(list(instructions(data, code.body))) >= len(opcodes)
    assert list(disassemble(module))
