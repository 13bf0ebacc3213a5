"""Each comparison of integers, with operands of every shape that Python's operators part."""

from __future__ import annotations

from itertools import product

import pytest

from tests.conftest import assemble
from tests.differential.comparison import compare

ORDERS = [f"{order}_{sign}" for order in ("lt", "gt", "le", "ge") for sign in "su"]
COMPARISONS = ["eq", "ne", *ORDERS]

#: By what its text has outermost: a conditional, a variable, a comparison, an operator.
SHAPES = {
    "conditional": "(select ({0}.const {1}) ({0}.const 3) (i32.const {2}))",
    "variable": "(local.get ${0})",
    "comparison": "({0}.extend8_s (local.get ${0}))",
    "operator": "({0}.or (local.get ${0}) ({0}.const {1}))",
}


@pytest.mark.parametrize("comparison", COMPARISONS)
@pytest.mark.parametrize("type_", ["i32", "i64"])
def test_comparisons(type_: str, comparison: str) -> None:
    lowest = -(1 << (31 if type_ == "i32" else 63))
    functions = [
        f"""(func (export "{left} {right} {constant} {choice}")
            (param $i32 i32) (param $i64 i64) (result i32)
            ({type_}.{comparison} {SHAPES[left].format(type_, constant, choice)}
                {SHAPES[right].format(type_, constant, choice)}))"""
        for left, right in product(SHAPES, SHAPES)
        for constant, choice in ((lowest, 1), (-7, 0), (7, 1))
    ]
    difference, calls = compare(assemble(f"(module {''.join(functions)})"))
    assert difference is None
    assert calls == 3 * len(functions)
