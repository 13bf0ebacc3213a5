"""Random modules on the translator and on wasmtime: the same results, traps, memory and globals.

`PUREWASM_DIFFERENTIAL=20000 pytest tests/translator/test_differential.py` is the long run.
"""

from __future__ import annotations

import os
import struct
from random import Random
from typing import Any

import pytest
import wasmtime

from purewasm_plugins import Function, Global, Memory, Trap, instantiate
from purewasm_plugins.engine.translator import control, function
from purewasm_plugins.wasm import ValType, load
from tests.generators import random_module

COUNT = int(os.environ.get("PUREWASM_DIFFERENTIAL", "60"))
#: The same modules, written in every way that control flow can be.
STYLES = {"structured": (3, 4), "segments": (1, 0), "flattened": (3, 4)}

NUMBERS = (ValType.I32, ValType.I64, ValType.F32, ValType.F64)

#: What wasmtime does not tell apart, or words in its own way: part of a message -> common wording.
WORDING = {
    "indirect call": "indirect call type mismatch",
    "undefined element": "table",
    "out of bounds table access": "table",
    "uninitialized element": "uninitialized element",
    "unreachable": "unreachable",
}


def bits(value: Any) -> Any:
    """A result as something that can be compared, NaNs too."""
    if isinstance(value, float):
        return struct.pack("<d", value) if value == value else "NaN"
    if isinstance(value, (tuple, list)):
        return tuple(bits(item) for item in value)
    if value is None or isinstance(value, (int, bytes)):
        return value
    return "reference"


def outcome(call: Any) -> Any:
    try:
        return bits(call())
    except Trap as trap:
        message = str(trap.reason)
    except wasmtime.Trap as trap:
        message = trap.message
        if "wasm trap: " in message:
            message = message.split("wasm trap: ")[1].splitlines()[0]
    return next((wording for part, wording in WORDING.items() if part in message), message)


def argument(random: Random, type_: ValType) -> Any:
    if type_ in (ValType.I32, ValType.I64):
        width = 32 if type_ is ValType.I32 else 64
        return random.choice((0, 1, -1, 7, random.getrandbits(width - 1), -(1 << (width - 1))))
    if type_ in (ValType.F32, ValType.F64):
        return random.choice((0.0, -0.0, 1.5, -2.0, 1e10, float("inf")))
    return None


@pytest.mark.parametrize("style", STYLES)
def test_same_as_wasmtime(style: str, monkeypatch: pytest.MonkeyPatch) -> None:
    segments, nested = STYLES[style]
    monkeypatch.setattr(control, "_SEGMENTS_FROM", segments)
    monkeypatch.setattr(control, "_NESTED_IFS", nested)
    if style == "flattened":
        monkeypatch.setattr(control, "_HEIGHT", 1)
        monkeypatch.setattr(function, "analyse", lambda body, _: control.analyse(body, True))
    for seed in range(COUNT):
        check(seed)


def check(seed: int) -> None:
    random = Random(seed)
    data = random_module(
        random, size=random.choice((20, 60, 200)), canonical_nans=True, vector_signatures=False
    )
    module = load(data)
    ours = instantiate(module, engine="translator")
    store = wasmtime.Store()
    theirs = wasmtime.Instance(store, wasmtime.Module(store.engine, data), []).exports(store)
    for name, export in ours.exports.items():
        if not isinstance(export, Function):
            continue
        for _ in range(3):
            arguments = [argument(random, param) for param in export.type.params]
            here = outcome(lambda: export(*arguments))  # noqa: B023
            counterpart: Any = theirs[name]
            there = outcome(lambda: counterpart(store, *arguments))  # noqa: B023
            assert here == there, (seed, name, arguments)
            if here == "call stack exhausted":
                return
        for other, value in ours.exports.items():
            counterpart = theirs[other]
            if isinstance(value, Memory):
                size = counterpart.data_len(store)
                assert value.size == size, (seed, name)
                assert value.read(0, size) == counterpart.read(store, 0, size), (seed, name)
            elif isinstance(value, Global) and value.type.value in NUMBERS:
                assert bits(value.value) == bits(counterpart.value(store)), (seed, name, other)
