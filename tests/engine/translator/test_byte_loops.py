"""Loops on bytes that are done at once: the same results, traps, memory and fuel as one by one.

`PUREWASM_BYTE_LOOPS=5000 pytest tests/engine/translator/test_byte_loops.py` is the long run.
"""

from __future__ import annotations

import os
from random import Random
from typing import Any

import pytest
import wasmtime

from purewasm_plugins import Instance, ResourceLimits, Trap, instantiate
from purewasm_plugins.engine.translator import blocks
from purewasm_plugins.wasm import ValidModule, load
from tests.differential.comparison import compare
from tests.random_modules.byte_loops import random_arguments, random_byte_loops

COUNT = int(os.environ.get("PUREWASM_BYTE_LOOPS", "60"))


def _outcome(module: ValidModule, engine: str, name: str, given: list[int], fuel: int) -> Any:
    """Return what a call results in: its results, its trap, its fuel and the memory."""
    instance = _instance(module, engine, fuel)
    try:
        answer = instance.exports.function(name)(*given)
    except Trap as trap:
        answer = trap.reason
    return answer, instance.fuel_used, bytes(instance.exports.memory().raw)


def _instance(module: ValidModule, engine: str, fuel: int) -> Instance:
    limits = ResourceLimits(fuel=fuel, timeout=None)
    return instantiate(module, engine=engine, limits=limits)


@pytest.mark.parametrize("start", range(4))
def test_as_one_by_one(start: int, monkeypatch: pytest.MonkeyPatch) -> None:
    for seed in range(start * COUNT, (start + 1) * COUNT):
        random = Random(seed)
        data = wasmtime.wat2wasm(random_byte_loops(random))
        fast, slow = load(data), load(data)
        for _ in range(20):
            name = f"f{random.randrange(4)}"
            given = random_arguments(random)
            fuel = random.choice((100_000, 100_000, random.randint(0, 60), random.randint(0, 600)))
            found = _outcome(fast, "translator", name, given, fuel)
            with monkeypatch.context() as patched:
                patched.setattr(blocks, "write_skip", lambda *arguments: None)
                expected = _outcome(slow, "translator", name, given, fuel)
            assert found[:2] == expected[:2], (seed, name, given, fuel)
            assert found[2] == expected[2], (seed, name, given, fuel)


@pytest.mark.parametrize("start", range(2))
def test_as_other_engines(start: int) -> None:
    """The same results, traps and memory as wasmtime, and the same fuel as pywasm."""
    for seed in range(start * COUNT // 4, (start + 1) * COUNT // 4):
        difference, calls = compare(bytes(wasmtime.wat2wasm(random_byte_loops(Random(seed)))))
        assert difference is None, seed
        assert calls > 8
