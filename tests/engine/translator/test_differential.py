"""Random modules on the translator and on wasmtime: the same results, traps, memory and globals.

`PUREWASM_DIFFERENTIAL=20000 pytest tests/engine/translator/test_differential.py` is the long run.
"""

from __future__ import annotations

import os
from random import Random

import pytest

from purewasm_plugins.engine.translator import control, function
from tests.differential.comparison import compare
from tests.random_modules.modules import random_module

COUNT = int(os.environ.get("PUREWASM_DIFFERENTIAL", "60"))
#: The same modules, written in every way that control flow can be.
STYLES = {"structured": (3, 4), "dispatch": (1, 0), "flattened": (3, 4)}


@pytest.mark.parametrize("style", STYLES)
def test_same_as_wasmtime(style: str, monkeypatch: pytest.MonkeyPatch) -> None:
    dispatch, nested = STYLES[style]
    monkeypatch.setattr(control, "_DISPATCH_FROM", dispatch)
    monkeypatch.setattr(control, "_NESTED_IFS", nested)
    if style == "flattened":
        monkeypatch.setattr(control, "_HEIGHT", 1)
        monkeypatch.setattr(
            function, "analyse", lambda body, _, look: control.analyse(body, True, look)
        )
    for seed in range(COUNT):
        random = Random(seed)
        data = random_module(random, size=random.choice((20, 60, 200)), canonical_nans=True)
        difference, _ = compare(data, engines=["translator"])
        assert difference is None, seed
