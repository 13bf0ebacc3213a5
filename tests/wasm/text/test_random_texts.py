"""Random texts become the same bytes as wasmtime makes, whose assembler is that of wasm-tools.

`PUREWASM_TEXTS=20000 python -m pytest tests/wasm/text/test_random_texts.py` makes so many.
"""

from __future__ import annotations

import os
from random import Random

import pytest

from purewasm_plugins.errors import TextError
from purewasm_plugins.wasm import decode
from purewasm_plugins.wasm.text.assembler import assemble
from tests.wasm.text.random_texts import RandomText, mutated, spaced

wasmtime = pytest.importorskip("wasmtime")

COUNT = int(os.environ.get("PUREWASM_TEXTS", "300"))


def sections(data: bytes) -> list[tuple[str, bytes]]:
    """The sections of a module, without custom ones."""
    module = decode(data)
    return [
        (section.name, module.data[slice(*section.content)])
        for section in module.sections
        if section.name != "custom"
    ]


def test_the_same_bytes() -> None:
    for seed in range(COUNT):
        random = Random(seed)
        text = spaced(random, RandomText(random).tokens)
        expected = sections(bytes(wasmtime.wat2wasm(text)))
        assert sections(assemble(text)) == expected, f"seed {seed}: {text}"


def test_mutated_texts() -> None:
    """Nothing is taken that wasm-tools refuses. It takes more: blocks without `end`, `+1`."""
    for seed in range(COUNT):
        random = Random(seed)
        text = " ".join(mutated(random, RandomText(random).tokens))
        try:
            data = assemble(text)
        except TextError:
            continue
        expected = bytes(wasmtime.wat2wasm(text))
        assert sections(data) == sections(expected), f"seed {seed}: {text}"
