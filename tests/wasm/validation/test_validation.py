"""Validation rules, the messages of their errors, and the record of control flow."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

import pytest

from purewasm_plugins.errors import ValidationError
from purewasm_plugins.wasm import Block, FuncType, ValType, decode, load, validate
from purewasm_plugins.wasm.binary.encoder import module, section
from purewasm_plugins.wasm.binary.instructions import instructions
from tests.random_modules.modules import random_module
from tests.wasm.modules import function_module

I32, F64 = ValType.I32, ValType.F64

#: Bodies of a function `i32 -> i32`, the message, and the offset in the body of what is wrong.
INVALID = {
    "nothing there": (b"\x45\x0b", "type mismatch in i32.eqz: expected i32, found nothing", 0),
    "wrong type": (b"\x42\0\x0b", "type mismatch in end: expected i32, found i64", 2),
    "one too many": (b"\x20\0\x20\0\x0b", "type mismatch in end: 1 operands more than", 4),
    "block reaches out": (
        b"\x20\0\x02\x40\x1a\x0b\x0b",
        "type mismatch in drop: expected an operand, found nothing",
        4,
    ),
    "if without else": (
        b"\x20\0\x04\x7f\x41\0\x0b\x0b",
        "type mismatch in end: an if without else that has a result",
        6,
    ),
    "branch carries nothing": (b"\x0c\0\x0b", "type mismatch in br: expected i32, found", 0),
    "labels differ": (
        b"\x02\x40\x20\0\x20\0\x0e\x01\x01\0\x0b\x20\0\x0b",
        "type mismatch in br_table: labels that carry less or more",
        6,
    ),
    "unreachable, but wrong": (b"\0\x42\0\x45\x0b", "type mismatch in i32.eqz: expected i32, f", 3),
    "select of references": (
        b"\xd0\x70\xd0\x70\x20\0\x1b\xd1\x0b",
        "type mismatch in select: funcref needs a select with a type",
        6,
    ),
    "select of two": (b"\x20\0\x43\0\0\0\0\x20\0\x1b\x0b", "type mismatch in select: exp", 9),
    "typed select of two": (b"\x20\0\x1c\x02\x7f\x7f\x0b", "invalid result arity", 2),
    "null of a number": (b"\x20\0\xd1\x0b", "type mismatch in ref.is_null: expected a ref", 2),
    "label": (b"\x20\0\x0d\x01\x0b", "unknown label 1", 2),
    "label in a table": (b"\x20\0\x20\0\x0e\0\x07\x0b", "unknown label 7", 4),
    "local": (b"\x20\x03\x0b", "unknown local 3", 0),
    "far local": (b"\x20\xff\x7f\x0b", "unknown local 16383", 0),
    "local beyond all": (b"\x21\xff\xff\xff\xff\x0f\x0b", "unknown local 4294967295", 0),
    "global": (b"\x23\0\x0b", "unknown global 0", 0),
    "far global": (b"\x24\xff\x01\x0b", "unknown global 255", 0),
    "function": (b"\x10\x01\x0b", "unknown function 1", 0),
    "reference": (b"\xd2\x09\xd1\x0b", "unknown function 9", 0),
    "type": (b"\x20\0\x11\x01\0\x0b", "unknown type 1", 2),
    "block type": (b"\x02\x01\x0b\x20\0\x0b", "unknown type 1", 0),
    "table": (b"\x20\0\x11\0\x02\x0b", "unknown table 2", 2),
    "table of externref": (
        b"\x20\0\x11\0\x01\x0b",
        "type mismatch in call_indirect: expected a",
        2,
    ),
    "elements": (b"\xfc\x0d\x01\x20\0\x0b", "unknown elem segment 1", 0),
    "elements of another type": (
        b"\x20\0\x20\0\x20\0\xfc\x0c\0\x01\x20\0\x0b",
        "type mismatch in table.init: expected elements of externref, found funcref",
        6,
    ),
    "first label in a table": (b"\x20\0\x20\0\x0e\x01\x07\0\x0b", "unknown label 7", 4),
    "data": (b"\xfc\x09\x01\x20\0\x0b", "unknown data segment 1", 0),
    "lane": (b"\x20\0\xfd\x0f\xfd\x15\x10\x0b", "invalid lane index 16", 4),
    "alignment": (b"\x20\0\x28\x03\0\x0b", "alignment must not be larger than natural", 2),
}

#: Bodies of the same function that are valid, however odd.
VALID = {
    "unreachable has any operand": b"\0\x45\x0b",
    "unreachable results": b"\0\x0b",
    "after a branch": b"\x20\0\x0c\0\x1b\x0b",
    "select of the unknown": b"\0\x1b\x0b",
    "select of the unknown and a reference": b"\0\xd0\x70\x41\0\x1c\x01\x70\xd1\x0b",
    "labels of other types, unreachable": (b"\x02\x7d\0\x41\0\x0e\x01\x01\0\x0b\x1a\x20\0\x0b"),
    "br_if leaves what it carries": b"\x20\0\x20\0\x0d\0\x0b",
    "padded indices": b"\x20\x80\x80\x80\x80\0\x21\x80\0\x20\0\x0b",
    "if with parameters": b"\x20\0\x20\0\x04\0\x45\x05\x0b\x0b",
    "empty loops": b"\x03\x40\x03\x40\x0b\x0b\x20\0\x0b",
}


@pytest.mark.parametrize(("body", "message", "offset"), INVALID.values(), ids=INVALID)
def test_invalid_body(body: bytes, message: str, offset: int) -> None:
    decoded = decode(function_module(FuncType((I32,), (I32,)), body))
    with pytest.raises(ValidationError) as raised:
        validate(decoded)
    error = raised.value
    assert error.message.startswith(message)
    assert error.function == 0
    assert error.offset == decoded.functions[0].body.start + offset


@pytest.mark.parametrize("body", VALID.values(), ids=VALID)
def test_valid_body(body: bytes) -> None:
    load(function_module(FuncType((I32,), (I32,)), body))


def test_many_locals(wat: Callable[[str], bytes]) -> None:
    """Those that an index of one byte does not reach are looked up in another way."""
    types = ["i32"] * 100 + ["f64"] * 200 + ["v128", "externref"]
    text = f"(module (func (param i64) (local {' '.join(types)}) {{}}))"
    for number, type_ in enumerate(["i64", *types]):
        load(wat(text.format(f"(local.set {number} (local.tee {number} (local.get {number})))")))
        wrong = "i64" if type_ == "f64" else "f64"
        with pytest.raises(ValidationError, match=f"expected {wrong}, found {type_}"):
            load(
                wat(
                    text.format(f"({wrong}.neg (local.get {number})) drop").replace(
                        "i64.neg", "i64.clz"
                    )
                )
            )
    with pytest.raises(ValidationError, match="unknown local 303"):
        load(wat(text.format("(drop (local.get 303))")))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("(memory 65537)", "memory size must be at most 65536 pages (4GiB)"),
        ("(memory 2 1)", "size minimum must not be greater than maximum"),
        ("(memory 1) (memory 1)", "multiple memories are not supported"),
        ("(table 10000001 funcref)", "table size must be at most 10000000 entries"),
        ("(global i32 (i64.const 0))", "type mismatch: expected i32, found i64"),
        ("(global i32)", "type mismatch: expected i32, found nothing"),
        ("(global i32 (i32.const 0) (i32.const 0))", "type mismatch: expected i32, found i32 i32"),
        (
            "(global i32 (i32.ctz (i32.const 0)))",
            "constant expression required: i32.ctz is not constant",
        ),
        ("(global i32 (global.get 0))", "unknown global 0"),
        (
            '(import "" "" (global (mut i32))) (global i32 (global.get 0))',
            "constant expression required: the global is mutable",
        ),
        ("(global funcref (ref.func 0))", "unknown function 0"),
        ('(func) (export "a" (func 0)) (export "a" (func 0))', "duplicate export name 'a'"),
        ('(export "a" (memory 0))', "unknown memory 0"),
        ("(start 0)", "unknown function 0"),
        ("(func (param i32)) (start 0)", "start function"),
        ("(elem (i32.const 0))", "unknown table 0"),
        ("(table 1 externref) (elem (i32.const 0) func)", "type mismatch: expected externref"),
        ("(elem func 0)", "unknown function 0"),
        ('(data (i32.const 0) "")', "unknown memory 0"),
        ('(memory 1) (data (i64.const 0) "")', "type mismatch: expected i32, found i64"),
        ("(func (drop (ref.func 1))) (func)", "undeclared function reference 1"),
        ("(global i32 (i32.const 0)) (func (global.set 0 (i32.const 0)))", "global is immutable"),
        ("(func (drop (i32.load (i32.const 0))))", "unknown memory 0"),
    ],
)
def test_invalid_module(wat: Callable[[str], bytes], text: str, message: str) -> None:
    with pytest.raises(ValidationError) as raised:
        load(wat(f"(module {text})"))
    assert raised.value.message.startswith(message)


def test_unknown_type() -> None:
    with pytest.raises(ValidationError, match="unknown type 0"):
        load(module(section(2, b"\x01\0\0\0\0")))


def test_where_an_error_is(wat: Callable[[str], bytes]) -> None:
    text = '(module (import "" "" (func)) (func) (func (drop (f64.neg (i32.const 0)))))'
    with pytest.raises(ValidationError) as raised:
        load(wat(text))
    assert str(raised.value) == (
        "type mismatch in f64.neg: expected f64, found i32 (in function 2, at byte 0x24)"
    )


CONTROL = """
(module
  (import "" "" (func))
  (type $pair (func (param i32 i32) (result f64)))
  (func (param i32) (result i32)
    i32.const 1
    block (result i32)
      i32.const 2
      i32.const 3
      local.get 0
      if (type $pair)
        br_if 2
        drop
        f64.const 1
      else
        loop
          local.get 0
          br_if 0
        end
        drop drop
        f64.const 0
      end
      drop
      i32.const 4
    end
    i32.add
    br 0)
  (func))
"""


def test_control(wat: Callable[[str], bytes]) -> None:
    valid = load(wat(CONTROL))
    data = valid.module.data
    control = valid.control(1)
    offsets = [
        (instruction.opcode.mnemonic, instruction.offset)
        for instruction in instructions(data, valid.module.functions[0].body)
    ]
    at = {name: offset for name, offset in offsets if name in ("block", "if", "loop", "else")}
    ends = [offset for name, offset in offsets if name == "end"]
    start = valid.module.functions[0].body.start
    pair = FuncType((I32, I32), (F64,))
    assert control.blocks == {
        at["block"]: Block("block", at["block"], None, ends[2], FuncType((), (I32,)), 1, False),
        at["if"]: Block("if", at["if"], at["else"], ends[1], pair, 1, False),
        at["loop"]: Block("loop", at["loop"], None, ends[0], FuncType(), 3, True),
    }
    body = control.body
    assert body == Block("function", start, None, ends[3], FuncType((I32,), (I32,)), 0, True)
    assert (body.arity, body.target) == (1, ends[3])
    loop, block = control.blocks[at["loop"]], control.blocks[at["block"]]
    assert (loop.arity, loop.target) == (0, at["loop"])
    assert (block.arity, block.target) == (1, ends[2] + 1)
    assert list(control.blocks) == sorted(control.blocks)
    assert valid.control(2).blocks == {}


@pytest.mark.parametrize("seed", range(20))
def test_control_of_random_modules(seed: int) -> None:
    """Blocks nest as the instructions do, and branches are noted where they lead."""
    valid = load(random_module(Random(seed)))
    found = valid.module
    for index, code in enumerate(found.functions):
        control = valid.control(index)
        open_blocks = [control.body]
        seen, targets = [], set()
        for offset, opcode, immediates in instructions(found.data, code.body):
            match opcode.mnemonic:
                case "block" | "loop" | "if" as kind:
                    block = control.blocks[offset]
                    assert (block.kind, block.start) == (kind, offset)
                    open_blocks.append(block)
                    seen.append(offset)
                case "else":
                    assert open_blocks[-1].else_offset == offset
                case "end":
                    assert open_blocks.pop().end == offset
                case "br" | "br_if":
                    targets.add(open_blocks[~immediates[0]])
                case "br_table":
                    labels, default = immediates
                    targets.update(open_blocks[~label] for label in (*labels, default))
                case "return":
                    targets.add(control.body)
        assert not open_blocks
        assert list(control.blocks) == seen
        blocks = {control.body, *control.blocks.values()}
        assert {block for block in blocks if block.targeted} == targets
