"""The Python of some small functions, in files. `UPDATE_GOLDEN=1` writes these."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from purewasm_plugins.engine.translator.source import translate
from purewasm_plugins.errors import WasmError
from purewasm_plugins.wasm import load

from .sources import SOURCES

FOLDER = Path(__file__).parent / "golden"

Wat = Callable[[str], bytes]


@pytest.mark.parametrize("name", SOURCES)
def test_golden(name: str, wat: Wat) -> None:
    source = translate(load(wat(SOURCES[name])), 0)
    path = FOLDER / f"{name}.py.txt"
    if os.environ.get("UPDATE_GOLDEN"):
        path.write_text(source, encoding="utf-8")
    assert source == path.read_text(encoding="utf-8")


def test_deterministic(wat: Wat) -> None:
    module = load(wat(SOURCES["switch"]))
    assert translate(module, 0) == translate(module, 0)


def test_offsets_and_names(wat: Wat) -> None:
    module = load(wat("(module (func $da-ta! (param $n i32) (result i32) (local.get $n)))"))
    source = translate(module, 0, offsets=True, names=True)
    assert source.startswith("def f0_da_ta(l0_n):  # 0x")
    assert all("  # 0x" in line for line in source.splitlines())


def test_no_such_function(wat: Wat) -> None:
    with pytest.raises(WasmError):
        translate(load(wat('(module (import "a" "b" (func)))')), 0)
