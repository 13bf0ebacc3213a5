"""Running of scripts: each kind of command, where it holds and where it does not."""

from __future__ import annotations

import pytest

from purewasm_plugins.wast import Outcome, run_script

MODULE = """(module $M
  (func (export "id") (param i32) (result i32) (local.get 0))
  (func (export "f32") (param f32) (result f32) (local.get 0))
  (func (export "v128") (param v128) (result v128) (local.get 0))
  (func (export "extern") (param externref) (result externref) (local.get 0))
  (func (export "func") (result funcref) (ref.func 0))
  (func (export "two") (result i32 i64) (i32.const 1) (i64.const 2))
  (func (export "trap") unreachable)
  (func $deep (export "deep") (call $deep))
  (func (export "print") (call 0 (i32.const 1)) drop)
  (global (export "g") i32 (i32.const 5)))
"""


def faults(text: str, engine: str | None = None) -> list[str | None]:
    return [outcome.fault for outcome in run_script(MODULE + text, engine=engine)][1:]


@pytest.mark.parametrize(
    "text",
    [
        '(assert_return (invoke "id" (i32.const -1)) (i32.const 0xffffffff))',
        '(assert_return (invoke "f32" (f32.const nan:0x1)) (f32.const nan:0x1))',
        '(assert_return (invoke "f32" (f32.const nan)) (f32.const nan:canonical))',
        '(assert_return (invoke "f32" (f32.const nan:0x600000)) (f32.const nan:arithmetic))',
        '(assert_return (invoke "v128" (v128.const i8x16 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15))'
        " (v128.const i64x2 0x0706050403020100 0x0f0e0d0c0b0a0908))",
        '(assert_return (invoke "extern" (ref.extern 3)) (ref.extern 3))',
        '(assert_return (invoke "extern" (ref.host 3)) (ref.extern))',
        '(assert_return (invoke "extern" (ref.null extern)) (ref.null))',
        '(assert_return (invoke "func") (ref.func))',
        '(assert_return (invoke "two") (i32.const 1) (i64.const 2))',
        '(assert_return (get "g") (i32.const 5))',
        '(assert_return (get $M "g") (either (i32.const 4) (i32.const 5)))',
        '(assert_trap (invoke "trap") "unreachable")',
        '(assert_exhaustion (invoke "deep") "call stack exhausted")',
        '(assert_trap (module (func unreachable) (start 0)) "unreachable")',
        '(assert_malformed (module quote "(func (nop)") "unexpected token")',
        '(assert_malformed (module binary "\\00as") "unexpected end")',
        '(assert_invalid (module (func (result i32))) "type mismatch")',
        '(assert_unlinkable (module (import "a" "b" (func))) "unknown import")',
        '(invoke "print")',
        "(module definition $D) (module instance $I $D)",
        '(register "m" $M) (module (import "m" "id" (func (param i32) (result i32))))',
        '(module (import "spectest" "memory" (memory 1 2)) (import "spectest" "print" (func)))',
    ],
)
def test_what_holds(text: str, engine: str) -> None:
    assert {*faults(text, engine)} == {None}


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        (
            '(assert_return (invoke "f32" (f32.const nan:0x1)) (f32.const nan:canonical))',
            "expected f32 nan:canonical, got f32 nan (0x7f800001)",
        ),
        (
            '(assert_return (invoke "v128" (v128.const i32x4 1 2 3 4)) (v128.const i32x4 1 2 3 5))',
            "expected v128 0x1 0x2 0x3 0x5, got v128 0x1 0x2 0x3 0x4",
        ),
        ('(assert_return (invoke "two") (i32.const 1))', "expected i32 1, got 2 results"),
        (
            '(assert_return (invoke "extern" (ref.extern 1)) (ref.null))',
            "expected ref.null, got HostReference(number=1)",
        ),
        ('(assert_return (invoke "none"))', "there is no export 'none'"),
        ('(assert_return (get "id") (i32.const 1))', "the export 'id' is no global"),
        ('(invoke "g")', "the export 'g' is no function"),
        ('(invoke $N "id")', "there is no module $N"),
        ('(invoke "id")', "takes 1 arguments"),
        ('(invoke "trap")', "unreachable"),
        ('(assert_trap (invoke "trap") "integer overflow")', "expected 'integer overflow', got"),
        ('(assert_trap (invoke "two") "x")', "expected 'x', and it succeeded"),
        ('(assert_malformed (module) "x")', "expected 'x', and it succeeded"),
        ('(assert_invalid (module) "x")', "expected 'x', and it succeeded"),
        ('(assert_unlinkable (module) "x")', "expected 'x', and it succeeded"),
        ('(assert_exception (invoke "trap"))', "assert_exception is not supported"),
        ("(module (func nope))", "unknown operator nope"),
        ("(nope)", "unknown operator nope"),
        ("(module instance $I $D)", "there is no module $D"),
    ],
)
def test_what_does_not_hold(text: str, fault: str) -> None:
    (found,) = faults(text)
    assert found is not None
    assert found.startswith(fault) or fault in found


def test_a_module_that_fails_leaves_no_module() -> None:
    text = '(module $M (func nope)) (invoke "id") (invoke $M "id") (module instance) (module)'
    missing = "there is no module"
    assert faults(text)[1:] == [missing, f"{missing} $M", missing, None]


def test_a_text_that_is_no_script() -> None:
    assert [*run_script("(module)\n(module")] == [
        Outcome(1, "module", None),
        Outcome(2, "script", "unexpected end: this parenthesis is not closed"),
    ]
