"""Random programs over the interface have the same outcomes on wasmtime and on the stand-in.

`PUREWASM_STAND_IN=5000 python -m pytest tests/wasmtime/test_against_wasmtime.py` runs so many, of
some eighty operations each. What differs on purpose is not drawn, or made equal by `Side`, and a
comment says why.
"""

from __future__ import annotations

import os
from random import Random
from typing import Any

import purewasm_plugins.wasmtime
from tests.wasmtime.programs import Side, same
from tests.wasmtime.random_programs import random_program

COUNT = int(os.environ.get("PUREWASM_STAND_IN", "25"))


def test_random_programs(oracle: Any) -> None:
    for seed in range(COUNT):
        theirs, ours = Side(oracle), Side(purewasm_plugins.wasmtime)
        for number, operation in enumerate(random_program(Random(seed))):
            expected, found = (side.run(number, operation) for side in (theirs, ours))
            assert same(expected, found), f"program {seed}, operation {number}: {operation}"
