"""Audited translation finds each kind of false claim, and names the instruction."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from purewasm_plugins import Function, instantiate
from purewasm_plugins.engine.translator import Translator, blocks, function, numerics
from purewasm_plugins.engine.translator.audit import FalseClaim
from purewasm_plugins.engine.translator.expressions import ATOM, Expression, constant
from purewasm_plugins.engine.translator.operands import Operands

Wat = Callable[[str], bytes]


@pytest.fixture(autouse=True)
def audited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Translator, "audited", True)


def run(data: bytes, *arguments: int) -> object:
    exported = instantiate(data).exports["f"]
    assert isinstance(exported, Function)
    return exported(*arguments)


def test_a_true_claim(wat: Wat) -> None:
    data = wat("""(module (func (export "f") (param i32) (result i32)
      (i32.shr_u (i32.clz (local.get 0)) (i32.const 1))))""")
    assert run(data, 1) == 15


@pytest.mark.parametrize("high", [7, 30])
def test_a_bound(high: int, wat: Wat, monkeypatch: pytest.MonkeyPatch) -> None:
    def build(operand: Expression) -> Expression:
        return Expression(f"clz32({operand.text})", ATOM, 0, high, reads=operand.reads, size=2)

    monkeypatch.setitem(numerics.NUMERIC, "i32.clz", numerics.Row(build, 1))
    data = wat("""(module (func (export "f") (param i32) (result i32)
      (i32.shr_u (i32.clz (local.get 0)) (i32.const 1))))""")
    assert run(data, 0x80000000) == 0
    with pytest.raises(FalseClaim, match=rf"i32.clz at byte 0x\w+: 31 is not i32 from 0 to {high}"):
        run(data, 1)


def test_a_type(wat: Wat, monkeypatch: pytest.MonkeyPatch) -> None:
    def build(a: Expression, b: Expression) -> Expression:
        return Expression(f"{a.text} * {b.text}", ATOM, reads=a.reads | b.reads, size=3)

    monkeypatch.setitem(numerics.NUMERIC, "f32.mul", numerics.Row(build, 2))
    data = wat("""(module (func (export "f") (param f32) (result f32)
      (f32.mul (local.get 0) (local.get 0))))""")
    with pytest.raises(FalseClaim, match=r"f32.mul at byte 0x\w+: .* is not f32"):
        run(data, 0.1)  # type: ignore[arg-type]


#: Code with operands that must be evaluated before state is read, and what the error names.
OVERTAKEN = {
    "a segment": (
        "(memory.init $d (i32.const 0) (i32.const 0) (call $four))",
        r"call at byte 0x\w+ is evaluated after memory.init",
    ),
    "a lane": (
        "(drop (v128.load8_lane 0 (i32.const 0) (call $vector)))",
        r"call at byte 0x\w+ is evaluated after v128.load8_lane",
    ),
    "an element": (
        "(call_indirect (param i32) (call $four) (i32.const 0))",
        r"call at byte 0x\w+ is evaluated after call_indirect",
    ),
}


@pytest.mark.parametrize("code", OVERTAKEN)
def test_state_before_its_operands(code: str, wat: Wat, monkeypatch: pytest.MonkeyPatch) -> None:
    body, message = OVERTAKEN[code]
    data = wat(f"""(module (memory 1) (data $d "abcd") (table 1 funcref)
      (elem (i32.const 0) func $one) (func $one (param i32))
      (func $four (result i32) i32.const 4) (func $vector (result v128) v128.const i64x2 0 0)
      (func (export "f") {body}))""")
    run(data)
    monkeypatch.setattr(Operands, "spill_topmost", lambda self, count, effects: None)
    with pytest.raises(FalseClaim, match=message):
        run(data)


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("local.get 0 (local.set 0 (i32.const 1))", r"local.set at byte .* reads an older l0"),
        (
            "global.get $g (global.set $g (i32.const 1))",
            r"global.get at byte 0x\w+ is evaluated after global.set",
        ),
    ],
)
def test_an_operand_that_is_evaluated_late(
    code: str, message: str, wat: Wat, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = wat(f"""(module (global $g (mut i32) (i32.const 0))
      (func (export "f") (param i32) (result i32) {code}))""")
    assert run(data, 7) in (7, 0)

    monkeypatch.setattr(Operands, "spill_conflicting", lambda *arguments: None)
    monkeypatch.setattr(Operands, "spill", lambda *arguments, **options: None)
    with pytest.raises(FalseClaim, match=message):
        run(data, 7)


#: Functions whose operand stack has the wrong height where `drop` does nothing.
NOT_DROPPED = {
    "block": "(block (br_if 0 (local.get 0)) (drop (i32.const 1)))",
    "inline block": "(block (drop (i32.const 1)))",
    "loop": "(loop (drop (i32.const 1)) (br_if 0 (local.get 0)))",
    "else": "(if (local.get 0) (then (drop (i32.const 1))) (else))",
    "if": "(if (local.get 0) (then) (else (drop (i32.const 1))))",
    "function": "(drop (i32.const 1))",
    "dispatch": """(block (block (block (br_table 0 1 2 (local.get 0)))
        (drop (i32.const 1))) (nop))""",
}


@pytest.mark.parametrize("code", NOT_DROPPED)
def test_the_height_of_the_operand_stack(
    code: str, wat: Wat, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = wat(f"""(module (func (export "f") (param i32) (result i32)
      {NOT_DROPPED[code]} (local.get 0)))""")
    assert run(data, 0) == 0
    monkeypatch.setitem(function.HANDLERS, "drop", lambda writer, immediates: None)
    height = 2 if code == "function" else 1
    with pytest.raises(
        FalseClaim,
        match=rf"(end|else) at byte 0x\w+: .* has the height {height}, not {height - 1}",
    ):
        run(data, 0)


@pytest.mark.parametrize("kind", ["block", "loop", "if"])
def test_the_height_after_an_end(kind: str, wat: Wat, monkeypatch: pytest.MonkeyPatch) -> None:
    """A writer that gives a construct a result too many."""
    condition, body = (
        ("(local.get 0)", "(then)") if kind == "if" else ("", "(br_if 0 (local.get 0))")
    )
    data = wat(f"""(module (func (export "f") (param i32) (result i32)
      ({kind} {condition} {body}) (local.get 0)))""")
    assert run(data, 0) == 0
    end = blocks.Blocks.end

    def wrong(self: blocks.Blocks) -> None:
        end(self)
        self._operands.push(constant(7))

    monkeypatch.setattr(blocks.Blocks, "end", wrong)
    with pytest.raises(FalseClaim, match=r"end at byte 0x\w+: .* has the height 1, not 0"):
        run(data, 0)
