"""Modules as text: how it looks, and that assembling it gives the same module."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest
import wasmtime

from purewasm_plugins.wasm import FuncType, Instruction, decode
from purewasm_plugins.wasm.binary.instructions import instructions
from purewasm_plugins.wasm.opcodes import BY_MNEMONIC
from purewasm_plugins.wasm.text.assembler import assemble
from purewasm_plugins.wasm.text.printer import disassemble, format_instruction
from tests.conftest import ROOT
from tests.random_modules.modules import random_module
from tests.spec import suite
from tests.wasm.essence import essence
from tests.wasm.modules import function_module

FIXTURES = sorted((ROOT / "fixtures").rglob("*.wasm"))

SOURCE = r"""
(module $hello
  (type $t (func (param i32 f32) (result i32)))
  (import "a" "b\"\n" (func $print (param i32)))
  (import "a" "é" (global (mut i64)))
  (table $t 3 funcref) (table 1 9 externref)
  (memory $m 1 2)
  (global $g (mut i32) (i32.const -1))
  (func $f (export "f") (type $t) (local $x i32) (local i64 f64) (local $y v128)
    block $out (result i32)
      local.get 0
      i32.load8_u offset=5
      loop
        br_if 1
        br $out
      end
      f32.const nan:0x200000
      drop
      unreachable
    end
    if
      i32.const 2
      call $print
    else
      block
        i32.const 0
        br_table 0 1 2
      end
    end
    v128.const i32x4 1 2 3 -1
    i32x4.extract_lane 3
    i32.load16_s align=1
    f32.const 0.1
    i32.const 2
    call_indirect (type $t))
  (func $"the same name" unreachable)
  (elem $e (i32.const 1) $f $print)
  (elem declare funcref (ref.func $f) (ref.null func))
  (data $d (i32.const 8) "hello\00\ff\"w\\"))
"""

TEXT = r"""
(module $hello
  (type $t (;0;) (func (param i32 f32) (result i32)))
  (type (;1;) (func (param i32)))
  (type (;2;) (func))
  (import "a" "b\22\0a" (func $print (;0;) (type 1) (param i32)))
  (import "a" "é" (global (;0;) (mut i64)))
  (table $t (;0;) 3 funcref)
  (table (;1;) 1 9 externref)
  (memory $m (;0;) 1 2)
  (global $g (;1;) (mut i32) (i32.const -1))
  (export "f" (func $f))
  (func $f (;1;) (type $t) (param i32 f32) (result i32)
    (local $x i32) (local i64 f64) (local $y v128)
    block $out (result i32)
      local.get 0
      i32.load8_u offset=5
      loop  ;; label = @2
        br_if $out
        br $out
      end
      f32.const nan:0x200000
      drop
      unreachable
    end
    if  ;; label = @3
      i32.const 2
      call $print
    else
      block  ;; label = @4
        i32.const 0
        br_table 0 (;@4;) 1 (;@3;) 2
      end
    end
    v128.const i32x4 0x00000001 0x00000002 0x00000003 0xffffffff
    i32x4.extract_lane 3
    i32.load16_s align=1
    f32.const 0.1
    i32.const 2
    call_indirect (type $t) (param i32 f32) (result i32)
  )
  (func $the_same_name (;2;) (type 2)
    unreachable
  )
  (elem $e (;0;) (offset (i32.const 1)) func
    $f $print)
  (elem (;1;) declare funcref
    (item (ref.func $f)) (item (ref.null func)))
  (data $d (;0;) (offset (i32.const 8))
    "hello\00\ff\22w\5c")
)
"""


def test_how_it_looks(wat: Callable[[str], bytes]) -> None:
    assert "\n".join(disassemble(decode(wat(SOURCE)))) == TEXT.strip()


def test_one_function_with_offsets(wat: Callable[[str], bytes]) -> None:
    module = decode(
        wat('(module (import "" "" (func)) (func (param i32) nop (drop (local.get 0))))')
    )
    start = module.functions[0].body.start
    assert list(disassemble(module, 1, offsets=True)) == [
        "        (func (;1;) (type 1) (param i32)",
        f"(;@{start:x};)   nop",
        f"(;@{start + 1:x};)   local.get 0",
        f"(;@{start + 3:x};)   drop",
        "        )",
    ]
    for other in (0, 2, -1):
        with pytest.raises(IndexError):
            next(disassemble(module, other))


def test_identifiers_are_sanitized_and_all_different(wat: Callable[[str], bytes]) -> None:
    names = ["a b", "a_b", "ä", "ö", "", "(;", "same", "same"]
    functions = "".join(f'(func (@name "{name}"))' for name in names)
    lines = disassemble(decode(wat(f"(module {functions})")))
    found = [line.split()[1] for line in lines if line.startswith("  (func")]
    assert found == ["$a_b", "$a_b.1", "$_", "$_.3", "(;4;)", "$__", "$same", "$same.7"]


@pytest.mark.parametrize(
    ("mnemonic", "bits", "text"),
    [
        ("f32.const", 0x00000000, "0"),
        ("f32.const", 0x80000000, "-0"),
        ("f32.const", 0x3DCCCCCD, "0.1"),
        ("f32.const", 0x00000001, "1.4013e-45"),
        ("f32.const", 0x7F7FFFFF, "3.4028235e+38"),
        ("f32.const", 0x7F800000, "inf"),
        ("f32.const", 0xFFC00000, "-nan"),
        ("f32.const", 0x7F800001, "nan:0x1"),
        ("f64.const", 0x3FB999999999999A, "0.1"),
        ("f64.const", 0xFFF0000000000000, "-inf"),
        ("f64.const", 0x7FF8000000000000, "nan"),
        ("f64.const", 0xFFF4000000000000, "-nan:0x4000000000000"),
    ],
)
def test_floats(mnemonic: str, bits: int, text: str) -> None:
    instruction = Instruction(0, BY_MNEMONIC[mnemonic], (bits,))
    assert format_instruction(instruction) == f"{mnemonic} {text}"
    source = f"(module (func (drop ({mnemonic} {text}))))"
    module = decode(wasmtime.wat2wasm(source))
    assert next(instructions(module.data, module.functions[0].body)).immediates == (bits,)


def test_what_is_not_valid_can_be_read_as_well() -> None:
    body = b"\x20\x63\x10\x63\x02\x3f\x0b\x0e\x01\x63\x05\xd0\x70\x0b\x0b"
    module = decode(function_module(FuncType(), body))
    assert list(disassemble(module, 0))[1:-1] == [
        "  local.get 99",
        "  call 99",
        "  block (type 63)  ;; label = @1",
        "  end",
        "  br_table 99 5",
        "  ref.null func",
    ]


def test_deep_nesting_is_printed_in_linear_space() -> None:
    depth = 20_000
    module = decode(function_module(FuncType(), b"\x02\x40" * depth + b"\x0b" * (depth + 1)))
    assert sum(map(len, disassemble(module))) < 300 * depth


def check_round_trip(data: bytes) -> None:
    module = decode(data)
    text = "\n".join(disassemble(module, offsets=True))
    assert essence(decode(wasmtime.wat2wasm(text))) == essence(module)
    again = decode(assemble(text))
    assert essence(again) == essence(module)
    assert [*disassemble(again)] == [*disassemble(module)]


@pytest.mark.parametrize("path", FIXTURES, ids=lambda path: path.name)
def test_fixtures_come_back_the_same(path: Path) -> None:
    check_round_trip(path.read_bytes())


@pytest.mark.parametrize("seed", range(30))
def test_random_modules_come_back_the_same(seed: int) -> None:
    check_round_trip(random_module(Random(seed)))


@pytest.mark.skipif(not suite.names(), reason=f"no test suite at {suite.location()}")
def test_the_suite_comes_back_the_same() -> None:
    count = 0
    for name in suite.names():
        script = suite.script(name)
        for command in script.commands:
            if "filename" in command and command["type"] not in (
                "assert_malformed",
                "assert_invalid",
            ):
                check_round_trip(script.module(command))
                count += 1
    assert count > 1700
