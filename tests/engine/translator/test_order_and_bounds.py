"""Claims and orders of evaluation that were wrong once."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from purewasm_plugins import Function, Global, Instance, Trap, instantiate

Wat = Callable[[str], bytes]


def call(instance: Instance, name: str, *arguments: int) -> object:
    function = instance.exports[name]
    assert isinstance(function, Function)
    return function(*arguments)


#: A sum whose bits beyond the type's are seen unless it is masked, set in a loop: the parameters,
#: the local, the body of the loop, the result, and what it is for some arguments.
STEPS = {
    "wrapped local, less": (
        "local.get 0 i32.wrap_i64 i32.const -4 i32.add local.set 2 local.get 2 i32.const 2"
        " i32.shr_u local.set 3",
        {0x1_0000_0010: 3, 3: 0x3FFFFFFF, 0x10: 3},
    ),
    "wrapped sum": (
        "local.get 0 i64.const -4 i64.add i32.wrap_i64 local.set 2 local.get 2 i32.const 2"
        " i32.shr_u local.set 3",
        {0x1_0000_0010: 3, 3: 0x3FFFFFFF, 0x10: 3},
    ),
    "wrapped local, more": (
        "local.get 0 i32.wrap_i64 i32.const 4 i32.add local.set 2 local.get 2 i32.const 2"
        " i32.shr_u local.set 3",
        {0x1_0000_0010: 5, 0xFFFF_FFFC: 0, 0x1_FFFF_FFFC: 0},
    ),
}


@pytest.mark.parametrize("body", STEPS)
def test_a_sum_that_is_set_in_a_loop(body: str, wat: Wat, engine: str) -> None:
    code, expected = STEPS[body]
    instance = instantiate(
        wat(
            f"""(module (func (export "f") (param i64 i32) (result i32) (local i32 i32)
            loop {code} local.get 1 i32.const 1 i32.sub local.tee 1 br_if 0 end local.get 3))"""
        ),
        engine=engine,
    )
    for argument, result in expected.items():
        assert call(instance, "f", argument, 3) == result


#: Blocks whose ends follow each other, some with results, left by one branch out of a loop in all;
#: and what they leave in local 2.
LEFT = {
    "the loop has the result": (
        0,
        """
      block $out
        block (result i64)
          loop $again (result i64)
            local.get 0 br_if $out
            i32.const 1 local.set 0 br $again
          end
        end
        drop
      end""",
    ),
    "falls out with the result": (
        7,
        """
      i32.const 7
      block $out
        block (result i64)
          loop $again (result i64)
            local.get 0 br_if $out
            i32.const 1 local.set 0
            local.get 1 br_if $again
            i64.const 5
          end
        end
        i32.wrap_i64 local.set 1
      end
      local.set 2""",
    ),
    "operands are left behind": (
        7,
        """
      i32.const 7
      block $out
        i32.const 1 f64.const 2
        loop $again
          i32.const 1 local.set 0
          local.get 1 br_table $out $again $out
        end
        drop drop
      end
      local.set 2""",
    ),
    "by br_table": (
        0,
        """
      f64.const 3 local.get 0
      block $out
        f32.const 1
        loop $again (result i64)
          loop $inner
            i32.const 1 local.set 0
            f32.const 2
            local.get 1 br_table $out $inner $again $out
          end
          i64.const 1 br $out
        end
        drop drop
      end
      drop drop""",
    ),
}


@pytest.mark.parametrize("body", LEFT)
def test_blocks_left_together_with_results(body: str, wat: Wat, engine: str) -> None:
    expected, code = LEFT[body]
    text = f"""(module (func (export "f") (param i32 i32) (result i32) (local i32)
      {code} local.get 0 i32.const 10 i32.mul local.get 2 i32.add))"""
    instance = instantiate(wat(text), engine=engine)
    assert call(instance, "f", 0, 0) == 10 + expected
    assert call(instance, "f", 1, 0) == 10 + expected


#: State that an instruction reads once it has its operands, and operands that change it or trap:
#: the body, and what is left in the global, or None where it returns.
ORDER = {
    **{
        f"v128.load{bits}_lane": (
            f"(drop (v128.load{bits}_lane 0 (i32.const -1) (call $seven)))",
            7,
        )
        for bits in (8, 16, 32, 64)
    },
    **{
        f"v128.store{bits}_lane": (
            f"(v128.store{bits}_lane 0 (i32.const -1) (call $seven))",
            7,
        )
        for bits in (8, 16, 32, 64)
    },
    "v128.load8_lane reads what the call wrote": (
        "(global.set $g (i8x16.extract_lane_u 1 (v128.load8_lane 1 (i32.const 0) (call $store))))"
        "unreachable",
        9,
    ),
    "v128.load8_lane, the address first": (
        "(drop (v128.load8_lane 0 (i32.load (i32.const -1)) (call $seven)))",
        0,
    ),
    "memory.init, destination": (
        "(memory.init $d (call $drop_data) (i32.const 0) (i32.const 4))",
        1,
    ),
    "memory.init, source": ("(memory.init $d (i32.const 0) (call $drop_data) (i32.const 4))", 1),
    "memory.init, length": ("(memory.init $d (i32.const 0) (i32.const 0) (call $drop_data))", 1),
    "table.init, destination": (
        "(table.init $e (call $drop_elements) (i32.const 0) (i32.const 4))",
        1,
    ),
    "table.init, source": (
        "(table.init $e (i32.const 0) (call $drop_elements) (i32.const 4))",
        1,
    ),
    "table.init, length": (
        "(table.init $e (i32.const 0) (i32.const 0) (call $drop_elements))",
        1,
    ),
    "call_indirect, the table after the operands": (
        "(call_indirect (param i32) (call $clear) (i32.const 0))",
        3,
    ),
    "call_indirect, an operand traps first": (
        "(call_indirect (param i32) (i32.div_u (call $seven_i32) (i32.const 0)) (i32.const 99))",
        7,
    ),
    "table.set, the index traps first": (
        "(table.set (i32.div_u (i32.const 1) (i32.const 0)) (call $some))",
        0,
    ),
}


@pytest.mark.parametrize("body", ORDER)
def test_state_is_read_after_the_operands(body: str, wat: Wat, engine: str) -> None:
    code, left = ORDER[body]
    text = f"""(module
      (memory 1) (data $d "abcdefgh")
      (table $t 8 8 funcref)
      (elem $e func $one $one $one $one $one $one $one $one)
      (elem (table $t) (i32.const 0) func $one)
      (global $g (export "g") (mut i32) (i32.const 0))
      (func $one (param i32))
      (func $seven (result v128) (global.set $g (i32.const 7)) (v128.const i64x2 0 0))
      (func $seven_i32 (result i32) (global.set $g (i32.const 7)) (i32.const 7))
      (func $some (result funcref) (global.set $g (i32.const 7)) (ref.null func))
      (func $store (result v128) (i32.store8 (i32.const 0) (i32.const 9)) (v128.const i64x2 0 0))
      (func $drop_data (result i32) (data.drop $d) (global.set $g (i32.const 1)) (i32.const 4))
      (func $drop_elements (result i32)
        (elem.drop $e) (global.set $g (i32.const 1)) (i32.const 4))
      (func $clear (result i32)
        (table.set $t (i32.const 0) (ref.null func)) (global.set $g (i32.const 3)) (i32.const 4))
      (func (export "f") {code}))"""
    instance = instantiate(wat(text), engine=engine)
    with pytest.raises(Trap):
        call(instance, "f")
    cell = instance.exports["g"]
    assert isinstance(cell, Global)
    assert cell.value == left


def test_an_access_before_a_loop(wat: Wat, engine: str) -> None:
    """It says nothing of a local that the loop sets."""
    data = wat(
        """(module (memory 1) (func (export "f") (param i32 i32) (result i32)
          (i32.store8 (local.get 0) (i32.const 1))
          (loop $again
            (local.set 0 (i32.add (local.get 0) (i32.const 0x40000000)))
            (br_if $again (local.tee 1 (i32.sub (local.get 1) (i32.const 1)))))
          (local.get 0)))"""
    )
    assert instantiate(data, engine=engine).exports.function("f")(8, 5) == 0x40000008
