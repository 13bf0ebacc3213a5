"""Loops that count from one constant to another, in every way, against wasmtime."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product

import pytest
import wasmtime

from purewasm_plugins import instantiate
from purewasm_plugins.engine.translator.source import translate
from purewasm_plugins.wasm import load

Wat = Callable[[str], bytes]

#: `$i` counts, and `$j` with it; `$n` ends a loop that would be long; `$sum` depends on each value.
LOOP = """
(module
  (memory (export "memory") 1)
  (func (export "run") (param $n i32) (result i64)
    (local $i i32) (local $j i32) (local $sum i64)
    (local.set $j (i32.const {start_along}))
    (local.set $i (i32.const {start}))
    (block $out
      (loop $again
        (local.set $sum (i64.add
          (i64.mul (local.get $sum) (i64.const 31))
          (i64.xor (i64.extend_i32_u (local.get $i)) (i64.extend_i32_s (local.get $j)))))
        (local.set $sum (i64.add (local.get $sum) (i64.extend_i32_u
          (i32.add (i32.div_u (local.get $i) (i32.const 3))
            (i32.lt_s (local.get $i) (local.get $n))))))
        {body}
        (local.set $j (i32.sub (local.get $j) (i32.const {along})))
        {step}
        (br_if $again {test})))
    (i64.add (local.get $sum) (i64.extend_i32_u (i32.mul (local.get $i) (i32.const 5))))))
"""

ENOUGH = (
    "(br_if $out (i32.le_s (local.tee $n (i32.sub (local.get $n) (i32.const 1))) (i32.const 0)))"
)
#: Goes out of the function instead: the only exit of the loop is its end.
RETURN = """(if (i32.le_s (local.tee $n (i32.sub (local.get $n) (i32.const 1))) (i32.const 0))
  (then (return (i64.extend_i32_u (local.get $i)))))"""
BODIES = {
    "break": ENOUGH,
    "return": RETURN,
    "inner": RETURN
    + """(block $skip (loop $inner
        (br_if $skip (i32.gt_u (local.get $i) (i32.const 40)))
        (local.set $sum (i64.add (local.get $sum) (i64.extend_i32_u (local.get $i))))
        (br_if $inner
          (i32.gt_s (local.tee $n (i32.sub (local.get $n) (i32.const 1))) (i32.const 0)))))""",
    "again": ENOUGH
    + """(if (i32.and (local.get $n) (i32.const 1))
        (then (local.set $i (i32.add (local.get $i) (i32.const 1)))))""",
    "switch": RETURN
    + """(block $a (block $b (block $c (br_table $a $b $c (i32.and (local.get $i) (i32.const 3))))
        (local.set $sum (i64.add (local.get $sum) (i64.extend_i32_u (local.get $i)))))
        (local.set $sum (i64.add (local.get $sum) (i64.extend_i32_s (local.get $i)))))""",
}
STEP = "(i32.add (local.get $i) (i32.const {}))"
TESTS = {
    "tee": ("", "(local.tee $i {step})"),
    "ne": ("(local.set $i {step})", "(i32.ne (local.get $i) (i32.const {limit}))"),
    "lt": ("", "(i32.lt_u (local.tee $i {step}) (i32.const {limit}))"),
    "local": ("(local.set $i {step})", "(local.get $i)"),
}
STARTS = (0, 7, -1, -6, -64, 2147483640, -2147483648)
STEPS = (1, 3, -1, 2147483647)
LIMITS = (0, 15, -3, 2147483647)


@pytest.mark.parametrize("name", BODIES)
@pytest.mark.parametrize("kind", TESTS)
def test_counters(name: str, kind: str, wat: Wat) -> None:
    engine = wasmtime.Engine()
    limits = LIMITS if "{limit}" in "".join(TESTS[kind]) else (0,)
    for number, (start, step, limit) in enumerate(product(STARTS, STEPS, limits)):
        before, test = (text.format(step=STEP.format(step), limit=limit) for text in TESTS[kind])
        source = LOOP.format(
            start=start,
            start_along=STARTS[number % 5],
            along=STEPS[number % 4],
            body=BODIES[name],
            step=before,
            test=test,
        )
        data = wat(source)
        store = wasmtime.Store(engine)
        theirs = wasmtime.Instance(store, wasmtime.Module(engine, data), []).exports(store)["run"]
        assert isinstance(theirs, wasmtime.Func)
        run = instantiate(data).exports["run"]
        for count in (70, 9):
            expected = theirs(store, count) & 0xFFFFFFFFFFFFFFFF
            assert run(count) & 0xFFFFFFFFFFFFFFFF == expected, source  # type: ignore[operator]


def test_no_masks(wat: Wat) -> None:
    """From below zero up to it, as compilers count: with no mask at all."""
    source = LOOP.format(
        start=-64,
        start_along=64,
        along=1,
        body="",
        step="",
        test=TESTS["tee"][1].format(step=STEP.format(4)),
    ).replace("$n)", "$j)")
    text = translate(load(wat(source)), 0)
    assert "    l1 = -64\n" in text
    assert "        l1 = l1 + 4\n" in text
