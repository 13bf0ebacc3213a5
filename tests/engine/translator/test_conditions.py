"""Conditions that bound a local: each comparison, in each statement, against wasmtime."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from typing import Any

import pytest
import wasmtime

from purewasm_plugins import instantiate
from purewasm_plugins.engine.translator.source import translate
from purewasm_plugins.wasm import load

Wat = Callable[[str], bytes]

#: What a local is compared with: around zero, in the middle, and around the signs.
CONSTANTS = (0, 1, 2, 100, 0x7FFFFFFF, 0x80000000, 0x80000001, 0xFFFFFF9C, 0xFFFFFFFF)
RELATIONS = ("eq", "ne", *(f"{name}_{sign}" for name in ("lt", "gt", "le", "ge") for sign in "su"))

#: Sums and differences that need a mask or not, by the bounds of `$x`; halved, so that the lack of
#: a mask would show.
SUM = """
(i64.add (i64.shr_u (i64.extend_i32_u (i32.sub (local.get $x) (i32.const 2))) (i64.const 1))
  (i64.add (i64.shr_u (i64.extend_i32_u (i32.add (local.get $x) (i32.const 100))) (i64.const 1))
    (i64.add (i64.extend_i32_u (i32.lt_s (local.get $x) (i32.const 7)))
      (i64.extend_i32_u (i32.shr_u (i32.shl (local.get $x) (i32.const 3)) (i32.const 1))))))"""

#: Statements around `{condition}`; `{sum}` is an i64 of `$x`.
STATEMENTS = {
    "if and else": """
        (if (result i64) {condition} (then {sum}) (else (i64.mul {sum} (i64.const 3))))""",
    "if that sets": """
        (if {condition} (then (local.set $x (i32.sub (local.get $x) (i32.const 1)))
          (local.set $s {sum})))
        (i64.add (local.get $s) {sum})""",
    "else after a first arm that sets": """
        (if {condition}
          (then (local.set $x (i32.const -3)))
          (else (local.set $s {sum})))
        (i64.add (local.get $s) {sum})""",
    "block": """
        (block $out (br_if $out {condition})
          (local.set $s {sum})
          (local.set $x (i32.add (local.get $x) (i32.const 7)))
          (local.set $s (i64.add (local.get $s) {sum})))
        (i64.add (local.get $s) {sum})""",
    "two branches": """
        (block $out
          (block $first
            (br_if $first {condition})
            (br_if $out (i32.gt_u (local.get $x) (i32.const 50)))
            (local.set $s {sum})
            (br $out))
          (local.set $s (i64.mul {sum} (i64.const 5))))
        (i64.add (local.get $s) {sum})""",
    "loop": """
        (block $out
          (loop $again
            (br_if $out {condition})
            (local.set $s (i64.add (i64.mul (local.get $s) (i64.const 31)) {sum}))
            (local.set $x (i32.sub (local.get $x) (i32.const 1)))
            (br_if $again (local.tee $n (i32.sub (local.get $n) (i32.const 1))))))
        (i64.add (local.get $s) {sum})""",
    "back to the loop": """
        (loop $again
          (local.set $s (i64.add (i64.mul (local.get $s) (i64.const 31)) {sum}))
          (local.set $x (i32.add (local.get $x) (i32.const 1)))
          (if (local.tee $n (i32.sub (local.get $n) (i32.const 1)))
            (then (br_if $again {condition}))))
        (i64.add (local.get $s) {sum})""",
    "switch": """
        (block $c (block $b (block $a
            (br_if $b {condition})
            (br_table $a $b $c (i32.and (local.get $x) (i32.const 3))))
            (local.set $s {sum})
            (br_if $c {condition})
            (local.set $x (i32.sub (local.get $x) (i32.const 2))))
          (local.set $s (i64.add (local.get $s) {sum})))
        (i64.add (local.get $s) {sum})""",
}

MODULE = """
(module (func (export "run") (param $x i32) (result i64) (local $s i64) (local $n i32)
  (local.set $n (i32.const 4))
  {body}))"""

#: The comparison as it is, and its negation.
NEGATIONS = ("{}", "(i32.eqz {})")


def _values() -> list[int]:
    near = {(constant + step) & 0xFFFFFFFF for constant in CONSTANTS for step in (-2, -1, 0, 1, 2)}
    return sorted(value - ((value & 0x80000000) << 1) for value in near)


@pytest.mark.parametrize("statement", STATEMENTS)
def test_like_wasmtime(statement: str, wat: Wat) -> None:
    oracle = wasmtime.Engine()
    conditions = [
        f"(i32.{relation} (local.get $x) (i32.const {constant}))"
        for relation, constant in product(RELATIONS, CONSTANTS)
    ]
    conditions += ["(local.get $x)", "(i32.and (local.get $x) (i32.const 1))"]
    for condition, negation in product(conditions, NEGATIONS):
        body = STATEMENTS[statement].format(condition=negation.format(condition), sum=SUM)
        data = wat(MODULE.format(body=body))
        store = wasmtime.Store(oracle)
        peer = wasmtime.Instance(store, wasmtime.Module(oracle, data), [])
        expected: Any = peer.exports(store)["run"]
        run = instantiate(data).exports.function("run")
        for value in _values():
            assert run(value) == expected(store, value), (condition, value)


def test_masks_are_left_out(wat: Wat) -> None:
    body = STATEMENTS["if and else"].format(
        condition="(i32.ge_u (local.get $x) (i32.const 2))", sum=SUM
    )
    first, second = translate(load(wat(MODULE.format(body=body))), 0).split("else:")
    assert "l0 - 2 >> 1" in first
    assert "l0 + 100 >> 1" in second
