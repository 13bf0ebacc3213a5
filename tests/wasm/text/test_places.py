"""Where the instructions of functions are in a text."""

from __future__ import annotations

from pathlib import Path

import pytest

from purewasm_plugins.wasm import decode
from purewasm_plugins.wasm.binary.instructions import instructions
from purewasm_plugins.wasm.text.assembler import assemble, instruction_places
from tests.conftest import ROOT

TEXTS = sorted((ROOT / "fixtures").rglob("*.wat"))


def words(text: str) -> list[list[str]]:
    """The tokens of the instructions of each function, in the order in which they run."""
    return [
        [
            text[position : position + length]
            for position, length in zip(found.positions, found.lengths, strict=True)
        ]
        for found in instruction_places(text)
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("(func)", [[")"]]),
        ("(func nop)(func (nop))", [["nop", ")"], ["nop", ")"]]),
        (
            "(func (drop (i32.add (i32.const 1) (i32.const 2))))",
            [["i32.const", "i32.const", "i32.add", "drop", ")"]],
        ),
        (
            "(func (if (i32.const 1) (then nop) (else unreachable)))",
            [["i32.const", "if", "nop", "else", "unreachable", ")", ")"]],
        ),
        ("(func block $b nop end $b)", [["block", "nop", "end", ")"]]),
        # Imports have no instructions, and expressions are in no function.
        (
            '(import "a" "b" (func)) (func $f (import "a" "c")) (global i32 (i32.const 5))'
            ' (func (export "d") (local i32) nop) (memory (data "x"))',
            [["nop", ")"]],
        ),
    ],
)
def test_the_words_of_instructions(text: str, expected: list[list[str]]) -> None:
    assert words(text) == expected


@pytest.mark.parametrize("path", TEXTS, ids=lambda path: path.stem)
def test_each_instruction_has_its_word(path: Path) -> None:
    text = path.read_text("utf-8")
    module = decode(assemble(text))
    found = tuple(instruction_places(text))
    assert len(found) == len(module.functions)
    for function, places in zip(module.functions, found, strict=True):
        assert text[places.start] == "("
        assert text[places.end] == ")"
        body = list(instructions(module.data, function.body))
        assert list(places.offsets) == [instruction.offset for instruction in body]
        for instruction, position, length in zip(
            body, places.positions, places.lengths, strict=True
        ):
            word = text[position : position + length]
            assert places.start < position <= places.end
            # A folded block has no words for its end.
            assert word in (instruction.opcode.mnemonic, ")", "else")
