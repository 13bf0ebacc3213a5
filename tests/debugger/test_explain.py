"""Every instruction can be explained, and the sentence fits its row of the table."""

from __future__ import annotations

import pytest

from purewasm_plugins.debugger.explain import explain
from purewasm_plugins.wasm.opcodes import OPCODES, Opcode


@pytest.mark.parametrize("opcode", OPCODES, ids=lambda opcode: f"{opcode}-{opcode.code:x}")
def test_every_instruction_has_a_sentence(opcode: Opcode) -> None:
    sentence = explain(opcode)
    assert sentence[0].isupper()
    assert sentence.endswith(".")
    assert "None" not in sentence
    assert len(sentence) < 200
    pops = len(opcode.params or ())
    if pops and opcode.mnemonic.partition(".")[2].startswith(("div", "load", "store")):
        assert "Pops" in sentence


@pytest.mark.parametrize(
    ("mnemonic", "sentence"),
    [
        ("i32.sub", "Pops b (i32), then a (i32) and pushes a - b."),
        (
            "i64.div_u",
            "Pops b (i64), then a (i64) and pushes a / b (taken as unsigned). Traps if b is 0.",
        ),
        (
            "i32.load8_s",
            "Pops an address (i32), reads the byte there, taken as signed, and pushes it as an "
            "i32. Traps if that is not all in memory.",
        ),
        ("i16x8.neg", "Pops a (v128) and pushes -a, in each of 8 lanes of i16."),
        ("f64.promote_f32", "Pops a (f32) and pushes a, as an f64."),
        ("local.tee", "Copies the top of the stack into the local; it stays on the stack."),
    ],
)
def test_sentences(mnemonic: str, sentence: str) -> None:
    assert explain(mnemonic) == sentence


def test_what_is_no_instruction() -> None:
    with pytest.raises(KeyError):
        explain("i32.frobnicate")
